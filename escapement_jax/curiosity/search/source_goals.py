"""The published search: goals in the space of spectra, the nearest rollout, one mutation."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Complex

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.experiment import Observations
from escapement_jax.curiosity.search.base import AbstractStrategy
from escapement_jax.curiosity.search.goals import hypercube_goals, nearest_rows, reached_extent
from escapement_jax.curiosity.search.library import Library, Proposal
from escapement_jax.curiosity.search.variation import gaussian
from escapement_jax.curiosity.systems.box import Box

Spectra = Complex[Array, "rows embedding"]


class SourceGoals(AbstractStrategy):
    """Intrinsically motivated goal exploration as in the published tutorial.

    A goal is drawn in the box of all complex spectra so far, 1.3 times enlarged; the rollout whose
    spectrum is nearest after division by the (complex) range is mutated once and accepted. Ranges
    of complex numbers turn phases, and the order of complex numbers is lexicographic; both are
    kept. Source: Etcheverry et al. (2023), AutoDiscJax, tutorial 2.
    """

    box: Box
    scaling: float = eqx.field(static=True, default=1.3)
    mutation: float = eqx.field(static=True, default=0.1)

    def init(self, capacity: int, num_embedding: int) -> Spectra:
        """Return room for the spectra of all rollouts.

        Raises:
            ValueError: The behaviour has no larger goal space.
        """
        if num_embedding == 0:
            raise ValueError(
                "the goal space of the published search is empty: the behaviour has no spectrum; "
                "observe a SourceOscillation with num_bins other than 0"
            )
        wide = self.box.low.dtype == jnp.float64
        kind = jnp.complex128 if wide else jnp.complex64
        return jnp.zeros((capacity, num_embedding), kind)

    def ask(
        self, library: Library, memory: Spectra, batch_size: int, *, key: PRNGKey
    ) -> tuple[Proposal, Spectra]:
        """Draw goals, find the nearest rollouts and mutate them."""
        goal_key, mutation_key = jax.random.split(key)
        used = jnp.arange(library.capacity, dtype=jnp.int32) < library.num_done
        low, high = reached_extent(memory, used)
        goals = hypercube_goals(low, high, batch_size, self.scaling, key=goal_key)
        span = high - low
        shrink = (1 / jnp.where(span == 0, 1, span))[None]
        parents = nearest_rows(memory * shrink, used, goals * shrink, library.num_done)[0]
        unit = self.box.to_unit(library.parameters[parents])
        moved = gaussian(unit, self.mutation, key=mutation_key)
        return Proposal(self.box.from_unit(moved), parents), memory

    def tell(
        self, library: Library, memory: Spectra, proposal: Proposal, seen: Observations
    ) -> Spectra:
        """Keep the spectra."""
        del proposal
        assert seen.embedding is not None  # `init` has made sure.
        return lax.dynamic_update_slice_in_dim(memory, seen.embedding, library.num_done, 0)

    def describe(self) -> dict[str, Any]:
        """Return the name and the settings."""
        return {"kind": "imgep", "scaling": self.scaling, "mutation": self.mutation}
