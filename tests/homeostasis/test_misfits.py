"""What noise does not explain: stretches to leave out, and steps that were stopped at 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from escapement_jax.config.homeostasis import RecoverConfig
from escapement_jax.homeostasis.recover import recover
from escapement_jax.homeostasis.recovery import Recovery
from escapement_jax.homeostasis.regression.equations import Coefficients
from escapement_jax.homeostasis.shooting.concerns import shooting_concerns
from escapement_jax.homeostasis.shooting.dynamics import Dynamics
from escapement_jax.homeostasis.shooting.fit import ShootingFit
from escapement_jax.homeostasis.shooting.gauss_newton import Shot, fit_segments
from escapement_jax.homeostasis.shooting.misfits import (
    FALSE_ALARMS,
    Misfit,
    find_misfits,
    improbable,
    leave_out,
    worst_segments,
)
from escapement_jax.homeostasis.shooting.noise_model import NoiseModel
from escapement_jax.homeostasis.shooting.segments import cut
from escapement_jax.homeostasis.stepping import rollout
from escapement_jax.homeostasis.time_courses import TimeCourses
from tests.homeostasis.small_networks import (
    TIMES,
    ring_courses,
    ring_model,
    ring_network,
    ring_states,
)

MODEL = ring_model()
CONFIG = RecoverConfig(integrator="euler", horizons=(16,), most_types=3, allow_negative=True)


def with_noise(states: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(7)
    return states + (0.01 * states + 0.001) * random.standard_normal(states.shape)


def assert_right(recovery: Recovery) -> None:
    scores = np.concatenate(
        [
            (recovery.slopes - np.asarray(MODEL.slopes)) / recovery.slope_stderr,
            (recovery.offsets - np.asarray(MODEL.offsets)) / recovery.offset_stderr,
            (recovery.rates - np.asarray(MODEL.rates)) / recovery.rates_stderr,
        ]
    )
    # 21 correlated normal scores: the largest exceeds 4 with a chance below 2e-3.
    assert np.abs(scores).max() < 4
    assert 0.9 < recovery.chi_square < 1.1
    np.testing.assert_allclose(recovery.noise_relative, 0.01, rtol=0.1)
    np.testing.assert_allclose(recovery.noise_absolute, 0.001, rtol=0.2)


@pytest.mark.slow
def test_a_disturbance_and_a_wrong_value_are_left_out_and_told():
    states = ring_states().copy()
    fed = states[1, 150] + np.array([0.0, 0.0, 3.0, 0.0, 0.0, 0.0])
    later = rollout(MODEL, jnp.asarray(fed), jnp.asarray(TIMES[150:]), method="euler")
    states[1, 150:] = later
    measured = with_noise(states)
    measured[0, 200, 4] *= 3
    courses = TimeCourses.create(TIMES, measured, ring_network(), allow_negative=True)
    recovery = recover(courses, ring_network(), CONFIG, key=jax.random.key(1))
    assert_right(recovery)
    assert len(recovery.warnings) == 2
    assert "trajectory 0, times 19.2 to 20.7, was left out" in recovery.warnings[0]
    assert "metabolite m4" in recovery.warnings[0]
    assert "trajectory 1, times 14.4 to 15.9, was left out" in recovery.warnings[1]
    assert "metabolite m2" in recovery.warnings[1]


def test_steps_stopped_at_zero_are_part_of_the_model():
    times, network = TIMES * 3, ring_network()
    starts = 6.5 * ring_states()[:, 0]
    states = np.stack(
        [rollout(MODEL, jnp.asarray(c), jnp.asarray(times), method="euler") for c in starts]
    )
    assert (states == 0.0).sum() >= 4
    courses = TimeCourses.create(times, with_noise(states), network, allow_negative=True)
    segments = cut(courses, 16, np.arange(9))
    truth = jnp.asarray(states.reshape(-1, 6))[segments.frames]
    parameters = jnp.concatenate([MODEL.rates, MODEL.slopes, MODEL.offsets])
    weights = segments.mask / (0.01 * truth + 0.001) ** 2
    small = jnp.full(21, 1e-12)
    shot = Shot(segments, segments.measured, weights, jnp.full(6, 1e-6), small, parameters)
    orders = network.substrate_orders
    dynamics = Dynamics(network.stoichiometry, orders, MODEL.law, "euler", 1)
    found, _, cost = fit_segments(dynamics, 1.01 * parameters, truth[:, 0], shot)
    # Degrees of freedom: all measurements but the start of each segment and 21 parameters.
    freedom = 2 * len(TIMES) * 6 - 2 * 6 - 40 * 6 - 21
    assert abs(cost - freedom) < 4 * np.sqrt(2 * freedom)
    np.testing.assert_allclose(found[:9], MODEL.rates, rtol=1e-2)


def test_the_user_is_told_where_steps_were_stopped_and_what_was_left_out():
    misfits = tuple(Misfit(0, 16 * n, 16 * n + 15, 2, 9.0, 16 * (n == 1)) for n in range(5))
    fit = ShootingFit(
        law=MODEL.law,
        coefficients=Coefficients(MODEL.rates, MODEL.slopes, MODEL.offsets),
        information=jnp.eye(21),
        fitted=ring_states(),
        noise=NoiseModel(0.01, 0.001),
        chi_square=1.0,
        codes=np.zeros(2, int),
        misfits=misfits,
        stops=np.array([[1, 30, 4], [1, 40, 5]]),
    )
    told = shooting_concerns(fit, ring_courses(), ring_network())
    assert len(told) == 5
    assert told[0].startswith("trajectory 0, times 0 to 1.5, was left out: residuals are 9 times")
    assert "times 1.6 to 3.1, was fitted in pieces of 16 frames" in told[1]
    assert told[3] == "2 more stretches, 32 frames, were treated likewise"
    assert "metabolite m4 of trajectory 1 at time 3; metabolite m5" in told[4]


@pytest.mark.parametrize("freedom", [30.0, 80.0, 1500.0])
def test_clean_data_are_left_out_as_rarely_as_stated(freedom):
    segments = 180
    distribution = stats.chi2(freedom)
    reduced = np.full(segments, distribution.median() / freedom)
    free, usable = np.full(segments, freedom), np.ones(segments, bool)
    rate = FALSE_ALARMS / segments
    reduced[0] = distribution.isf(rate / 1.3) / freedom
    assert np.flatnonzero(improbable(reduced, free, usable)).tolist() == [0]
    reduced[0] = distribution.isf(rate * 1.3) / freedom
    assert not improbable(reduced, free, usable).any()


def test_where_many_segments_are_spoilt_none_is_left_out():
    segments = cut(ring_courses(), 16, np.arange(9))
    squares = stats.chi2(15).rvs((40, 6), random_state=np.random.default_rng(5))
    assert find_misfits(segments, squares, len(TIMES)) == ()
    squares[3] *= 3
    (misfit,) = find_misfits(segments, squares, len(TIMES))
    assert (misfit.trajectory, misfit.first, misfit.last) == (0, 48, 63)
    squares[10:20] *= 3
    assert find_misfits(segments, squares, len(TIMES)) == ()


@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_misfits_do_not_depend_on_the_size_of_the_noise(scale):
    squares = stats.chi2(90).rvs(40, random_state=np.random.default_rng(6)) / 90
    squares[7] = 2.0
    free, usable = np.full(40, 90.0), np.ones(40, bool)
    assert np.flatnonzero(improbable(scale * squares, free, usable)).tolist() == [7]


def test_what_is_left_out_is_missing_and_links_nothing():
    courses = ring_courses()
    segments = cut(courses, 16, np.arange(9))
    squares = np.full((40, 6), 15.0)
    squares[23] *= 9
    (misfit,) = found = find_misfits(segments, squares, len(TIMES))
    rest = leave_out(courses, found)
    gone = np.isnan(np.asarray(rest.concentrations)).any(2)
    assert np.argwhere(gone).tolist() == [[1, frame] for frame in range(48, 64)]
    assert (misfit.first, misfit.last) == (48, 63)
    assert np.argwhere(np.asarray(rest.restarts)).tolist() == [[0, 0], [1, 0], [1, 48], [1, 64]]


def test_stretches_are_cut_into_pieces_where_shorter_ones_were_fitted():
    courses = ring_courses()
    rest = leave_out(courses, [Misfit(1, 96, 191, 2, 9.0, pieces=32)])
    assert rest.complete
    places = np.argwhere(np.asarray(rest.restarts)).tolist()
    assert places == [[0, 0], [1, 0], [1, 96], [1, 128], [1, 160], [1, 192]]


def test_the_worst_segments_are_one_in_twenty():
    segments = cut(ring_courses(), 16, np.arange(9))
    squares = np.full((40, 6), 15.0)
    squares[[5, 30]] = 40.0
    found = worst_segments(segments, squares, len(TIMES))
    assert [(misfit.trajectory, misfit.first) for misfit in found] == [(0, 80), (1, 160)]
