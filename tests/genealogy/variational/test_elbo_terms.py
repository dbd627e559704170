"""Terms of the bound against closed forms, quadrature and random draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy.demography.size_models import size_model
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.time_grid import TimeGrid
from escapement_jax.genealogy.variational.elbo_terms import (
    bernoulli_entropy,
    breakpoint_log_prior,
    categorical_entropy,
    coalescent_log_prior,
    lognormal_entropy,
    mutation_log_likelihood,
    sizes_of_model,
)

PIECES = PiecewiseConstant(jnp.array([0.0, 3e3, 2e4]), jnp.array([8e3, 2e3, 3e4]))


def spline_sizes():
    grid = TimeGrid.for_population_size(8, 1e4)
    model = size_model("spline", grid, 1e4)
    bent = jnp.asarray(model.mean) + 0.3 * jnp.sin(jnp.arange(model.mean.size))
    return sizes_of_model(model, bent, grid)


@pytest.mark.parametrize(
    "sizes", [PiecewiseConstant.constant(1e4), PIECES, spline_sizes()], ids=["const", "cut", "bent"]
)
def test_coalescent_prior_is_a_density_with_the_survival_of_its_hazard(sizes):
    for lineages in (1.0, 4.0):
        stops = np.unique(np.append(np.asarray(sizes.breakpoints), [5_000.0]))

        def density(time, lineages=lineages):
            return float(jnp.exp(coalescent_log_prior(jnp.asarray(time), sizes, lineages)))

        below = [stop for stop in stops if stop <= 5_000.0]
        reached = sum(
            scipy.integrate.quad(density, a, b)[0]
            for a, b in zip(below[:-1], below[1:], strict=True)
        )
        apart = np.exp(-lineages * sizes.coalescent_intensity(jnp.asarray(5_000.0)))
        np.testing.assert_allclose(reached, 1 - apart, rtol=1e-7)


def test_coalescent_prior_of_a_constant_size_is_exponential():
    times = jnp.array([10.0, 3e3, 1e5])
    log_density = coalescent_log_prior(times, PiecewiseConstant.constant(1e4), 3.0)
    expected = scipy.stats.expon.logpdf(times, scale=2e4 / 3)
    np.testing.assert_allclose(log_density, expected, rtol=1e-12)


def test_sizes_of_a_constant_model_are_constant():
    grid = TimeGrid.for_population_size(5, 1e4)
    model = size_model("constant", grid, 1e4)
    sizes = sizes_of_model(model, jnp.asarray(model.mean), grid)
    np.testing.assert_allclose(sizes.sizes, 1e4, rtol=1e-9)


@given(time=st.floats(10.0, 1e6), bases=st.integers(1, 4))
def test_mutation_likelihood_sums_to_one_over_all_data(time, bases):
    differences = jnp.arange(bases + 1.0)
    log_likelihood = mutation_log_likelihood(
        differences, jnp.full(bases + 1, float(bases)), jnp.full(bases + 1, time), jnp.asarray(1e-6)
    )
    ways = scipy.special.comb(bases, np.arange(bases + 1))
    np.testing.assert_allclose(ways @ np.exp(log_likelihood), 1.0, rtol=1e-12)


@given(time=st.floats(1.0, 1e6), distance=st.floats(1e-9, 1e-4))
def test_breakpoint_prior_is_a_bernoulli_law(time, distance):
    def log_prior(breaks):
        return breakpoint_log_prior(jnp.asarray(breaks), jnp.asarray(time), jnp.asarray(distance))

    np.testing.assert_allclose(np.exp(log_prior(0.0)) + np.exp(log_prior(1.0)), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.exp(log_prior(0.0)), np.exp(-2 * distance * time), rtol=1e-12)
    mean = 0.3 * log_prior(1.0) + 0.7 * log_prior(0.0)
    np.testing.assert_allclose(log_prior(0.3), mean, rtol=1e-12)


@given(mean=st.floats(-3.0, 12.0), log_deviation=st.floats(-3.0, 2.0))
def test_lognormal_entropy_is_that_of_scipy(mean, log_deviation):
    expected = scipy.stats.lognorm.entropy(np.exp(log_deviation), scale=np.exp(mean))
    entropy = lognormal_entropy(jnp.asarray(mean), jnp.asarray(log_deviation))
    np.testing.assert_allclose(entropy, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.statistical
def test_lognormal_entropy_is_the_mean_of_minus_log_density():
    mean, deviation = 2.0, 0.7
    draws = jnp.exp(mean + deviation * jax.random.normal(jax.random.key(0), (20_000,)))
    minus = -scipy.stats.lognorm.logpdf(draws, deviation, scale=np.exp(mean))
    entropy = lognormal_entropy(jnp.asarray(mean), jnp.log(jnp.asarray(deviation)))
    assert abs(minus.mean() - entropy) < 4.5 * minus.std() / np.sqrt(20_000)


@given(logit=st.floats(-40.0, 40.0))
def test_bernoulli_entropy_is_that_of_two_outcomes(logit):
    both = categorical_entropy(jnp.array([logit, 0.0]))
    np.testing.assert_allclose(bernoulli_entropy(jnp.asarray(logit)), both, rtol=1e-7, atol=1e-14)


def test_categorical_entropy_counts_possible_outcomes_only():
    logits = jnp.array([0.5, -jnp.inf, 0.5, 0.5])
    value, slope = jax.value_and_grad(categorical_entropy)(logits)
    np.testing.assert_allclose(value, np.log(3), rtol=1e-12)
    np.testing.assert_allclose(slope, 0.0, atol=1e-12)
    random = jax.random.normal(jax.random.key(1), (4, 5))
    expected = scipy.stats.entropy(jax.nn.softmax(random), axis=1)
    np.testing.assert_allclose(categorical_entropy(random), expected, rtol=1e-12)
