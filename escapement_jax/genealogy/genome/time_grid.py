"""A grid of time levels: coalescence times are known up to the level that holds them."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int


class TimeGrid(eqx.Module):
    """Time levels ``[edges[k], edges[k + 1])`` with one representative time each, in generations.

    Level ``k`` starts at ``edges[k]``; ``edges[0] = 0`` and the last level is open-ended.

    Attributes:
        edges: Lower edge of each level, generations before present.
        times: Representative time of each level, generations before present.
    """

    edges: Float[Array, " levels"]
    times: Float[Array, " levels"]

    def __check_init__(self) -> None:
        """Reject a grid whose levels are too few, out of order or without their time."""
        if isinstance(self.edges, Tracer) or isinstance(self.times, Tracer):
            return
        edges, times = np.asarray(self.edges), np.asarray(self.times)
        if edges.size < 2:
            raise ValueError(f"A time grid needs at least 2 levels, got {edges.size}.")
        if edges[0] != 0.0:
            raise ValueError(f"The first level must start at time 0, got edges[0] = {edges[0]}.")
        steps = np.diff(edges)
        if not (np.all(np.isfinite(edges)) and np.all(steps > 0)):
            level = int(np.argmin(np.where(np.isnan(steps), -np.inf, steps))) + 1
            raise ValueError(
                f"Level edges must be finite and strictly increasing; edges[{level}] = "
                f"{edges[level]} follows {edges[level - 1]}."
            )
        inside = (times > edges) & (times < np.append(edges[1:], np.inf))
        if not inside.all():
            level = int(np.argmin(inside))
            raise ValueError(
                f"The time of level {level} must lie inside the level, which starts at "
                f"{edges[level]}; got {times[level]}."
            )

    @property
    def num_levels(self) -> int:
        """Number of levels, the open-ended one included."""
        return self.edges.shape[0]

    @classmethod
    def geometric(cls, levels: int, *, first: float, last: float, tail: float) -> "TimeGrid":
        """Levels whose edges are 0 and a geometric sequence from ``first`` to ``last``.

        The first level is represented by its midpoint, the inner ones by their geometric
        midpoints, the open one by ``last + tail``.

        Args:
            levels: Number of levels, at least 2. Two levels have the edges 0 and ``first``.
            first: Upper edge of the first level, in generations.
            last: Lower edge of the open level, in generations.
            tail: Mean waiting time in the open level, in generations (twice the diploid
                population size there).

        Returns:
            The grid, in the default floating-point type.

        Raises:
            ValueError: If ``levels < 2``, or unless ``0 < first < last`` and ``tail > 0``.
        """
        if levels < 2:
            raise ValueError(f"A time grid needs at least 2 levels, got {levels}.")
        if not 0.0 < first < last < np.inf or not 0.0 < tail < np.inf:
            raise ValueError(
                "A geometric time grid needs 0 < first < last and tail > 0, all finite; "
                f"got first = {first}, last = {last}, tail = {tail}."
            )
        edges = np.concatenate([[0.0], np.geomspace(first, last, levels - 1)])
        times = np.empty(levels)
        times[0] = edges[1] / 2
        times[1:-1] = np.sqrt(edges[1:-1] * edges[2:])
        times[-1] = edges[-1] + tail
        return cls(jnp.asarray(edges), jnp.asarray(times))

    @classmethod
    def for_population_size(cls, levels: int, population_size: float) -> "TimeGrid":
        """Geometric levels suited to a population of about the given diploid size.

        The edges run from 0.0075 to 7.5 times ``2 N``, beyond which a pair of lineages is
        still apart with probability ``exp(-7.5) = 0.0006``.

        Args:
            levels: Number of levels, at least 2.
            population_size: Diploid effective size N.

        Returns:
            The grid.

        Raises:
            ValueError: If the size is not positive and finite, or ``levels < 2``.
        """
        if not 0.0 < population_size < np.inf:
            raise ValueError(
                f"The population size must be positive and finite, got {population_size}."
            )
        unit = 2.0 * population_size
        return cls.geometric(levels, first=0.0075 * unit, last=7.5 * unit, tail=unit)


def level_of(edges: Float[Array, " levels"], time: Float[Array, "*shape"]) -> Int[Array, "*shape"]:
    """Level that holds each time: the ``k`` with ``edges[k] <= time < edges[k + 1]``.

    Args:
        edges: Lower edges of the levels, in generations.
        time: Times, in generations; never negative.

    Returns:
        The level of each time.
    """
    return jnp.searchsorted(edges, time, side="right") - 1
