"""R-hat and effective sizes against an independent implementation, closed forms and laws."""

import numpy as np
import pytest
from arviz_stats.base import array_stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, rankdata

from escapement_jax.genealogy.diagnostics.chain_statistics import (
    bulk_effective_size,
    effective_size,
    normal_scores,
    r_hat,
    split_chains,
    tail_effective_size,
)


def autoregressive(seed, chains, steps, correlation, shift=0.0):
    """Stationary AR(1) chains of unit variance; `shift` moves every second chain."""
    generator = np.random.default_rng(seed)
    noise = generator.normal(size=(chains, steps))
    values = np.empty((chains, steps))
    values[:, 0] = noise[:, 0]
    for step in range(1, steps):
        values[:, step] = correlation * values[:, step - 1]
        values[:, step] += np.sqrt(1 - correlation**2) * noise[:, step]
    return values + shift * (np.arange(chains) % 2)[:, None]


@pytest.mark.parametrize("steps", [4, 5, 6, 7, 8, 9, 13, 50, 201])
@pytest.mark.parametrize("levels", [None, 3])
@pytest.mark.parametrize(
    ("correlation", "shift"), [(0.0, 0.0), (0.8, 0.0), (-0.7, 0.0), (0.5, 2.0)]
)
def test_agrees_with_arviz(steps, levels, correlation, shift):
    """Also with ties: levels of time are few."""
    chains = autoregressive(steps, 6, steps, correlation, shift)
    chains = chains if levels is None else np.round(chains * levels) / levels
    axes = {"chain_axis": 0, "draw_axis": 1}
    expected = [
        array_stats.rhat(chains, **axes),
        array_stats.ess(chains, method="bulk", **axes),
        array_stats.ess(chains, method="tail", prob=(0.05, 0.95), **axes),
        array_stats.ess(chains, method="identity", **axes),
    ]
    ours = [
        r_hat(chains),
        bulk_effective_size(chains),
        tail_effective_size(chains),
        effective_size(chains),
    ]
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


@pytest.mark.statistical
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_effective_size_of_an_autoregression(correlation):
    """`S (1 - rho) / (1 + rho)`; 60 seeds were at most 12 % away."""
    chains = autoregressive(2, 20, 4000, correlation)
    expected = chains.size * (1 - correlation) / (1 + correlation)
    assert effective_size(chains) == pytest.approx(expected, rel=0.15)


def test_chains_apart_are_seen_in_place_and_in_spread():
    together = autoregressive(3, 16, 60, 0.0)
    assert r_hat(together) < 1.02
    assert r_hat(together + 1.5 * (np.arange(16) % 2)[:, None]) > 1.2
    assert r_hat(together * (1 + 5 * (np.arange(16) % 2))[:, None]) > 1.2


def test_a_common_drift_is_seen():
    """All chains climb alike: only the split shows it."""
    assert r_hat(autoregressive(4, 16, 40, 0.0) + np.linspace(0, 4, 40)) > 1.3


@given(seed=st.integers(0, 99), scale=st.floats(0.1, 10))
def test_ranks_make_it_blind_to_the_unit(seed, scale):
    chains = autoregressive(seed, 4, 20, 0.5)
    curved = np.exp(scale * chains)
    assert bulk_effective_size(curved) == pytest.approx(bulk_effective_size(chains))


def test_normal_scores_share_ranks():
    chains = np.array([[3.0, 1.0, 1.0], [2.0, 1.0, 5.0]])
    expected = norm.ppf((rankdata(chains, axis=None) - 0.375) / 6.25).reshape(2, 3)
    np.testing.assert_allclose(normal_scores(chains), expected, rtol=1e-12)


def test_an_odd_middle_step_is_left_out():
    np.testing.assert_array_equal(split_chains(np.arange(5.0)[None]), [[0, 1], [3, 4]])


@pytest.mark.parametrize("chains", [np.zeros((4, 10)), np.arange(12.0).reshape(4, 3)])
@pytest.mark.parametrize("statistic", [r_hat, bulk_effective_size, tail_effective_size])
def test_what_cannot_be_told_is_not_a_number(chains, statistic):
    assert np.isnan(statistic(chains))


def test_chains_that_stand_still_apart_never_agree():
    assert r_hat(np.repeat(np.arange(4.0)[:, None], 10, axis=1)) == np.inf
