"""Frontier search: step from filled cells into empty neighbours (the default)."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.diversity.grid import DescriptorGrid
from escapement_jax.curiosity.experiment import Observations
from escapement_jax.curiosity.search.archive import (
    Occupants,
    is_occupied,
    neighbour_offsets,
    no_occupants,
    num_empty_neighbours,
    pick,
    settle,
)
from escapement_jax.curiosity.search.base import AbstractStrategy, Unit
from escapement_jax.curiosity.search.library import Library, Proposal
from escapement_jax.curiosity.search.local_inverse_model import ridge_slopes, smallest_step
from escapement_jax.curiosity.systems.box import Box

STRAY_WEIGHT = 0.05
FARTHEST = 1e9


class FrontierMemory(eqx.Module):
    """The archive and how often each cell was a parent.

    Attributes:
        occupants: Row of the library in each cell.
        tries: Number of proposals made from each cell.
    """

    occupants: Occupants
    tries: Float[Array, " cells"]


class Frontier(AbstractStrategy):
    """Goals are empty cells next to filled ones, reached by a local linear inverse model.

    A cell is chosen as parent with weight ``(empty neighbours + 0.05) / (1 + tries)^2``: curiosity
    for where there is something to find, boredom with what was tried. Most proposals aim at a
    random empty neighbour with slopes fitted to the nearest elites; the others are Gaussian and
    line steps.

    Attributes:
        box: Bounds of the parameters.
        grid: Cells of the space of behaviours.
        aimed: Share of proposals that aim at a goal.
        num_neighbours: Elites that the slopes are fitted to.
        noise: Gaussian noise added to aimed steps, in units of the box.
        scales: Range of Gaussian steps of the others, drawn log-uniformly.
        line_scale: Scale of their steps along the line to another elite.
        longest_step: Longest aimed step, in units of the box.
        ridge: Damping of both linear systems.
    """

    box: Box
    grid: DescriptorGrid
    aimed: float = eqx.field(static=True, default=0.9)
    num_neighbours: int = eqx.field(static=True, default=40)
    noise: float = eqx.field(static=True, default=0.02)
    scales: tuple[float, float] = eqx.field(static=True, default=(0.03, 0.08))
    line_scale: float = eqx.field(static=True, default=0.1)
    longest_step: float = eqx.field(static=True, default=0.5)
    ridge: float = eqx.field(static=True, default=1e-3)

    def init(self, capacity: int, num_embedding: int) -> FrontierMemory:
        """Return an empty archive."""
        del capacity, num_embedding
        return FrontierMemory(no_occupants(self.grid), jnp.zeros(self.grid.num_cells))

    def ask(
        self, library: Library, memory: FrontierMemory, batch_size: int, *, key: PRNGKey
    ) -> tuple[Proposal, FrontierMemory]:
        """Choose parents on the frontier, and step across it."""
        dtype, number = library.parameters.dtype, batch_size
        # Few large draws: every generator costs a third of a second to compile.
        uniform_key, normal_key = jax.random.split(key)
        uniform = jax.random.uniform(uniform_key, (5, number), dtype)
        normal = jax.random.normal(normal_key, (number, 2 * self.box.size + 1), dtype)
        noise, kick, line = jnp.split(normal, [self.box.size, 2 * self.box.size], axis=1)
        cells, partners, tries = self._choose(memory, uniform[:2])
        elites = self.box.to_unit(
            library.parameters.at[memory.occupants].get(mode="fill", fill_value=0.0)
        )
        logs = np.log(self.scales)
        scale = jnp.exp(logs[0] + (logs[1] - logs[0]) * uniform[2])[:, None]
        own = elites[cells]
        moved = own + scale * noise + self.line_scale * line * (elites[partners] - own)
        num_aimed = round(self.aimed * batch_size)
        if num_aimed:
            aim = slice(num_aimed)
            steps, possible = self._aimed(library, memory, elites, cells[aim], uniform[3:, aim])
            aimed = own[aim] + steps + self.noise * kick[aim]
            aimed = jnp.where(possible[:, None], aimed, moved[aim])
            moved = jnp.concatenate([aimed, moved[num_aimed:]])
        proposal = Proposal(self.box.from_unit(moved), memory.occupants[cells])
        return proposal, FrontierMemory(memory.occupants, tries)

    def tell(
        self, library: Library, memory: FrontierMemory, proposal: Proposal, seen: Observations
    ) -> FrontierMemory:
        """Let newcomers settle in empty cells."""
        del proposal
        occupants = settle(memory.occupants, self.grid, seen, library.num_done)
        return FrontierMemory(occupants, memory.tries)

    def describe(self) -> dict[str, Any]:
        """Return the name and the settings."""
        return {
            "kind": "frontier",
            "bins": self.grid.bins,
            "aimed": self.aimed,
            "num_neighbours": self.num_neighbours,
            "noise": self.noise,
            "scales": list(self.scales),
            "line_scale": self.line_scale,
            "longest_step": self.longest_step,
            "ridge": self.ridge,
        }

    def _choose(
        self, memory: FrontierMemory, uniform: Float[Array, "2 batch"]
    ) -> tuple[Int[Array, " batch"], Int[Array, " batch"], Float[Array, " cells"]]:
        """Choose parents on the frontier and partners anywhere; count the tries."""
        occupied = is_occupied(memory.occupants)
        empty = num_empty_neighbours(memory.occupants, self.grid, uniform.dtype)
        worn = jnp.square(1 + memory.tries.astype(uniform.dtype))
        frontier = jnp.where(occupied, (empty + STRAY_WEIGHT) / worn, 0)
        weights = jnp.stack([frontier, occupied.astype(uniform.dtype)])
        cells, partners = pick(weights, uniform)
        return cells, partners, memory.tries.at[cells].add(1)

    def _aimed(
        self,
        library: Library,
        memory: FrontierMemory,
        elites: Float[Array, "cells parameters"],
        cells: Int[Array, " batch"],
        uniform: Float[Array, "2 batch"],
    ) -> tuple[Unit, Bool[Array, " batch"]]:
        """Return aimed steps, and which are possible: a neighbour is empty, elites suffice."""
        occupied = is_occupied(memory.occupants)
        direction, has_goal = self._empty_side(occupied, cells, uniform[0])
        reach = (0.5 + uniform[1]) / self.grid.bins
        change = direction.astype(elites.dtype) * reach[:, None]
        place = self.grid.to_unit(
            library.descriptors.at[memory.occupants].get(mode="fill", fill_value=0.0)
        )
        own = elites[cells]
        squares = jnp.square(own).sum(1)[:, None] + jnp.square(elites).sum(1)[None]
        squares = jnp.where(occupied[None], squares - 2 * own @ elites.T, FARTHEST)
        nearness, near = lax.top_k(-squares, self.num_neighbours)
        distance = jnp.maximum(-nearness, 0)
        typical = distance[:, self.num_neighbours // 2, None]
        weights = jnp.exp(-distance / (2 * typical + 1e-9))
        weights = jnp.where(distance < FARTHEST / 2, weights, 0)
        slopes = ridge_slopes(
            elites[near] - own[:, None], place[near] - place[cells][:, None], weights, self.ridge
        )
        step = smallest_step(slopes, change, self.ridge, self.longest_step)
        return step, has_goal & (occupied.sum() > self.num_neighbours)

    def _empty_side(
        self, occupied: Bool[Array, " cells"], cells: Int[Array, " batch"], uniform: Array
    ) -> tuple[Int[Array, "batch descriptors"], Bool[Array, " batch"]]:
        """Draw a direction towards an empty neighbour, and say whether there is one."""
        offsets = neighbour_offsets(self.grid)
        beside = self.grid.coordinates(cells)[:, None] + offsets[None]
        inside = ((beside >= 0) & (beside < self.grid.bins)).all(-1)
        at = jnp.ravel_multi_index(tuple(jnp.moveaxis(beside, -1, 0)), self.grid.shape, mode="clip")
        empty = inside & ~occupied[at]
        rank = jnp.cumsum(empty, axis=1)
        wanted = jnp.ceil((1 - uniform) * rank[:, -1].astype(uniform.dtype))[:, None]
        side = jnp.argmax(rank.astype(uniform.dtype) >= wanted, axis=1)
        return offsets[side], empty.any(-1)
