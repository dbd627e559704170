"""Estimators of gradients against the exact gradient over every outcome."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.numerics.score_estimators import (
    Baseline,
    relax_gradient,
    relax_variance_gradient,
    score_function_surrogate,
    vimco_surrogate,
)
from tests.reference.enumerated_gradients import (
    exact_bound_of_pairs,
    exact_expectation,
    log_probability,
)

LOGITS = jnp.array([[0.2, -0.5, 0.1], [0.0, 0.6, -0.4]])
TABLE = jnp.array([[1.0, -2.0, 0.5], [0.3, -1.0, 0.7], [-0.4, 0.2, 0.9]])
NUM_DRAWS = 20_000


def log_joint(draw):
    """Any function of a draw that is defined inside the simplex too."""
    return draw[0] @ TABLE @ draw[1] - 5.0


def log_weight(draw, logits):
    return log_joint(draw) - log_probability(draw, logits)


def drawn(key):
    noise = jax.random.gumbel(key, LOGITS.shape)
    return jax.nn.one_hot(jnp.argmax(LOGITS + noise, axis=-1), 3, dtype=float)


def check(estimate, exact, seed):
    keys = jax.random.split(jax.random.key(seed), NUM_DRAWS)
    draws = np.asarray(jax.jit(jax.vmap(estimate))(keys))
    standard_error = draws.std(axis=0) / np.sqrt(NUM_DRAWS)
    # Six entries: 4.5 standard errors are passed by chance once in 25,000 runs.
    assert (np.abs(draws.mean(axis=0) - exact) < 4.5 * standard_error + 1e-12).all()
    return draws.var(axis=0).sum()


@pytest.mark.statistical
def test_score_function_is_unbiased_and_a_baseline_lowers_its_variance():
    exact = jax.grad(lambda logits: exact_expectation(log_weight, logits))(LOGITS)

    def estimate(key, baseline):
        draw = drawn(key)
        return jax.grad(
            lambda logits: score_function_surrogate(
                log_weight(draw, logits), log_probability(draw, logits), jnp.asarray(baseline)
            )
        )(LOGITS)

    mean = float(exact_expectation(log_weight, LOGITS))
    without = check(lambda key: estimate(key, 0.0), exact, 0)
    beside = check(lambda key: estimate(key, mean), exact, 1)
    assert beside < 0.8 * without


@pytest.mark.statistical
def test_vimco_is_unbiased_for_the_bound_of_several_draws():
    exact = jax.grad(lambda logits: exact_bound_of_pairs(log_joint, logits))(LOGITS)

    def estimate(key):
        draws = jax.vmap(drawn)(jax.random.split(key))

        def surrogate(logits):
            log_q = jax.vmap(lambda draw: log_probability(draw, logits))(draws)
            return vimco_surrogate(jax.vmap(log_joint)(draws) - log_q, log_q)

        return jax.grad(surrogate)(LOGITS)

    check(estimate, exact, 2)
    with pytest.raises(ValueError, match="2 or more, not 1"):
        vimco_surrogate(jnp.zeros(1), jnp.zeros(1))


def control(scale, perturbed):
    return scale * log_joint(jax.nn.softmax(perturbed / 0.5))


@pytest.mark.statistical
def test_relax_is_unbiased_for_any_control_and_better_with_a_good_one():
    exact = jax.grad(lambda logits: exact_expectation(log_weight, logits))(LOGITS)

    def estimate(key, scale):
        return relax_gradient(log_weight, control, jnp.asarray(scale), LOGITS, key=key)

    without = check(lambda key: estimate(key, 0.0), exact, 3)
    beside = check(lambda key: estimate(key, 1.0), exact, 4)
    assert beside < 0.8 * without


def test_gradient_of_the_variance_is_that_of_the_squared_estimate():
    key, scale, step = jax.random.key(5), jnp.asarray(0.7), 1e-5

    def squared(scale):
        return jnp.sum(relax_gradient(log_weight, control, scale, LOGITS, key=key) ** 2)

    slope = relax_variance_gradient(log_weight, control, scale, LOGITS, key=key)
    expected = (squared(scale + step) - squared(scale - step)) / (2 * step)
    np.testing.assert_allclose(slope, expected, rtol=1e-6)


def test_baseline_learns_the_mean_and_nothing_else_moves():
    baseline = Baseline(2, 4, key=jax.random.key(0))
    summary, values = jnp.array([0.5, -1.0]), jnp.array([3.0, 5.0])
    step = jax.jit(jax.grad(lambda baseline: baseline.squared_error(summary, values)))
    for _ in range(200):
        baseline = jax.tree.map(lambda a, b: a - 0.1 * b, baseline, step(baseline))
    np.testing.assert_allclose(baseline(summary), 4.0, rtol=1e-3)
    touched = jax.grad(lambda values: baseline.squared_error(summary, values))(values)
    assert not touched.any()
