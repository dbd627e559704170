"""Monotone rational-quadratic interpolation."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def rational_quadratic(
    points: Float[Array, " points"],
    knots: Float[Array, " knots"],
    heights: Float[Array, " knots"],
    slopes: Float[Array, " knots"],
) -> Float[Array, " points"]:
    """Interpolate heights and slopes at knots; increasing between them if both are.

    Between two knots, with `x` the share of the way, `m` the secant slope and `d0`, `d1` the
    slopes at the ends,

        y = y0 + (y1 - y0) (m x^2 + d0 x (1 - x)) / (m + (d0 + d1 - 2 m) x (1 - x)),

    and beyond the first and last knot a straight line.

    Args:
        points: where to interpolate.
        knots: increasing.
        heights: values at the knots, increasing.
        slopes: derivatives at the knots, positive.

    Source:
        Gregory & Delbourgo (1982), IMA Journal of Numerical Analysis 2, 123-130.
    """
    left = jnp.clip(jnp.searchsorted(knots, points, side="right") - 1, 0, knots.shape[0] - 2)
    width, rise = knots[left + 1] - knots[left], heights[left + 1] - heights[left]
    share = jnp.clip((points - knots[left]) / width, 0.0, 1.0)
    secant, start, end = rise / width, slopes[left], slopes[left + 1]
    between = share * (1 - share)
    curve = (secant * share**2 + start * between) / (secant + (start + end - 2 * secant) * between)
    before = jnp.minimum(points - knots[0], 0.0) * slopes[0]
    after = jnp.maximum(points - knots[-1], 0.0) * slopes[-1]
    return heights[left] + rise * curve + before + after
