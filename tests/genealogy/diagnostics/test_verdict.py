"""Each rule of the verdict fires on the fault it is for, and none on good chains."""

import dataclasses

import numpy as np
import pytest

from escapement_jax.genealogy.diagnostics.chain_statistics import r_hat
from escapement_jax.genealogy.diagnostics.trace import Trace
from escapement_jax.genealogy.diagnostics.verdict import (
    chance_r_hat,
    judge,
    log_density_drift,
    measure_convergence,
)

STEPS, DRAWS, POSITIONS, PAIRS = 21, 24, 4, 5


@pytest.fixture
def trace():
    """Independent draws from one law at every step; times on few levels."""
    generator = np.random.default_rng(1)
    levels = np.round(2 * generator.normal(size=(STEPS, DRAWS, POSITIONS, PAIRS))) / 2
    return Trace(
        log_density=generator.normal(-1e4, 10, (STEPS, DRAWS)),
        log_tmrca=9 + levels,
        positions=np.arange(POSITIONS) * 1e4,
        pairs=np.arange(2 * PAIRS).reshape(PAIRS, 2),
    )


def only_warning(trace):
    verdict = judge(trace, 8)
    assert not verdict.converged
    [warning] = verdict.warnings
    return warning


def test_good_chains_pass(trace):
    verdict = judge(trace, 8)
    assert verdict.converged
    assert verdict.warnings == ()
    assert verdict.convergence.steps == 11
    assert verdict.convergence.r_hat_tmrca <= verdict.convergence.r_hat_tmrca_largest


def test_burn_in_is_left_out(trace):
    density = trace.log_density.copy()
    density[: STEPS // 2] -= np.linspace(500, 100, STEPS // 2)[:, None]
    assert judge(dataclasses.replace(trace, log_density=density), 8).converged


def test_draws_that_stay_where_they_began(trace):
    stuck = trace.log_tmrca + np.random.default_rng(2).normal(0, 0.5, (1, DRAWS, POSITIONS, PAIRS))
    verdict = judge(dataclasses.replace(trace, log_tmrca=stuck), 8)
    assert not verdict.converged
    assert "chains disagree on coalescence times: R-hat is 1." in verdict.warnings[0]


def test_a_few_places_may_look_bad_by_chance(trace):
    times = np.random.default_rng(5).normal(size=(STEPS, DRAWS, 20, 5))
    times[:, ::2, :2, :2] += 3
    verdict = judge(dataclasses.replace(trace, log_tmrca=times), 8)
    assert verdict.converged
    assert verdict.convergence.r_hat_tmrca_largest > 1.5
    times[:, ::2, 2, :3] += 3
    assert not judge(dataclasses.replace(trace, log_tmrca=times), 8).converged


def test_a_drift_of_many_draws_is_found_by_the_slopes(trace):
    """Half the spread over the kept steps: too little for R-hat, but all draws agree on it."""
    steady = np.random.default_rng(3).normal(-1e4, 8, (STEPS, 100))
    times = np.tile(trace.log_tmrca, (1, 5, 1, 1))[:, :100]
    times = np.random.default_rng(4).permuted(times, axis=0)
    climbing = dataclasses.replace(
        trace, log_density=steady + np.linspace(0, 8, STEPS)[:, None], log_tmrca=times
    )
    assert "the log density still rises: by " in only_warning(climbing)
    assert judge(dataclasses.replace(climbing, log_density=steady), 8).converged


def test_too_few_draws(trace):
    few = dataclasses.replace(
        trace, log_density=trace.log_density[:, :4], log_tmrca=trace.log_tmrca[:, :4]
    )
    warnings = judge(few, 8).warnings
    assert any("effective sample size of coalescence times" in warning for warning in warnings)


def test_too_few_sweeps(trace):
    few = dataclasses.replace(
        trace, log_density=trace.log_density[:4], log_tmrca=trace.log_tmrca[:4]
    )
    assert "too few sweeps to tell convergence: 2 steps" in only_warning(few)
    assert "use 7 sweeps or more" in only_warning(few)
    eight = dataclasses.replace(
        trace, log_density=trace.log_density[:8], log_tmrca=trace.log_tmrca[:8]
    )
    assert not any("too few" in warning for warning in judge(eight, 8).warnings)


def test_a_pass_alone_says_so():
    assert "only the first pass was made" in only_warning(Trace())


def test_two_haplotypes_are_drawn_exactly():
    assert judge(Trace(), 2).converged


def test_drift_of_straight_lines():
    slopes = np.array([1.0, 2.0, 6.0])
    density = slopes[:, None] * np.arange(5.0)
    drift, stderr = log_density_drift(density)
    assert drift == pytest.approx(4 * 3.0)
    assert stderr == pytest.approx(4 * slopes.std(ddof=1) / np.sqrt(3))


def test_figures_do_not_depend_on_the_order_of_draws(trace):
    order = np.random.default_rng(4).permutation(DRAWS)
    shuffled = dataclasses.replace(
        trace, log_density=trace.log_density[:, order], log_tmrca=trace.log_tmrca[:, order]
    )
    ours = dataclasses.astuple(measure_convergence(shuffled))
    np.testing.assert_allclose(ours, dataclasses.astuple(measure_convergence(trace)), rtol=1e-10)


@pytest.mark.statistical
@pytest.mark.parametrize(("chains", "steps"), [(24, 11), (32, 4), (8, 30)])
def test_chance_r_hat_is_the_quantile_of_chains_that_mix(chains, steps):
    """600 sets: a share of 0.01 is exceeded 6 times on average, and 17 times with chance 2e-4."""
    sets = np.random.default_rng(6).normal(size=(600, chains, steps))
    allowed = chance_r_hat(chains, steps)
    exceeded = sum(r_hat(one) > allowed for one in sets)
    assert 0 < exceeded < 17
