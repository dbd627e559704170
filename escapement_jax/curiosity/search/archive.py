"""One rollout per cell of the space of behaviours: an index into the library."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from escapement_jax.curiosity.diversity.grid import DescriptorGrid
from escapement_jax.curiosity.experiment import Observations

EMPTY = 2**30
"""Occupant of an empty cell: larger than any row, so that the first occupant is the least."""

Occupants = Int[Array, " cells"]


def no_occupants(grid: DescriptorGrid) -> Occupants:
    """Return an archive whose cells are all empty."""
    return jnp.full(grid.num_cells, EMPTY, jnp.int32)


def settle(
    occupants: Occupants, grid: DescriptorGrid, seen: Observations, first_row: Int[Array, ""]
) -> Occupants:
    """Let newcomers settle in empty cells; the first occupant of a cell stays.

    Args:
        occupants: Row of the library in each cell.
        grid: The cells; behaviours outside their extent do not settle.
        seen: A batch of rollouts.
        first_row: Row of the library that the first of them gets.

    Returns:
        The archive with the batch; the order within a batch decides who was first.
    """
    rows = first_row + jnp.arange(seen.found.shape[0], dtype=jnp.int32)
    settles = seen.found & grid.contains(seen.descriptors)
    cell = jnp.where(settles, grid.cells(seen.descriptors), grid.num_cells)
    return occupants.at[cell].min(rows, mode="drop")


def settle_better(
    occupants: Occupants,
    grid: DescriptorGrid,
    seen: Observations,
    first_row: Int[Array, ""],
    quality: Float[Array, " rows"],
) -> Occupants:
    """Let newcomers settle in empty cells and replace occupants of lower quality.

    Args:
        occupants: Row of the library in each cell.
        grid: The cells; behaviours outside their extent do not settle.
        seen: A batch of rollouts.
        first_row: Row of the library that the first of them gets.
        quality: Quality of every row of the library.

    Returns:
        The archive with the batch; of equals, the one that came first stays.
    """
    rows = first_row + jnp.arange(seen.found.shape[0], dtype=jnp.int32)
    settles = seen.found & grid.contains(seen.descriptors)
    cell = jnp.where(settles, grid.cells(seen.descriptors), grid.num_cells)
    held = quality.at[occupants].get(mode="fill", fill_value=-1)
    best = held.at[cell].max(seen.quality, mode="drop")
    at = jnp.minimum(cell, grid.num_cells - 1)
    wins = settles & (seen.quality == best[at]) & (seen.quality > held[at])
    cell = jnp.where(wins, cell, grid.num_cells)
    newcomers = jnp.full_like(occupants, EMPTY).at[cell].min(rows, mode="drop")
    return jnp.where(newcomers < EMPTY, newcomers, occupants)


def is_occupied(occupants: Occupants) -> Bool[Array, " cells"]:
    """Return which cells have an occupant."""
    return occupants < EMPTY


def pick(
    weights: Float[Array, "kinds cells"], uniform: Float[Array, "kinds number"]
) -> Int[Array, "kinds number"]:
    """Turn uniform draws into cells, in proportion to weights that need not sum to one.

    Several kinds of weights at once cost one cumulative sum, and its compilation, less.
    """
    total = jnp.cumsum(weights, axis=1)
    level = total[:, -1:] * (1 - uniform)
    cells = jax.vmap(jnp.searchsorted)(total, level)
    return jnp.minimum(cells, weights.shape[1] - 1).astype(jnp.int32)


def neighbour_offsets(grid: DescriptorGrid) -> Int[Array, "neighbours descriptors"]:
    """Return the steps to the cells that share a face."""
    one = jnp.eye(len(grid.shape), dtype=jnp.int32)
    return jnp.concatenate([one, -one])


def num_empty_neighbours(
    occupants: Occupants, grid: DescriptorGrid, dtype: jnp.dtype
) -> Float[Array, " cells"]:
    """Return how many of the cells that share a face are empty (those outside do not count)."""
    empty = jnp.pad(~is_occupied(occupants).reshape(grid.shape), 1)
    inner = tuple(slice(1, -1) for _ in grid.shape)
    rolled = [
        jnp.roll(empty, step, axis)[inner].astype(dtype)
        for axis in range(len(grid.shape))
        for step in (-1, 1)
    ]
    return jnp.stack(rolled).sum(0).reshape(-1)
