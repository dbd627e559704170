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
    draw_cells,
    is_occupied,
    neighbour_offsets,
    no_occupants,
    num_empty_neighbours,
    settle,
)
from escapement_jax.curiosity.search.base import AbstractStrategy, Unit
from escapement_jax.curiosity.search.library import Library, Proposal
from escapement_jax.curiosity.search.local_inverse_model import ridge_slopes, smallest_step
from escapement_jax.curiosity.search.variation import gaussian_and_line
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
        choose, other, aim, spread, line = jax.random.split(key, 5)
        dtype = library.parameters.dtype
        occupied = is_occupied(memory.occupants)
        empty = num_empty_neighbours(memory.occupants, self.grid, dtype)
        worn = jnp.square(1 + memory.tries.astype(dtype))
        weights = jnp.where(occupied, (empty + STRAY_WEIGHT) / worn, 0)
        cells = draw_cells(weights, batch_size, key=choose)
        tries = memory.tries.at[cells].add(1)
        elites = self.box.to_unit(
            library.parameters.at[memory.occupants].get(mode="fill", fill_value=0.0)
        )
        partners = elites[draw_cells(occupied.astype(dtype), batch_size, key=other)]
        logs = np.log(self.scales)
        shape = (batch_size, 1)
        scale = jnp.exp(jax.random.uniform(spread, shape, dtype, logs[0], logs[1]))
        moved = gaussian_and_line(elites[cells], partners, scale, self.line_scale, key=line)
        num_aimed = round(self.aimed * batch_size)
        if num_aimed:
            steps, possible = self._aimed(library, memory, elites, cells[:num_aimed], key=aim)
            aimed = jnp.where(possible[:, None], steps, moved[:num_aimed])
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

    def _aimed(
        self,
        library: Library,
        memory: FrontierMemory,
        elites: Float[Array, "cells parameters"],
        cells: Int[Array, " batch"],
        *,
        key: PRNGKey,
    ) -> tuple[Unit, Bool[Array, " batch"]]:
        """Return aimed steps, and which are possible: a neighbour is empty, elites suffice."""
        side, far, noise = jax.random.split(key, 3)
        occupied = is_occupied(memory.occupants)
        direction, has_goal = self._empty_side(occupied, cells, key=side)
        dtype = elites.dtype
        reach = jax.random.uniform(far, (cells.shape[0], 1), dtype, 0.5, 1.5)
        change = direction.astype(dtype) * reach / self.grid.bins
        place = self.grid.to_unit(
            library.descriptors.at[memory.occupants].get(mode="fill", fill_value=0.0)
        )
        own = elites[cells]
        squares = jnp.square(own).sum(1)[:, None] + jnp.square(elites).sum(1)[None]
        squares = jnp.where(occupied[None], squares - 2 * own @ elites.T, FARTHEST)
        distance, near = lax.top_k(-squares, self.num_neighbours)
        distance = jnp.maximum(-distance, 0)
        typical = jnp.median(distance, axis=1, keepdims=True)
        weights = jnp.exp(-distance / (2 * typical + 1e-9))
        weights = jnp.where(distance < FARTHEST / 2, weights, 0)
        slopes = ridge_slopes(
            elites[near] - own[:, None], place[near] - place[cells][:, None], weights, self.ridge
        )
        step = smallest_step(slopes, change, self.ridge, self.longest_step)
        step = step + self.noise * jax.random.normal(noise, step.shape, dtype)
        return own + step, has_goal & (occupied.sum() > self.num_neighbours)

    def _empty_side(
        self, occupied: Bool[Array, " cells"], cells: Int[Array, " batch"], *, key: PRNGKey
    ) -> tuple[Int[Array, "batch descriptors"], Bool[Array, " batch"]]:
        """Draw a direction towards an empty neighbour, and say whether there is one."""
        offsets = neighbour_offsets(self.grid)
        beside = self.grid.coordinates(cells)[:, None] + offsets[None]
        inside = ((beside >= 0) & (beside < self.grid.bins)).all(-1)
        at = jnp.ravel_multi_index(tuple(jnp.moveaxis(beside, -1, 0)), self.grid.shape, mode="clip")
        empty = inside & ~occupied[at]
        side = jax.random.categorical(key, jnp.where(empty, 0.0, -FARTHEST))
        return offsets[side], empty.any(-1)
