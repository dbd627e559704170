"""From estimates to p values, and from many p values to discoveries."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def two_sided_p_values(
    estimate: Float[Array, "*tests"], stderr: Float[Array, "*tests"]
) -> Float[Array, "*tests"]:
    """Return `2 Phi(-|estimate / stderr|)`.

    Args:
        estimate: estimates, normal around the truth.
        stderr: their standard errors.
    """
    return 2 * jax.scipy.stats.norm.sf(jnp.abs(estimate / stderr))


def benjamini_hochberg(p_values: Float[Array, " tests"], num_tests: int) -> Float[Array, " tests"]:
    """Return q values: the least false-discovery rate at which each test is a discovery.

        q_(i) = min_{k >= i} p_(k) num_tests / k

    Args:
        p_values: the smallest p values, in any order.
        num_tests: how many tests were made; those not given had larger p values.

    Source: Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57.
    """
    order = jnp.argsort(p_values)
    rank = jnp.arange(1, p_values.shape[0] + 1, dtype=p_values.dtype)
    scaled = jnp.minimum(p_values[order] * float(num_tests) / rank, 1.0)
    sorted_q = jax.lax.cummin(scaled, reverse=True)
    return jnp.zeros_like(p_values).at[order].set(sorted_q)
