"""Draws from unnormalised discrete distributions."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from escapement_jax.numerics.cumulative import sum_below


def sample_index(uniform: Float[Array, ""], weights: Float[Array, " outcomes"]) -> Int[Array, ""]:
    """Draw an index with probability proportional to its weight, by inverting the distribution.

    The smallest `k` with `sum_{m<=k} w_m > u sum_m w_m`. The uniform number is kept a few units of
    rounding below one, and outcomes of weight zero are never returned while any weight is positive.

    Args:
        uniform: a number in [0, 1).
        weights: non-negative weights.

    Returns:
        The index drawn (0 if all weights vanish).
    """
    cumulative = sum_below(weights) + weights
    almost_one = 1 - 4 * float(jnp.finfo(weights.dtype).eps)
    target = jnp.minimum(uniform, almost_one) * cumulative[-1]
    reached = (cumulative > target) & (weights > 0)
    return jnp.argmax(reached).astype(jnp.int32)
