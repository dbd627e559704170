import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy.diagnostics.weights import (
    effective_sample_size,
    importance_weighted_bound,
    mean_and_standard_error,
    summarise_draws,
    tmrca_quantiles,
)
from tests.reference.random_posterior import BIN_EDGES, GRID_TIMES, random_posterior

log_weights = st.lists(st.floats(-700, 700), min_size=1, max_size=9).map(np.array)


@given(log_weights=log_weights, shift=st.floats(-1e4, 1e4))
def test_bound_is_above_the_mean_and_shifts_with_the_weights(log_weights, shift):
    bound = importance_weighted_bound(log_weights)
    assert bound >= log_weights.mean() - 1e-9 * abs(log_weights).max()
    assert importance_weighted_bound(log_weights + shift) == pytest.approx(bound + shift, abs=1e-8)


@given(log_weights=log_weights)
def test_effective_sample_size_is_between_one_and_all(log_weights):
    assert 1 - 1e-12 <= effective_sample_size(log_weights) <= len(log_weights) + 1e-9


def test_closed_forms():
    assert importance_weighted_bound(np.log([1.0, 3.0])) == pytest.approx(np.log(2.0))
    assert effective_sample_size(np.log([1.0, 3.0])) == pytest.approx(16 / 10)
    assert effective_sample_size(np.zeros(7)) == pytest.approx(7)
    assert mean_and_standard_error(np.array([1.0, 3.0])) == (2.0, pytest.approx(1.0))


def test_summaries_average_over_bins():
    posterior = random_posterior()
    summary = summarise_draws(posterior.draws, BIN_EDGES, GRID_TIMES)
    draw = posterior.draws[2]
    trees = draw.trees[draw.segment_of_bin(np.arange(len(BIN_EDGES) - 1))]
    upper = np.triu_indices(6, 1)
    times = np.array([GRID_TIMES[tree[upper]] for tree in trees])
    assert summary.mean_tmrca[2] == pytest.approx(times.mean())
    assert summary.mean_tree_height[2] == pytest.approx(times.max(axis=1).mean())
    assert summary.records[2] == 14
    assert summary.visible_records[2] == 14 - draw.silent.sum()


def test_quantiles_of_the_prior():
    times = np.random.default_rng(1).exponential(2 * 5000.0, 20_000)
    posterior, prior = tmrca_quantiles(times, 5000.0, [0.1, 0.5, 0.9])
    assert prior[1] == pytest.approx(10_000 * np.log(2))
    np.testing.assert_allclose(posterior, prior, rtol=0.06)
