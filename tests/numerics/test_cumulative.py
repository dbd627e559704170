"""Exclusive sums against NumPy, and what they are written for: small tails."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.numerics.cumulative import sum_above, sum_below

SHAPES = [(1,), (7,), (3, 24), (2, 3, 5)]


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_are_those_of_numpy(shape):
    values = np.random.default_rng(0).normal(size=shape)
    inclusive = np.cumsum(values, -1)
    total = values.sum(-1, keepdims=True)
    np.testing.assert_allclose(sum_below(jnp.asarray(values)), inclusive - values, atol=1e-13)
    np.testing.assert_allclose(sum_above(jnp.asarray(values)), total - inclusive, atol=1e-13)


@pytest.mark.parametrize("shape", SHAPES)
def test_below_self_and_above_make_the_total(shape):
    values = jnp.asarray(np.random.default_rng(1).exponential(size=shape))
    whole = sum_below(values) + values + sum_above(values)
    total = jnp.broadcast_to(values.sum(-1, keepdims=True), shape)
    np.testing.assert_allclose(whole, total, rtol=1e-14)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_small_tails_are_not_lost(dtype):
    """A sum above made by subtraction from the total would be zero here."""
    values = jnp.asarray([1.0, 1e-12, 1e-20, 1e-30], dtype)
    above = sum_above(values)
    assert above.dtype == dtype
    np.testing.assert_allclose(above, [1e-12, 1e-20, 1e-30, 0.0], rtol=1e-6)
    np.testing.assert_allclose(sum_below(values[::-1]), above[::-1], rtol=1e-6)


def test_gradients_are_the_sums_the_other_way():
    values = jnp.asarray([0.3, -1.0, 2.0, 0.5])
    weights = jnp.asarray([1.0, 2.0, -3.0, 0.25])
    below = jax.grad(lambda x: (weights * sum_below(x)).sum())(values)
    above = jax.grad(lambda x: (weights * sum_above(x)).sum())(values)
    np.testing.assert_allclose(below, sum_above(weights), rtol=1e-14)
    np.testing.assert_allclose(above, sum_below(weights), rtol=1e-14)
