"""The weak form and separable least squares, against dense matrices and closed forms."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.homeostasis.identifiability.moieties import conserved_moieties
from escapement_jax.homeostasis.rate_laws import MassAction, PowerLaw
from escapement_jax.homeostasis.regression.clustered_errors import clustered_covariance
from escapement_jax.homeostasis.regression.conservation_laws import homeostasis_from_moieties
from escapement_jax.homeostasis.regression.equations import normal_matrix
from escapement_jax.homeostasis.regression.frames import filled, smoothed
from escapement_jax.homeostasis.regression.frozen_reactions import (
    FrozenReactions,
    frozen_verdict,
    homeostasis_beside,
)
from escapement_jax.homeostasis.regression.initial_fit import balance_equations
from escapement_jax.homeostasis.regression.separable import fit_separable
from escapement_jax.homeostasis.regression.weak_form import weak_form
from escapement_jax.homeostasis.time_courses import TimeCourses
from tests.homeostasis.small_networks import TIMES, ring_courses, ring_model, ring_states

MODEL = ring_model()
ALL = np.arange(9)


def equations_of(courses, integrator="euler", intervals=1, stride=1):
    values = np.asarray(courses.concentrations)
    return balance_equations(courses, MODEL.network, ALL, values, integrator, intervals, stride)


EQUATIONS = equations_of(ring_courses())


@pytest.mark.parametrize(("integrator", "intervals"), [("euler", 7), ("runge-kutta", 24)])
def test_windows_average_and_differentiate(integrator, intervals):
    """Means of a constant are the constant; derivatives of lines are exact."""
    none = np.arange(len(TIMES))[None] == 0
    windows = weak_form(TIMES, none, integrator=integrator, intervals=intervals, stride=3)
    table = jnp.asarray(np.stack([np.ones_like(TIMES), 2.0 * TIMES], axis=1))
    np.testing.assert_allclose(windows.mean(table)[:, 0], 1.0, rtol=1e-12)
    slopes = windows.mean_derivative(table)
    np.testing.assert_allclose(slopes[:, 0], 0.0, atol=1e-10)
    np.testing.assert_allclose(slopes[:, 1], 2.0, rtol=1e-6)


def test_windows_cross_no_restart():
    restarts = np.zeros((1, len(TIMES)), bool)
    restarts[0, [0, 100]] = True
    windows = weak_form(TIMES, restarts, integrator="euler", intervals=10)
    starts = np.asarray(windows.starts)
    assert not ((starts < 100) & (starts + 10 >= 100)).any()
    with pytest.raises(ValueError, match="free of restarts"):
        weak_form(TIMES, np.ones((1, len(TIMES)), bool), integrator="euler", intervals=5)


def test_normal_matrix_equals_the_dense_product():
    fluxes = EQUATIONS.mean_unit_fluxes(MassAction())
    size = 9 + 12
    columns = [EQUATIONS.predict(unit, fluxes).ravel() for unit in jnp.eye(size)]
    dense = np.stack(columns, axis=1)
    found = np.asarray(normal_matrix(EQUATIONS, fluxes))
    np.testing.assert_allclose(found, dense.T @ dense, rtol=1e-10, atol=1e-10 * found.max())


def test_euler_data_are_fitted_exactly():
    fit = fit_separable(EQUATIONS, MassAction())
    np.testing.assert_allclose(fit.coefficients.rates, MODEL.rates, rtol=1e-9)
    np.testing.assert_allclose(fit.coefficients.slopes, MODEL.slopes, rtol=1e-8)
    np.testing.assert_allclose(fit.coefficients.offsets, MODEL.offsets, rtol=1e-8)
    assert fit.relative_residual < 1e-12


def test_an_unknown_exponent_is_found():
    fit = fit_separable(EQUATIONS, PowerLaw(jnp.asarray(0.4)))
    np.testing.assert_allclose(fit.law.parameters, 1.0, rtol=1e-8)
    np.testing.assert_allclose(fit.coefficients.slopes, MODEL.slopes, rtol=1e-6)


def test_smooth_data_need_wide_windows():
    courses = ring_courses("runge-kutta")
    fit = fit_separable(equations_of(courses, "runge-kutta", 40), MassAction())
    np.testing.assert_allclose(fit.coefficients.slopes, MODEL.slopes, rtol=1e-3)


def test_moieties_tell_slopes_without_any_rate_law():
    estimate = homeostasis_from_moieties(
        EQUATIONS, conserved_moieties(np.asarray(MODEL.network.stoichiometry))
    )
    np.testing.assert_allclose(estimate.slopes, MODEL.slopes, rtol=1e-6)
    np.testing.assert_allclose(estimate.total_offsets, [MODEL.offsets.sum()], rtol=1e-6)


def test_homeostasis_survives_frozen_rates_that_are_wrong():
    """Naive residuals are contaminated; the projection is exact, as rates enter linearly."""
    wrong = MODEL.rates * jnp.asarray(np.random.default_rng(3).uniform(0.7, 1.4, 9))
    estimate = homeostasis_beside(FrozenReactions(wrong, MODEL.unit_fluxes), EQUATIONS, ALL)
    np.testing.assert_allclose(estimate.coefficients.slopes, MODEL.slopes, rtol=1e-7)
    assert np.abs(np.asarray(estimate.naive_slopes / MODEL.slopes) - 1).max() > 0.5
    moieties = conserved_moieties(np.asarray(MODEL.network.stoichiometry))
    assert frozen_verdict(estimate, homeostasis_from_moieties(EQUATIONS, moieties)) == ""


def test_a_wrong_frozen_law_is_noticed():
    frozen = FrozenReactions(MODEL.rates, lambda c: jnp.log1p(MODEL.unit_fluxes(c)))
    estimate = homeostasis_beside(frozen, EQUATIONS, ALL)
    moieties = conserved_moieties(np.asarray(MODEL.network.stoichiometry))
    verdict = frozen_verdict(estimate, homeostasis_from_moieties(EQUATIONS, moieties))
    assert "their law is wrong" in verdict


def test_covariance_covers_the_errors_of_a_slightly_wrong_fit():
    """Noise of known size on the derivatives alone: a linear model with true standard errors."""
    random = np.random.default_rng(5)
    fluxes = EQUATIONS.mean_unit_fluxes(MassAction())
    truth = jnp.concatenate([MODEL.rates, MODEL.slopes, MODEL.offsets])
    clean = EQUATIONS.predict(truth, fluxes) / EQUATIONS.row_weights
    scores = []
    for _ in range(8):
        noise = 0.01 * random.standard_normal(clean.shape) / np.asarray(EQUATIONS.row_weights)
        noisy = eqx.tree_at(lambda e: e.derivatives, EQUATIONS, clean + noise)
        fit = fit_separable(noisy, MassAction())
        spread = np.sqrt(np.diag(clustered_covariance(fit, noisy)))
        scores.append((np.asarray(fit.coefficients.vector) - np.asarray(truth)) / spread)
    # 168 correlated scores; a variance outside these bounds has a chance below 1e-4.
    assert 0.5 < np.mean(np.square(scores)) < 1.5


def test_gaps_are_filled_and_parabolas_kept():
    values = ring_states().copy()
    values[0, 10:13, 2] = np.nan
    courses = TimeCourses.create(TIMES, values, MODEL.network)
    np.testing.assert_allclose(
        filled(courses)[0, 11, 2], (values[0, 9, 2] + values[0, 13, 2]) / 2, rtol=1e-12
    )
    uneven = np.cumsum(np.random.default_rng(1).uniform(0.5, 1.5, 30))
    parabola = (3.0 - uneven + 0.2 * uneven**2)[None, :, None]
    np.testing.assert_allclose(smoothed(parabola, uneven), parabola, rtol=1e-9)
