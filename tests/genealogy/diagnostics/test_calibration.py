"""Calibration of samplers whose law is known: perfect, biased, too narrow, too wide."""

import numpy as np
import pytest

from escapement_jax.genealogy.diagnostics.calibration import (
    attainable_coverage,
    calibrate,
    covered,
    crps,
    effective_count,
    normalised_ranks,
    over_replicates,
)

REPLICATES, DRAWS, PLACES = 60, 40, 3


def experiment(seed=1, shift=0.0, scale=1.0, dependence=0.0):
    """Normal posteriors of unit variance around known means, and truths drawn from them."""
    generator = np.random.default_rng(seed)
    centre = generator.normal(size=(REPLICATES, PLACES))
    shared = generator.normal(size=(REPLICATES, 1))
    own = generator.normal(size=(REPLICATES, PLACES))
    truth = centre + np.sqrt(dependence) * shared + np.sqrt(1 - dependence) * own
    noise = generator.normal(size=(REPLICATES, DRAWS, PLACES))
    return truth, centre[:, None] + shift + scale * noise


def test_a_perfect_sampler_is_calibrated():
    truth, draws = experiment()
    result = calibrate("made up", truth, draws, seed=1)
    assert result.warnings == ()
    assert result.ecdf_p_value > 0.01
    assert result.chi_square_p_value > 0.01
    assert result.attainable_95 == pytest.approx(0.95)
    assert abs(result.bias.mean) < 4 * result.bias.stderr
    # E|X - y| - E|X - X'| / 2 = 1 / sqrt(pi) for normal X, X', y alike.
    assert abs(result.crps.mean - 1 / np.sqrt(np.pi)) < 4 * result.crps.stderr
    assert abs(result.rmse.mean - np.sqrt(1 + 1 / DRAWS)) < 4 * result.rmse.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shift": 0.7}, "too often below the draws"),
        ({"shift": -0.7}, "too often above the draws"),
        ({"scale": 0.4}, "too often outside the draws"),
        ({"scale": 2.5}, "too often amid the draws"),
    ],
)
def test_faults_are_named(options, words):
    result = calibrate("made up", *experiment(**options), seed=1)
    assert result.ecdf_p_value < 0.01
    assert words in result.warnings[0]


@pytest.mark.parametrize(("scale", "word"), [(0.4, "narrow"), (2.5, "wide")])
def test_intervals_are_judged(scale, word):
    result = calibrate("made up", *experiment(scale=scale), seed=1)
    assert f"95 % intervals are too {word}" in result.warnings[-1]


@pytest.mark.statistical
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_weibull_intervals_of_a_perfect_sampler_are_exact(level):
    """20,000 truths of 39 draws each: within 4 standard errors."""
    generator = np.random.default_rng(2)
    truth, draws = generator.normal(size=(20_000, 1)), generator.normal(size=(20_000, 39, 1))
    share = covered(truth, draws, level).mean()
    assert abs(share - level) < 4 * np.sqrt(level * (1 - level) / 20_000)
    assert attainable_coverage(39, level) == pytest.approx(level)


def test_few_draws_cannot_cover():
    assert attainable_coverage(9, 0.95) == 0.8
    assert attainable_coverage(1, 0.5) == 0.0


@pytest.mark.statistical
def test_ties_are_broken_evenly():
    """Everything equal: ranks are uniform (mean within 4 standard errors)."""
    ranks = normalised_ranks(np.zeros((2000, 1)), np.zeros((2000, 5, 1)), np.random.default_rng(3))
    assert abs(ranks.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 2000)
    assert ranks.min() < 0.01
    assert ranks.max() > 0.99


def test_ranks_count_the_draws_below():
    draws = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1)
    ranks = normalised_ranks(np.array([[2.5]]), draws, np.random.default_rng(1))
    assert 2 / 4 <= ranks[0, 0] < 3 / 4


def test_crps_by_brute_force():
    truth, draws = experiment(4)
    values, target = draws[0, :, 0], truth[0, 0]
    pairs = np.abs(values[:, None] - values[None])
    distinct = pairs.sum() / (DRAWS * (DRAWS - 1))
    expected = np.abs(values - target).mean() - distinct / 2
    assert crps(truth, draws)[0, 0] == pytest.approx(expected)


def test_dependent_places_count_as_one():
    """Equal ranks at all places are worth one per replicate, independent ones all."""
    generator = np.random.default_rng(5)
    column = generator.random((400, 1))
    assert effective_count(np.tile(column, (1, 6))) == pytest.approx(400, rel=0.15)
    assert effective_count(generator.random((400, 6))) == pytest.approx(2400, rel=0.15)
    assert effective_count(generator.random((1, 6))) == 1


@pytest.mark.statistical
def test_dependence_does_not_raise_false_alarms():
    """100 perfect samplers with strongly dependent places: p < 0.05 in at most 13 (chance 1e-3)."""
    values = [
        calibrate("made up", *experiment(seed, dependence=0.9), seed=seed).ecdf_p_value
        for seed in range(100)
    ]
    assert np.sum(np.array(values) < 0.05) <= 13


def test_errors_are_over_replicates():
    values = np.array([[1.0, 3.0], [4.0, 8.0], [0.0, 2.0]])
    estimate = over_replicates(values)
    assert estimate.mean == pytest.approx(3.0)
    assert estimate.stderr == pytest.approx(np.std([2, 6, 1], ddof=1) / np.sqrt(3))
    assert np.isnan(over_replicates(values[:1]).stderr)
