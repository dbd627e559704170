"""Simulated time courses: against plain Euler steps, closed forms and each other."""

import dataclasses

import diffrax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.config.homeostasis_simulation import SimulateHomeostasisConfig
from escapement_jax.homeostasis.simulation.integrate import (
    explain_failure,
    is_stiff,
    solved_trajectory,
)
from escapement_jax.homeostasis.simulation.simulate import simulate
from tests.reference.known_recovery import SMALL, small_simulation

EXACT = dataclasses.replace(SMALL, integrator="auto", relative_tolerance=1e-9)


@pytest.fixture(scope="module")
def exact():
    """Solved with adaptive steps at irregular times, with interventions and everything else."""
    return simulate(
        dataclasses.replace(
            EXACT, irregular_times=True, knock_downs=3, perturbations=2, missing=0.2
        )
    )


def plain_euler(simulation, start, steps, time_step=0.1):
    model = simulation.truth.model
    stoichiometry = np.asarray(simulation.network.stoichiometry)
    orders = np.asarray(simulation.network.substrate_orders)
    rates, slopes, offsets = (
        np.asarray(values) for values in (model.rates, model.slopes, model.offsets)
    )
    state, states = start, [start]
    for _ in range(steps):
        flux = rates * np.prod(np.maximum(state, 1e-8)[:, None] ** orders, axis=0)
        state = np.maximum(state + time_step * (stoichiometry @ flux + slopes * state + offsets), 0)
        states.append(state)
    return np.stack(states)


def test_euler_steps_are_the_published_ones():
    simulation = small_simulation()
    for states in np.asarray(simulation.states):
        expected = plain_euler(simulation, states[0], len(states) - 1)
        np.testing.assert_allclose(states, expected, rtol=1e-10)


def test_without_errors_the_states_are_measured():
    simulation = small_simulation()
    np.testing.assert_array_equal(simulation.time_courses.concentrations, simulation.states)


def test_metabolites_are_divided_evenly_among_types():
    truth = small_simulation().truth
    assert np.asarray(truth.types).tolist() == [0] * 6 + [1] * 6
    np.testing.assert_allclose(truth.model.slopes[jnp.array([0, 11])], [-0.001, -0.002])
    np.testing.assert_allclose(truth.type_offsets, [0.004, 0.012])


def test_small_euler_steps_approach_the_solution(exact):
    fine = simulate(dataclasses.replace(SMALL, frames=4000, time_step=0.001))
    np.testing.assert_allclose(fine.states[0, -1], exact.states[0, -1], rtol=2e-3)


def test_a_perturbation_steps_the_state_half_way(exact):
    restarts = np.asarray(exact.time_courses.restarts)
    assert np.flatnonzero(restarts[0]).tolist() == [0]
    assert np.flatnonzero(restarts[1]).tolist() == [0, 20]
    jump = np.asarray(exact.states[1, 20] / exact.states[1, 19])
    assert (jump > 2).sum() == SMALL.cycle_length - 1 == 2


def test_only_later_trajectories_are_knocked_down(exact):
    activities = np.asarray(exact.time_courses.activities)
    assert (activities[0] == 1).all()
    assert (activities[1] == 0.1).sum() == 3


def test_a_share_of_the_measurements_is_missing(exact):
    missing = np.isnan(exact.time_courses.concentrations)
    # 12 x 41 x 2 Bernoulli draws of probability 0.2: five standard deviations are 0.064.
    assert abs(missing.mean() - 0.2) < 0.064
    seen = np.asarray(exact.time_courses.concentrations)[~missing]
    np.testing.assert_array_equal(seen, np.asarray(exact.states)[~missing])


@pytest.mark.statistical
def test_errors_have_the_stated_size():
    noisy = simulate(dataclasses.replace(SMALL, frames=400, relative_noise=0.05))
    states = np.asarray(noisy.states)
    errors = np.asarray(noisy.time_courses.concentrations) - states
    units = errors / (0.05 * states + 0.005)
    # 9,624 standard normal draws: the deviation is 1 to within 0.036 with probability 1 - 6e-7.
    assert abs(units.std() - 1) < 0.036


def test_noise_leaves_the_first_start_as_it_is():
    noisy = simulate(dataclasses.replace(SMALL, process_noise=0.01, relative_noise=0.05))
    np.testing.assert_array_equal(noisy.states[0, 0], small_simulation().states[0, 0])
    assert np.abs(noisy.states - small_simulation().states).max() > 0.01


def test_clipped_measurements_are_not_negative():
    settings = dataclasses.replace(SMALL, absolute_noise=1.0)
    assert (simulate(settings).time_courses.concentrations < 0).any()
    clipped = simulate(dataclasses.replace(settings, clip=True)).time_courses.concentrations
    assert (clipped >= 0).all()
    assert (clipped == 0).any()


def test_decay_is_solved_by_both_solvers():
    for solver in (diffrax.Tsit5(), diffrax.Kvaerno5()):
        solution = solved_trajectory(
            lambda state: -state,
            jnp.ones(2),
            jnp.linspace(0.0, 3.0, 4),
            solver=solver,
            relative_tolerance=1e-8,
            absolute_tolerance=1e-10,
        )
        assert solution.succeeded
        np.testing.assert_allclose(solution.concentrations[:, 0], np.exp(-np.arange(4)), rtol=1e-6)


def test_stiffness_is_what_fast_decay_over_a_long_time_is():
    states = jnp.ones((1, 2))
    rates = jnp.array([1.0, 1000.0])
    assert not is_stiff(lambda state: -rates * state, states, 10.0)
    assert is_stiff(lambda state: -rates * state, states, 100.0)


def test_a_failed_trajectory_says_where_and_what_to_try():
    # The solution 1 / (1 - t) leaves all bounds at time 1.
    times = jnp.linspace(0.0, 2.4, 5)
    solution = solved_trajectory(
        lambda state: state**2,
        jnp.ones(1),
        times,
        solver=diffrax.Tsit5(),
        relative_tolerance=1e-6,
        absolute_tolerance=1e-6,
    )
    assert not solution.succeeded
    assert np.isfinite(solution.concentrations[:2]).all()
    assert np.isnan(solution.concentrations[-1]).all()
    message = explain_failure(solution, np.asarray(times), name="trajectory 3")
    assert message.startswith("trajectory 3 stopped after time 0.6 (")
    assert "kvaerno5" in message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strengths": (0.1,)}, "strengths has 1 values and baselines 2"),
        ({"strengths": (-0.1, 0.1)}, "a strength is -0.1; it must be 0 or more"),
        ({"irregular_times": True}, "Euler steps give regular times"),
        ({"integrator": "tsit5", "process_noise": 0.1}, "process noise comes with Euler steps"),
        ({"knock_downs": 1}, "knock_downs needs trajectories = 2 or more"),
        ({"perturbations": 200}, "perturbations is 200, but there are only 100"),
        ({"log10_rate_low": 0.0}, "log10_rate_low is 0.0, above log10_rate_high"),
        ({"cycle_fraction": 1.5}, "cycle_fraction is 1.5"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        SimulateHomeostasisConfig(**settings)
