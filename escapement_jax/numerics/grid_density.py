"""Draws from one-dimensional densities on a grid, the griddy Gibbs of Ritter & Tanner (1992).

A density is tabulated on an interval, again on the part of it that holds the mass, and taken as
linear between the points. Several draws are tabulated in one call, each on a grid of its own.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from escapement_jax.array_types import PRNGKey
from escapement_jax.numerics.sampling import sample_index

Table = Float64[np.ndarray, "draws points"]
Curves = Callable[[Table], Table]
"""Log densities of several draws, up to a constant each, at points of their own."""

NEGLIGIBLE_NATS = 20.0
"""A density is left out where it is this much below its maximum: 2e-9 of it."""


def zoom_in(log_density: Curves, grid: Table, *, zooms: int) -> tuple[Table, Table]:
    """Tabulate log densities where their mass lies.

    Args:
        log_density: the densities.
        grid: equally spaced points of every draw, over the interval to be searched.
        zooms: how often the grid of each draw is laid anew over the cells that reach to within
            `NEGLIGIBLE_NATS` of its maximum.

    Returns:
        The last grids, and the log densities on them.

    Raises:
        ValueError: a density is nowhere a number.
    """
    values, points = log_density(grid), grid.shape[1]
    rows = np.arange(len(grid))
    for _ in range(zooms):
        heights = values.max(axis=1)
        if not np.isfinite(heights).all():
            draw = int(np.flatnonzero(~np.isfinite(heights))[0])
            raise ValueError(f"the log density of draw {draw} has the maximum {heights[draw]}")
        counts = values > heights[:, None] - NEGLIGIBLE_NATS
        first = np.maximum(counts.argmax(axis=1) - 1, 0)
        last = np.minimum(points - counts[:, ::-1].argmax(axis=1), points - 1)
        grid = np.linspace(grid[rows, first], grid[rows, last], points, axis=1)
        values = log_density(grid)
    return grid, values


def draw_from_curve(
    key: PRNGKey, grid: Float[Array, " points"], log_density: Float[Array, " points"]
) -> Float[Array, ""]:
    """Draw from the density that is linear between the points of a grid.

    A cell of width `w` with densities `p`, `q` at its ends has mass `w (p + q) / 2`, and the
    quantile `u` within it lies at the fraction `u (p + q) / (p + sqrt(p^2 + u (q^2 - p^2)))`.

    Args:
        key: random key.
        grid: increasing points.
        log_density: log density at the points, up to a constant.
    """
    key_cell, key_within = jax.random.split(key)
    density = jnp.exp(log_density - log_density.max())
    mass = jnp.diff(grid) * (density[1:] + density[:-1])
    cell = sample_index(jax.random.uniform(key_cell, (), grid.dtype), mass)
    uniform = jax.random.uniform(key_within, (), grid.dtype)
    left, right = density[cell], density[cell + 1]
    root = jnp.sqrt(jnp.maximum(left**2 + uniform * (right**2 - left**2), 0.0))
    tiny = float(jnp.finfo(grid.dtype).tiny)
    fraction = uniform * (left + right) / jnp.maximum(left + root, tiny)
    return grid[cell] + jnp.minimum(fraction, 1.0) * (grid[cell + 1] - grid[cell])
