"""Continuous times inside the levels of a time grid."""

import numpy as np


def times_within_levels(
    levels: np.ndarray, uniforms: np.ndarray, grid_edges: np.ndarray, grid_times: np.ndarray
) -> np.ndarray:
    """Place times inside their levels.

    A time is uniform in ``[edges[k], edges[k + 1])``; in the last, open-ended level it is
    ``edges[-1]`` plus an exponential time with mean ``times[-1] - edges[-1]``, so that the mean is
    the level's representative.

    Args:
        levels: Levels, any shape.
        uniforms: Uniform numbers in [0, 1), the same shape.
        grid_edges: Lower edges of the levels, generations.
        grid_times: Representative times of the levels, generations.

    Returns:
        Times in generations, the shape of ``levels``.
    """
    widths = np.append(np.diff(grid_edges), grid_times[-1] - grid_edges[-1])
    last = levels == len(grid_edges) - 1
    return grid_edges[levels] + widths[levels] * np.where(last, -np.log1p(-uniforms), uniforms)


def check_time_grid(grid_edges: np.ndarray, grid_times: np.ndarray) -> None:
    """Check that every representative time lies inside its level.

    Raises:
        ValueError: If the edges do not start at 0 and increase, or a representative time is not
            above its level's lower edge and below the next; names the level.
    """
    if grid_edges.shape != grid_times.shape or grid_edges[0] != 0:
        raise ValueError("a time grid needs one lower edge per time, the first of them 0")
    above = np.append(grid_edges[1:], np.inf)
    outside = ~((grid_edges < grid_times) & (grid_times < above))
    if outside.any():
        level = int(np.argmax(outside))
        raise ValueError(
            f"time {grid_times[level]} of level {level} is not inside "
            f"({grid_edges[level]}, {above[level]}); choose increasing edges around the times"
        )
