"""Adaptive shrinkage: how large effects are, learned from all of them at once."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

SCALES = 32
ITERATIONS = 400
NULL_PSEUDO_COUNT = 9.0
"""A uniform Dirichlet prior, but ten for the spike: the choice of ashr, slightly conservative."""


class Shrunken(eqx.Module):
    """Posterior mean of each effect and the probability that it is not zero."""

    effect: Float[Array, " effects"]
    inclusion_probability: Float[Array, " effects"]


def adaptive_shrinkage(
    estimate: Float[Array, " effects"],
    stderr: Float[Array, " effects"],
    *,
    num_unseen_nulls: int = 0,
) -> Shrunken:
    """Shrink noisy estimates with a prior that they themselves determine.

    An effect is `beta ~ w_0 delta_0 + sum_k w_k N(0, tau_k^2)`, its estimate `N(beta, stderr^2)`.
    The weights are found by expectation maximisation on a geometric grid of `tau`; the spike at
    zero has a slight preference.

    Args:
        estimate: unbiased estimates.
        stderr: their standard errors.
        num_unseen_nulls: effects that were tested and are taken to be zero without being listed.

    Source: Stephens (2017), Biostatistics 18, "False discovery rates: a new deal".
    """
    smallest = jnp.min(stderr) / 4
    largest = jnp.maximum(2 * jnp.max(jnp.abs(estimate)), 8 * smallest)
    grid = jnp.geomspace(smallest, largest, SCALES, dtype=estimate.dtype)
    prior_variance = jnp.concatenate([jnp.zeros_like(grid, shape=(1,)), grid**2])
    variance = stderr[:, None] ** 2 + prior_variance[None]
    log_density = -0.5 * (jnp.log(variance) + estimate[:, None] ** 2 / variance)
    density = jnp.exp(log_density - jnp.max(log_density, axis=1, keepdims=True))
    null_count = NULL_PSEUDO_COUNT + num_unseen_nulls
    pseudo = jnp.zeros_like(prior_variance).at[0].set(null_count)
    start = jnp.full_like(prior_variance, 0.1 / SCALES).at[0].set(0.9)

    def improve(_: Array, weights: Float[Array, " scales"]) -> Float[Array, " scales"]:
        counts = jnp.sum(_responsibilities(density, weights), axis=0) + pseudo
        return counts / jnp.sum(counts)

    weights = jax.lax.fori_loop(0, ITERATIONS, improve, start)
    share = _responsibilities(density, weights)
    shrinkage = prior_variance[None] / variance
    return Shrunken(estimate * jnp.sum(share * shrinkage, axis=1), 1 - share[:, 0])


def _responsibilities(
    density: Float[Array, "effects scales"], weights: Float[Array, " scales"]
) -> Float[Array, "effects scales"]:
    joint = density * weights[None]
    return joint / jnp.sum(joint, axis=1, keepdims=True)
