"""The area within reach of the points found: coverage of the plane of end points."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree


def disc_coverage(
    points: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    *,
    radius: float = 0.05,
    resolution: int = 400,
) -> float:
    """Return the covered share of the plane: the union of discs around the points found.

    Points are scaled to the unit square; the share is the area within `radius` of a point over
    ``(1 + 2 radius)^2``, as in the paper of Etcheverry et al. (2023); in more dimensions discs are
    balls. The area is counted on a lattice.

    Args:
        points: End points, [points dimensions].
        low: Lower ends of the extent.
        high: Upper ends of the extent.
        radius: Radius of a disc, in units of the extent.
        resolution: Lattice points per unit length.

    Returns:
        A share between 0 and 1.

    Raises:
        ValueError: The extent is empty.
    """
    bottom, top = np.asarray(low, float), np.asarray(high, float)
    if not (bottom < top).all():
        raise ValueError(f"the extent from {bottom} to {top} is empty; give low below high")
    scaled = (np.asarray(points, float) - bottom) / (top - bottom)
    scaled = scaled[np.isfinite(scaled).all(-1)]
    if not len(scaled):
        return 0.0
    number = round((1 + 2 * radius) * resolution)
    axis = -radius + (np.arange(number) + 0.5) * (1 + 2 * radius) / number
    lattice = np.stack(np.meshgrid(*[axis] * bottom.size, indexing="ij"), -1)
    distance, _ = cKDTree(scaled).query(
        lattice.reshape(-1, bottom.size), distance_upper_bound=radius
    )
    return float(np.mean(np.isfinite(distance)))
