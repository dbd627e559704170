"""Multiple shooting: segments, exact sensitivities, noise, and a fit to noisy data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from escapement_jax.homeostasis.rate_laws import PowerLaw
from escapement_jax.homeostasis.shooting.dynamics import Dynamics
from escapement_jax.homeostasis.shooting.noise_model import (
    NoiseModel,
    estimate_noise,
    pseudo_measurements,
)
from escapement_jax.homeostasis.shooting.segments import cut
from escapement_jax.homeostasis.stepping import rollout
from tests.homeostasis.small_networks import TIMES, ring_courses, ring_model, ring_states

MODEL = ring_model()
HORIZON = 16


def test_segments_hold_every_frame_once():
    restarts = np.zeros((2, len(TIMES)), bool)
    restarts[1, 50] = True
    courses = ring_courses(restarts=restarts)
    segments = cut(courses, HORIZON, np.arange(9))
    real = np.asarray(segments.mask[:, :, 0], bool)
    frames = np.sort(np.asarray(segments.frames)[real])
    lonely = {len(TIMES) - 1} if len(TIMES) % HORIZON == 1 else set()
    assert len(set(frames)) == len(frames)
    assert len(frames) >= 2 * len(TIMES) - 4 * max(len(lonely), 1)
    starts = np.asarray(segments.frames)[:, 0]
    assert len(TIMES) + 50 in starts
    flat = ring_states().reshape(-1, 6)
    np.testing.assert_array_equal(
        np.asarray(segments.measured)[real], flat[np.asarray(segments.frames)[real]]
    )


@pytest.mark.parametrize("integrator", ["euler", "runge-kutta"])
def test_information_is_that_of_the_exact_jacobian(integrator):
    dynamics = Dynamics(
        MODEL.network.stoichiometry,
        MODEL.network.substrate_orders,
        PowerLaw(jnp.asarray(0.9)),
        integrator,
        1,
    )
    parameters = jnp.concatenate([MODEL.rates, MODEL.slopes, MODEL.offsets, jnp.asarray([0.9])])
    activity = jnp.ones(9).at[2].set(0.5)
    initial = jnp.asarray(ring_states()[0, 0])
    intervals = jnp.asarray(np.linspace(0.05, 0.15, HORIZON))
    weights = jnp.asarray(np.random.default_rng(0).uniform(0.0, 2.0, (HORIZON, 6)))
    states = lambda p, c: dynamics.states(p, activity, c, intervals)  # noqa: E731
    by_parameters, by_initial = jax.jacfwd(states, argnums=(0, 1))(parameters, initial)
    whole = np.concatenate([by_parameters, by_initial], axis=2)
    expected = np.einsum("tip,ti,tiq->pq", whole, weights, whole)
    found = dynamics.information(parameters, activity, initial, intervals, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_solutions_and_sensitivities_stop_at_zero():
    dynamics = Dynamics(
        MODEL.network.stoichiometry, MODEL.network.substrate_orders, MODEL.law, "euler", 1
    )
    parameters = jnp.concatenate([MODEL.rates, MODEL.slopes, MODEL.offsets])
    initial, intervals = jnp.asarray(8 * ring_states()[0, 0]), jnp.full(HORIZON, 0.3)
    states = lambda p, c: dynamics.states(p, jnp.ones(9), c, intervals)  # noqa: E731
    found = states(parameters, initial)
    assert (found == 0.0).sum() > 1
    times = jnp.asarray(np.arange(HORIZON) * 0.3)
    np.testing.assert_allclose(
        found, rollout(MODEL, initial, times, method="euler"), rtol=1e-9, atol=1e-12
    )
    by_parameters, by_initial = jax.jacfwd(states, argnums=(0, 1))(parameters, initial)
    whole = np.concatenate([by_parameters, by_initial], axis=2)
    expected = np.einsum("tip,tiq->pq", whole, whole)
    weights = jnp.ones((HORIZON, 6))
    found = dynamics.information(parameters, jnp.ones(9), initial, intervals, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_noise_is_estimated():
    random = np.random.default_rng(2)
    truth = random.lognormal(0.0, 1.0, 20_000)
    measured = truth + (0.05 * truth + 0.01) * random.standard_normal(20_000)
    noise = estimate_noise(measured, truth)
    # Standard errors are below 2 % here.
    np.testing.assert_allclose([noise.relative, noise.absolute], [0.05, 0.01], rtol=0.1)
    measured[::1000] += 30.0
    noise = estimate_noise(measured, truth)
    np.testing.assert_allclose([noise.relative, noise.absolute], [0.05, 0.01], rtol=0.1)


def test_censored_values_have_the_score_of_the_normal_tail():
    noise = NoiseModel(0.1, 0.2)
    at, nudge = 0.3, 1e-5
    zero, one = jnp.zeros(1), jnp.ones(1)
    value, weight = pseudo_measurements(zero, one, jnp.asarray([at]), noise, None)
    deviation = 0.1 * at + 0.2
    tail = lambda c: stats.norm.logcdf(-c / deviation)  # noqa: E731
    score = (tail(at + nudge) - tail(at - nudge)) / (2 * nudge)
    curvature = (tail(at + nudge) - 2 * tail(at) + tail(at - nudge)) / nudge**2
    np.testing.assert_allclose(weight * (value - at), score, rtol=1e-7)
    np.testing.assert_allclose(weight, -curvature, rtol=1e-3)


def test_outliers_weigh_less_and_gaps_nothing():
    noise = NoiseModel(0.0, 0.1)
    measured, mask = jnp.asarray([1.1, 3.0, 9.0]), jnp.asarray([1.0, 1.0, 0.0])
    value, weight = pseudo_measurements(measured, mask, jnp.ones(3), noise, 5.0)
    np.testing.assert_array_equal(value, measured)
    np.testing.assert_allclose(weight, [100.0, 100 * 6 / 405, 0.0], rtol=1e-12)
