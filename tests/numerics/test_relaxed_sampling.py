"""Relaxed draws: their limits, their laws, and what an annealed temperature costs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.numerics.relaxed_sampling import (
    annealed_temperature,
    gumbel_sigmoid,
    gumbel_softmax,
    perturbed_logits_given_draw,
    straight_through,
    straight_through_sigmoid,
)

LOGITS = jnp.log(jnp.array([0.1, 0.2, 0.7]))
NUM_DRAWS = 20_000


def many(draw, seed=0, count=NUM_DRAWS):
    return np.asarray(jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(seed), count)))


@pytest.mark.statistical
def test_straight_through_draws_have_the_categorical_law_at_every_temperature():
    for temperature in (0.1, 3.0):

        def draw(key, temperature=temperature):
            return straight_through(gumbel_softmax(LOGITS, jnp.asarray(temperature), key=key))

        draws = many(draw)
        np.testing.assert_allclose(draws.sum(axis=1), 1.0, rtol=1e-12)
        # Five standard deviations of a frequency.
        np.testing.assert_allclose(draws.mean(axis=0), np.exp(LOGITS), atol=5 * 0.5 / 141)


def test_soft_draws_tend_to_one_hot_and_to_uniform():
    key = jax.random.key(3)
    cold = gumbel_softmax(LOGITS, jnp.asarray(1e-4), key=key)
    hot = gumbel_softmax(LOGITS, jnp.asarray(1e6), key=key)
    np.testing.assert_allclose(cold, straight_through(cold), atol=1e-12)
    np.testing.assert_allclose(hot, 1 / 3, atol=1e-5)


def test_impossible_outcomes_are_never_drawn_and_leave_gradients_finite():
    logits = jnp.array([0.3, -jnp.inf, 0.1])
    value, gradient = jax.value_and_grad(
        lambda logits: gumbel_softmax(logits, jnp.asarray(0.5), key=jax.random.key(1))[0]
    )(logits)
    assert 0 < value < 1
    assert np.isfinite(gradient).all()
    assert gradient[1] == 0


@pytest.mark.statistical
def test_relaxed_bernoulli_draws_exceed_a_half_with_their_probability():
    logit = jnp.asarray(-0.8)
    for temperature in (0.2, 2.0):

        def draw(key, temperature=temperature):
            return straight_through_sigmoid(
                gumbel_sigmoid(logit, jnp.asarray(temperature), key=key)
            )

        assert abs(many(draw).mean() - jax.nn.sigmoid(logit)) < 5 * 0.5 / 141


def test_straight_through_keeps_the_soft_gradient():
    def soft(logits):
        return gumbel_softmax(logits, jnp.asarray(0.7), key=jax.random.key(5))

    weights = jnp.array([1.0, -2.0, 0.5])
    hard = jax.grad(lambda logits: straight_through(soft(logits)) @ weights)(LOGITS)
    np.testing.assert_allclose(hard, jax.grad(lambda logits: soft(logits) @ weights)(LOGITS))


@pytest.mark.statistical
def test_conditional_noise_keeps_the_draw_and_restores_the_joint_law():
    def draw(key):
        first, second = jax.random.split(key)
        drawn = jnp.argmax(LOGITS + jax.random.gumbel(first, (3,)))
        again = perturbed_logits_given_draw(LOGITS, drawn, key=second)
        return jnp.append(again, (drawn == jnp.argmax(again)).astype(float))

    draws = many(draw, seed=7)
    assert draws[:, 3].all()
    # Unconditionally each entry is a Gumbel variable with mean log p + 0.5772, variance pi^2 / 6.
    expected = np.asarray(LOGITS) + np.euler_gamma
    error = 5 * np.pi / np.sqrt(6 * NUM_DRAWS)
    np.testing.assert_allclose(draws[:, :3].mean(axis=0), expected, atol=error)
    np.testing.assert_allclose(draws[:, :3].std(axis=0), np.pi / np.sqrt(6), rtol=0.03)


@given(step=st.integers(0, 5_000))
def test_temperature_falls_exponentially_and_stays(step):
    temperature = annealed_temperature(jnp.asarray(step), 2_000)
    expected = max(0.1, 1.0 * 0.1 ** (step / 2_000))
    np.testing.assert_allclose(temperature, expected, rtol=1e-12)


def test_a_changing_temperature_compiles_once():
    traces = []

    @jax.jit
    def draw(step):
        traces.append(step)
        temperature = annealed_temperature(step, 10)
        return gumbel_softmax(LOGITS, temperature, key=jax.random.key(0))

    draws = [draw(jnp.asarray(step)) for step in range(5)]
    assert len(traces) == 1
    assert not np.allclose(draws[0], draws[4])
