"""Effective population size through time, and the rate of coalescence it implies."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from escapement_jax.genealogy.genome.time_grid import TimeGrid, level_of


class PiecewiseConstant(eqx.Module):
    """A diploid effective size ``N(t)`` that is constant within each epoch.

    A pair of lineages coalesces at rate ``1 / (2 N(t))`` per generation.

    Attributes:
        breakpoints: Left edge of each epoch, generations before present; the first is 0.
        sizes: Diploid effective size of each epoch; the last epoch never ends.
    """

    breakpoints: Float[Array, " epochs"]
    sizes: Float[Array, " epochs"]

    def __check_init__(self) -> None:
        """Reject epochs out of order and sizes that are not positive."""
        if isinstance(self.breakpoints, Tracer) or isinstance(self.sizes, Tracer):
            return
        breakpoints, sizes = np.asarray(self.breakpoints), np.asarray(self.sizes)
        if breakpoints.size == 0 or breakpoints[0] != 0.0:
            raise ValueError(f"The first epoch must start at time 0, got {breakpoints[:1]}.")
        rising = np.diff(breakpoints) > 0
        if not rising.all():
            epoch = int(np.argmin(rising)) + 1
            raise ValueError(
                f"Epoch starts must increase strictly; epoch {epoch} starts at "
                f"{breakpoints[epoch]} after {breakpoints[epoch - 1]}."
            )
        sound = (sizes > 0) & np.isfinite(sizes)
        if not sound.all():
            epoch = int(np.argmin(sound))
            raise ValueError(
                f"Population sizes must be positive and finite; epoch {epoch} has {sizes[epoch]}."
            )

    @classmethod
    def constant(cls, size: float) -> "PiecewiseConstant":
        """The same diploid size at all times.

        Args:
            size: Diploid effective size.

        Returns:
            A population size with one epoch.

        Raises:
            ValueError: If the size is not positive and finite.
        """
        return cls(jnp.zeros(1), jnp.asarray(np.array([size], dtype=float)))

    def size_at(self, time: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Diploid size ``N(t)`` at each time (generations)."""
        return self.sizes[level_of(self.breakpoints, time)]

    def coalescent_intensity(self, time: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Expected coalescences of a pair up to each time: ``int_0^t ds / (2 N(s))``.

        Args:
            time: Times in generations, finite and never negative.

        Returns:
            The intensity, in coalescent units; ``exp(-intensity)`` is the probability that a
            pair is still apart.
        """
        epoch = level_of(self.breakpoints, time)
        elapsed = time - self.breakpoints[epoch]
        return self._intensity_at_breakpoints()[epoch] + elapsed / (2.0 * self.sizes[epoch])

    def inverse_intensity(self, intensity: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Time, in generations, at which the coalescent intensity reaches each value.

        Applied to standard exponential variables it gives pairwise coalescence times.
        """
        starts = self._intensity_at_breakpoints()
        epoch = level_of(starts, intensity)
        return self.breakpoints[epoch] + (intensity - starts[epoch]) * 2.0 * self.sizes[epoch]

    def level_intensities(self, grid: TimeGrid) -> Float[Array, " levels"]:
        """Coalescent intensity of a pair within each level: ``int dt / (2 N(t))``.

        Args:
            grid: Time levels.

        Returns:
            The intensities; that of the last, open-ended level is infinite, so that the
            probability of leaving a level uncoalesced, ``exp(-intensity)``, is 0 there.
        """
        rises = jnp.diff(self.coalescent_intensity(grid.edges))
        return jnp.concatenate([rises, jnp.full(1, jnp.inf, rises.dtype)])

    def level_sizes(self, grid: TimeGrid) -> Float[Array, " levels"]:
        """Harmonic mean of ``N(t)`` over each level: its constant size of equal intensity.

        Args:
            grid: Time levels.

        Returns:
            Diploid sizes; the harmonic mean over the open-ended level is the last epoch's size.
        """
        rises = jnp.diff(self.coalescent_intensity(grid.edges))
        return jnp.concatenate([jnp.diff(grid.edges) / (2.0 * rises), self.sizes[-1:]])

    def mean_pairwise_tmrca(self) -> Float[Array, ""]:
        """Mean time to the most recent common ancestor of a pair: ``int_0^inf exp(-L(t)) dt``.

        Returns:
            Generations; ``2 N`` for a constant size.
        """
        coalesced = -jnp.expm1(-self._epoch_intensities())
        apart_at_start = jnp.exp(-self._intensity_at_breakpoints())
        return jnp.sum(2.0 * self.sizes * apart_at_start * coalesced)

    def _epoch_intensities(self) -> Float[Array, " epochs"]:
        rises = jnp.diff(self.breakpoints) / (2.0 * self.sizes[:-1])
        return jnp.concatenate([rises, jnp.full(1, jnp.inf, rises.dtype)])

    def _intensity_at_breakpoints(self) -> Float[Array, " epochs"]:
        rises = self._epoch_intensities()[:-1]
        return jnp.concatenate([jnp.zeros(1, rises.dtype), jnp.cumsum(rises)])
