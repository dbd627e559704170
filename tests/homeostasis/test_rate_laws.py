"""Rate laws: normalisation, power limits, smoothness and their vector of parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import BSpline

from escapement_jax.homeostasis.rate_laws import (
    MassAction,
    NeuralLaw,
    PowerLaw,
    Saturating,
    SplineLaw,
)

CONCENTRATIONS = jnp.asarray([1e-3, 0.02, 0.5, 1.0, 3.0, 40.0, 400.0])
LAWS = [
    MassAction(),
    PowerLaw(jnp.asarray(0.7)),
    Saturating(jnp.asarray(np.log(10.0))),
    SplineLaw.power(0.7, -5.0, 4.0, 6),
    NeuralLaw.power(0.7, -5.0, 4.0, 5, key=jax.random.key(0)),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: type(law).__name__)
def test_every_law_is_one_at_one(law):
    np.testing.assert_allclose(law.log_factor(jnp.asarray(1.0)), 0.0, atol=1e-14)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: type(law).__name__)
def test_parameters_make_the_law_again(law):
    again = law.with_parameters(law.parameters)
    np.testing.assert_array_equal(again.log_factor(CONCENTRATIONS), law.log_factor(CONCENTRATIONS))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: type(law).__name__)
def test_gradients_equal_finite_differences(law):
    point, nudge = jnp.asarray(2.0), 1e-6
    slope = jax.grad(law.log_factor_at)(point)
    rise = law.log_factor_at(point + nudge) - law.log_factor_at(point - nudge)
    np.testing.assert_allclose(slope, rise / (2 * nudge), rtol=1e-7)


def test_closed_forms():
    c = np.asarray(CONCENTRATIONS)
    np.testing.assert_allclose(LAWS[0].log_factor(CONCENTRATIONS), np.log(c), atol=1e-14)
    np.testing.assert_allclose(LAWS[1].log_factor(CONCENTRATIONS), 0.7 * np.log(c), atol=1e-14)
    saturating = np.log(c * 11 / (c + 10))
    np.testing.assert_allclose(LAWS[2].log_factor(CONCENTRATIONS), saturating, atol=1e-13)


def test_the_power_spline_is_a_power_inside_and_beyond():
    expected = 0.7 * np.log(CONCENTRATIONS)
    np.testing.assert_allclose(LAWS[3].log_factor(CONCENTRATIONS), expected, atol=1e-13)


def test_a_refined_spline_is_the_same_function():
    increments = jnp.asarray(np.random.default_rng(0).uniform(0.2, 2.0, 8))
    law = SplineLaw(increments, -5.0, 1.5)
    fine = law.refined()
    assert len(fine.increments) == 2 * 6 + 2
    points = jnp.asarray(np.exp(np.linspace(-8.0, 7.0, 31)))
    np.testing.assert_allclose(fine.log_factor(points), law.log_factor(points), atol=1e-12)


def test_the_spline_equals_scipys():
    law = SplineLaw(jnp.asarray([0.3, -0.2, 0.9, 0.1, 0.4, 0.7, 0.2, 0.5]), -5.0, 1.5)
    knots = -5.0 + 1.5 * np.arange(-3.0, 10.0)
    spline = BSpline(knots, np.r_[0.0, np.cumsum(law.increments)], 3)
    inside = np.linspace(-4.99, 3.99, 31)
    expected = spline(inside) - spline(0.0)
    np.testing.assert_allclose(law.log_factor(jnp.exp(inside)), expected, atol=1e-13)
