"""Exclusive cumulative sums along the last axis.

They are written as products with a triangular matrix: for the few dozen entries that they are used
on, one small product costs less than the logarithmic cascade behind `jnp.cumsum`, and every partial
sum is a sum of its own terms alone, so that no small tail is lost by subtraction.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def sum_below(values: Float[Array, "*batch size"]) -> Float[Array, "*batch size"]:
    """Sum of the entries before each one, `y_k = sum_{m<k} x_m`."""
    size = values.shape[-1]
    before = jnp.triu(jnp.ones((size, size), values.dtype), 1)
    return jnp.matmul(values, before, precision=lax.Precision.HIGHEST)


def sum_above(values: Float[Array, "*batch size"]) -> Float[Array, "*batch size"]:
    """Sum of the entries after each one, `y_k = sum_{m>k} x_m`."""
    size = values.shape[-1]
    after = jnp.tril(jnp.ones((size, size), values.dtype), -1)
    return jnp.matmul(values, after, precision=lax.Precision.HIGHEST)
