"""MAP-Elites: vary the best of every cell of the space of behaviours."""

from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, PyTree

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.diversity.grid import DescriptorGrid
from escapement_jax.curiosity.experiment import Observations
from escapement_jax.curiosity.search.archive import (
    is_occupied,
    no_occupants,
    pick,
    settle_better,
)
from escapement_jax.curiosity.search.base import AbstractStrategy
from escapement_jax.curiosity.search.library import Library, Proposal
from escapement_jax.curiosity.search.variation import gaussian_and_line
from escapement_jax.curiosity.systems.box import Box


class MapElites(AbstractStrategy):
    """MAP-Elites with Gaussian and line steps.

    Sources: Mouret and Clune (2015); Vassiliades and Mouret (2018).
    """

    box: Box
    grid: DescriptorGrid
    scale: float = eqx.field(static=True, default=0.03)
    line_scale: float = eqx.field(static=True, default=0.3)

    def init(self, capacity: int, num_embedding: int) -> PyTree[Array]:
        """Return an empty archive."""
        del capacity, num_embedding
        return no_occupants(self.grid)

    def ask(
        self, library: Library, memory: PyTree[Array], batch_size: int, *, key: PRNGKey
    ) -> tuple[Proposal, PyTree[Array]]:
        """Vary occupants of cells drawn uniformly among the filled."""
        pick_key, step = jax.random.split(key)
        weights = is_occupied(memory).astype(library.parameters.dtype)[None]
        uniform = jax.random.uniform(pick_key, (1, 2 * batch_size), weights.dtype)
        parents, partners = memory[pick(weights, uniform)[0]].reshape(2, batch_size)
        unit, partner = (self.box.to_unit(library.parameters[p]) for p in (parents, partners))
        moved = gaussian_and_line(unit, partner, self.scale, self.line_scale, key=step)
        return Proposal(self.box.from_unit(moved), parents), memory

    def tell(
        self, library: Library, memory: PyTree[Array], proposal: Proposal, seen: Observations
    ) -> PyTree[Array]:
        """Let better newcomers settle."""
        del proposal
        return settle_better(memory, self.grid, seen, library.num_done, library.quality)

    def describe(self) -> dict[str, Any]:
        """Return the name and the step sizes."""
        return {
            "kind": "map-elites",
            "bins": self.grid.bins,
            "scale": self.scale,
            "line_scale": self.line_scale,
        }
