"""Gradients of expectations over a few categorical variables, by visiting every outcome."""

import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array


def every_draw(variables: int, outcomes: int) -> Array:
    """All one-hot draws [draws, variables, outcomes]."""
    indices = jnp.array(list(itertools.product(range(outcomes), repeat=variables)))
    return jax.nn.one_hot(indices, outcomes, dtype=float)


def log_probability(draw: Array, logits: Array) -> Array:
    return jnp.sum(draw * jax.nn.log_softmax(logits))


def exact_expectation(value: Callable, logits: Array) -> Array:
    """`E_q[f(z, logits)]`."""
    draws = every_draw(*logits.shape)

    def term(draw: Array) -> Array:
        return jnp.exp(log_probability(draw, logits)) * value(draw, logits)

    return jnp.sum(jax.vmap(term)(draws))


def exact_bound_of_pairs(log_joint: Callable, logits: Array) -> Array:
    """`E[log (w_1 + w_2) / 2]` over two independent draws, `w = p / q`."""
    draws = every_draw(*logits.shape)
    log_q = jax.vmap(lambda draw: log_probability(draw, logits))(draws)
    log_w = jax.vmap(log_joint)(draws) - log_q
    pairs = jnp.logaddexp(log_w[:, None], log_w[None, :]) - jnp.log(2.0)
    return jnp.sum(jnp.exp(log_q[:, None] + log_q[None, :]) * pairs)
