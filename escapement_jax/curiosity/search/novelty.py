"""Novelty search: vary whatever is far from everything else."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, PyTree

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.diversity.grid import DescriptorGrid
from escapement_jax.curiosity.experiment import Observations
from escapement_jax.curiosity.search.archive import is_occupied, no_occupants, pick, settle
from escapement_jax.curiosity.search.base import AbstractStrategy
from escapement_jax.curiosity.search.library import Library, Proposal
from escapement_jax.curiosity.search.variation import gaussian_and_line
from escapement_jax.curiosity.systems.box import Box


class NoveltySearch(AbstractStrategy):
    """Novelty: the mean distance to the nearest behaviours of the archive.

    Candidates are drawn from all that was found; the most novel of them become parents. The
    archive holds one behaviour per cell, which bounds the cost however long the search.
    Source: Lehman and Stanley (2011), Abandoning objectives.
    """

    box: Box
    grid: DescriptorGrid
    num_neighbours: int = eqx.field(static=True, default=10)
    num_candidates: int = eqx.field(static=True, default=400)
    num_parents: int = eqx.field(static=True, default=100)
    scale: float = eqx.field(static=True, default=0.03)
    line_scale: float = eqx.field(static=True, default=0.3)

    def init(self, capacity: int, num_embedding: int) -> PyTree[Array]:
        """Return an empty archive."""
        del capacity, num_embedding
        return no_occupants(self.grid)

    def ask(
        self, library: Library, memory: PyTree[Array], batch_size: int, *, key: PRNGKey
    ) -> tuple[Proposal, PyTree[Array]]:
        """Vary the most novel candidates."""
        pool_key, parent_key, partner_key, step = jax.random.split(key, 4)
        dtype = library.parameters.dtype
        uniform = jax.random.uniform(pool_key, (1, self.num_candidates), dtype)
        pool = pick(library.found.astype(dtype)[None], uniform)[0]
        points = self.grid.to_unit(library.descriptors)
        held = points.at[memory].get(mode="fill", fill_value=0.0)
        apart = points[pool][:, None] - held[None]
        squares = jnp.where(is_occupied(memory)[None], jnp.square(apart).sum(-1), 1e6)
        nearest = jnp.sqrt(-lax.top_k(-squares, self.num_neighbours + 1)[0])
        best = lax.top_k(nearest.mean(-1), min(self.num_parents, self.num_candidates))[1]
        parents = pool[best[jax.random.randint(parent_key, (batch_size,), 0, best.shape[0])]]
        partners = pool[jax.random.randint(partner_key, (batch_size,), 0, self.num_candidates)]
        unit, partner = (self.box.to_unit(library.parameters[p]) for p in (parents, partners))
        moved = gaussian_and_line(unit, partner, self.scale, self.line_scale, key=step)
        return Proposal(self.box.from_unit(moved), parents), memory

    def tell(
        self, library: Library, memory: PyTree[Array], proposal: Proposal, seen: Observations
    ) -> PyTree[Array]:
        """Let newcomers settle in empty cells."""
        del proposal
        return settle(memory, self.grid, seen, library.num_done)

    def describe(self) -> dict[str, Any]:
        """Return the name and the settings."""
        return {
            "kind": "novelty",
            "bins": self.grid.bins,
            "num_neighbours": self.num_neighbours,
            "num_candidates": self.num_candidates,
            "num_parents": self.num_parents,
            "scale": self.scale,
            "line_scale": self.line_scale,
        }
