"""Filled bins and quality-diversity score, at the end and over the rollouts."""

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from escapement_jax.curiosity.behaviour.feasibility import feasible_cells
from escapement_jax.curiosity.diversity.grid import DescriptorGrid

PUBLISHED_EXTENT = DescriptorGrid((0.0, 0.0, 0.0), (0.8298316, 0.98793799, 1.16), 20)
"""Extent of the published figure: (offset, amplitude, frequency) of both published runs."""


def filled_bins(descriptors: ArrayLike, found: ArrayLike, grid: DescriptorGrid) -> int:
    """Return the number of cells that hold a behaviour that was found.

    Args:
        descriptors: Coordinates of every rollout, [rollouts descriptors].
        found: Which rollouts count.
        grid: The cells; what lies outside their extent counts for the nearest.

    Returns:
        Number of cells, the size of the union.
    """
    return int(np.unique(_cells(descriptors, found, grid)).size)


def filled_curve(descriptors: ArrayLike, found: ArrayLike, grid: DescriptorGrid) -> np.ndarray:
    """Return the number of filled cells after every rollout."""
    counted = np.asarray(found, bool)
    _, first = np.unique(_cells(descriptors, counted, grid), return_index=True)
    new = np.zeros(counted.size, int)
    new[np.flatnonzero(counted)[first]] = 1
    return np.cumsum(new)


def quality_diversity(
    descriptors: ArrayLike, found: ArrayLike, quality: ArrayLike, grid: DescriptorGrid
) -> float:
    """Return the quality-diversity score: the best quality of every filled cell, summed.

    Source: Pugh, Soros and Stanley (2016), Quality diversity.
    """
    counted = np.asarray(found, bool)
    best = np.zeros(grid.num_cells)
    np.maximum.at(best, _cells(descriptors, counted, grid), np.asarray(quality, float)[counted])
    return float(best.sum())


def data_extent(*runs: tuple[ArrayLike, ArrayLike], bins: int = 20) -> DescriptorGrid:
    """Return the grid that spans the behaviours found in all runs and zero, as published.

    Such a grid depends on outliers and on the runs it is compared with; prefer a fixed extent.

    Args:
        *runs: Descriptors and found flags of each run.
        bins: Cells per axis.

    Returns:
        The grid.

    Raises:
        ValueError: Nothing was found, so there is no extent.
    """
    points = np.concatenate([np.asarray(d)[np.asarray(f, bool)] for d, f in runs])
    if not points.size:
        raise ValueError("nothing was found, so the data have no extent; give a fixed one")
    points = np.concatenate([points, np.zeros((1, points.shape[1]))])
    return DescriptorGrid(tuple(points.min(0).tolist()), tuple(points.max(0).tolist()), bins)


def percent_of_feasible(
    descriptors: ArrayLike, found: ArrayLike, grid: DescriptorGrid, *, decay: float = 1.0
) -> float:
    """Return the filled cells as a percentage of those that any circuit could fill.

    Only for the descriptors (offset, amplitude, frequency); see `feasible_cells`.
    """
    points = np.asarray(descriptors)
    inside = np.asarray(found, bool) & np.asarray(grid.contains(jnp.asarray(points)))
    possible = feasible_cells(grid.low, grid.high, grid.bins, decay=decay)
    return 100 * filled_bins(points, inside, grid) / int(possible.sum())


def _cells(descriptors: ArrayLike, found: ArrayLike, grid: DescriptorGrid) -> np.ndarray:
    points = np.asarray(descriptors, float)[np.asarray(found, bool)]
    return np.asarray(grid.cells(jnp.asarray(points)))
