"""Scaled messages and chunked scans against their plain counterparts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from escapement_jax.numerics.hidden_markov import (
    checkpointed_scan,
    forward_backward_scan,
    normalise,
)

LENGTHS = [1, 7, 16]


def step(carry, item):
    carry = jnp.sin(carry) * item + 0.5
    return carry, carry**2


def test_normalise_keeps_the_scale():
    message = jnp.arange(1.0, 13.0).reshape(2, 2, 3)
    scaled, log_total = normalise(message)
    np.testing.assert_allclose(scaled.sum(axis=(1, 2)), 1.0, rtol=1e-15)
    np.testing.assert_allclose(scaled * jnp.exp(log_total)[:, None, None], message, rtol=1e-14)


@pytest.mark.parametrize("length", LENGTHS)
def test_checkpointed_scan_equals_a_plain_scan(length):
    items = jnp.linspace(0.3, 1.7, length)
    start = jnp.array([0.1, -0.4])
    for ours, plain in zip(
        checkpointed_scan(step, start, items), lax.scan(step, start, items), strict=True
    ):
        np.testing.assert_allclose(ours, plain, rtol=1e-14)


def test_checkpointed_scan_has_the_gradient_of_a_plain_scan():
    def total(scan, items):
        carry, outputs = scan(step, jnp.array([0.1, -0.4]), items)
        return carry.sum() + outputs.sum()

    items = jnp.linspace(0.3, 1.7, 7)
    ours, plain = (
        jax.grad(total, argnums=1)(scan, items) for scan in (checkpointed_scan, lax.scan)
    )
    np.testing.assert_allclose(ours, plain, rtol=1e-13)


@pytest.mark.parametrize("length", LENGTHS)
def test_forward_backward_scan_equals_two_loops(length):
    items = jnp.linspace(0.3, 1.7, length)

    def visit(message, carry, item):
        return message * jnp.cos(carry) + item, message - carry

    outputs = forward_backward_scan(step, jnp.array(0.2), visit, jnp.array(1.5), items)

    carries, carry = [], 0.2
    for item in items:
        carry = np.sin(carry) * item + 0.5
        carries.append(carry)
    message, expected = 1.5, []
    for item, carry in zip(items[::-1], carries[::-1], strict=True):
        expected.append(message - carry)
        message = message * np.cos(carry) + item
    np.testing.assert_allclose(outputs, expected[::-1], rtol=1e-12)
