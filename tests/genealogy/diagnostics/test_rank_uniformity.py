"""Tests of uniformity have their stated level, find faults, and agree with scipy."""

import numpy as np
import pytest
from scipy.stats import binom, chisquare

from escapement_jax.genealogy.diagnostics import rank_uniformity
from escapement_jax.genealogy.diagnostics.rank_uniformity import (
    chi_square_p_value,
    ecdf_band,
    ecdf_p_value,
    evaluation_levels,
)


@pytest.mark.parametrize("count", [2, 20, 150])
def test_binomial_tails(count):
    levels = evaluation_levels(count)
    at_most, at_least = rank_uniformity._binomial_tails(count)
    k = np.arange(count + 1)
    np.testing.assert_allclose(at_most, binom.cdf(k, count, levels[:, None]), atol=1e-12)
    np.testing.assert_allclose(at_least, binom.sf(k - 1, count, levels[:, None]), atol=1e-12)


@pytest.mark.statistical
@pytest.mark.parametrize("count", [20, 150])
def test_p_values_of_uniform_numbers(count):
    """500 sets; the share below 0.05 and 0.5 within 4 standard errors (discrete: below is fine)."""
    sets = np.random.default_rng(1).random((500, count))
    values = np.array([ecdf_p_value(one, count) for one in sets])
    for level in (0.05, 0.5):
        error = np.sqrt(level * (1 - level) / 500)
        assert level - 8 * error < np.mean(values <= level) < level + 4 * error


@pytest.mark.statistical
def test_the_band_holds_whole_curves():
    """600 curves; 95 % inside, up to 4 standard errors and the steps of counts."""
    count = 80
    levels, lower, upper = ecdf_band(count)
    assert (lower < levels).all()
    assert (levels < upper).all()
    sets = np.random.default_rng(2).random((600, count))
    curves = (sets[:, :, None] <= levels).mean(axis=1)
    inside = ((curves >= lower - 1e-12) & (curves <= upper + 1e-12)).all(axis=1).mean()
    assert 0.95 - 4 * np.sqrt(0.05 * 0.95 / 600) < inside < 0.99


@pytest.mark.parametrize(
    "fault",
    [
        lambda u: u**1.6,
        lambda u: 0.5 + 0.6 * (u - 0.5),
        lambda u: 0.5 + 0.5 * np.sin(3 * (u - 0.5)),
    ],
)
def test_shifted_and_squeezed_ranks_are_found(fault):
    values = fault((np.arange(200) + 0.5) / 200)
    assert ecdf_p_value(values, 200) < 0.01
    assert chi_square_p_value(values, 200) < 0.01


def test_perfectly_even_numbers_are_not_odd():
    assert ecdf_p_value((np.arange(100) + 0.5) / 100, 100) == 1.0


def test_chi_square_is_that_of_scipy():
    values = np.random.default_rng(3).random(100)
    expected = chisquare(np.histogram(values, 10, (0, 1))[0]).pvalue
    assert chi_square_p_value(values, 100) == pytest.approx(expected)


def test_dependent_numbers_count_less():
    """The same numbers four times over are worth as many as once."""
    values = np.random.default_rng(4).random(60) ** 1.2
    repeated = np.tile(values, 4)
    assert chi_square_p_value(repeated, 60) == pytest.approx(chi_square_p_value(values, 60))
    assert ecdf_p_value(repeated, 60) == ecdf_p_value(values, 60)
