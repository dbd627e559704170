"""Kingman's coalescent on a grid: closed forms, laws, and ratios of enumerated trees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm

from escapement_jax.genealogy.model.coalescent import death_process, kingman_tables, log_survival
from tests.reference.enumerated_graphs import EnumeratedModel, level_matrix, lump, merger_sizes

INTENSITIES = np.array([1e-3, 0.05, 0.4, 2.0, np.inf])
MOST = 12
intensities = st.floats(1e-6, 50.0)


def test_two_lineages_merge_exponentially():
    together = -np.expm1(-0.3)
    np.testing.assert_allclose(death_process(2, 0.3)[2], [0, together, np.exp(-0.3)], rtol=1e-14)


def test_three_lineages_in_closed_form():
    once, thrice = np.exp(-0.7), np.exp(-2.1)
    expected = [0, 1 - 1.5 * once + 0.5 * thrice, 1.5 * (once - thrice), thrice]
    np.testing.assert_allclose(death_process(3, 0.7)[3], expected, rtol=1e-13)


@pytest.mark.parametrize("intensity", [0.0, 1e-4, 0.1, 1.0, 7.0])
def test_death_process_is_the_matrix_exponential(intensity):
    counts = np.arange(MOST + 1)
    rates = counts * (counts - 1) / 2
    generator = np.diag(-rates) + np.diag(rates[1:], -1)
    ours = death_process(MOST, intensity)
    np.testing.assert_allclose(ours, expm(intensity * generator), rtol=1e-9, atol=1e-13)


def test_tiny_probabilities_keep_their_digits():
    """`k` mergers in a short time `c`: the product of their rates times `c^k / k!`."""
    g = death_process(20, 1e-9)
    rates = np.cumprod([a * (a - 1) / 2 for a in range(20, 10, -1)])
    orders = np.cumprod(np.arange(1.0, 11))
    expected = rates * 1e-9 ** np.arange(1, 11) / orders
    np.testing.assert_allclose(g[20, 19:9:-1], expected, rtol=1e-6)


@given(intensities)
def test_rows_are_distributions(intensity):
    g = death_process(MOST, intensity)
    assert (g >= 0).all()
    assert (np.triu(g, 1) == 0).all()
    np.testing.assert_allclose(g.sum(1), 1, rtol=1e-11)


@given(intensities, intensities)
def test_two_stretches_of_time_make_one(first, second):
    composed = death_process(MOST, first) @ death_process(MOST, second)
    whole = death_process(MOST, first + second)
    lower = np.tril(np.ones_like(whole), -1) + np.eye(MOST + 1) > 0
    np.testing.assert_allclose(composed[lower], whole[lower], rtol=1e-10, atol=1e-290)


def test_after_infinite_time_one_lineage_is_left():
    g = death_process(MOST, np.inf)
    np.testing.assert_array_equal(g[1:, 1], 1)
    assert g.sum() == MOST + 1
    np.testing.assert_allclose(death_process(MOST, 800.0), g, atol=1e-300)


def test_an_extra_lineage_joins_or_stays():
    """`(a + b) join + stay = 1`: the blocks that leave offer `lambda + 1` places each."""
    tables = jax.device_get(kingman_tables(INTENSITIES, MOST))
    before, after = np.meshgrid(np.arange(MOST + 1), np.arange(MOST + 1), indexing="ij")
    possible = (after >= 1) & (after <= before)
    total = (before + after)[None] * tables.join + tables.stay
    np.testing.assert_allclose(total[:-1, possible], 1, rtol=1e-12)
    # All lineages merge in the last level, and the extra one with them.
    np.testing.assert_allclose(total[-1, 1:, 1], 1, rtol=1e-12)
    assert not tables.stay[-1].any()


def test_joining_is_the_ratio_of_the_probabilities_of_trees():
    """Where the last of four haplotypes joins the tree of the others, for all 154 trees."""
    edges, sizes = np.array([0.0, 0.5, 1.3, 2.5]) * 1e4, np.array([1e4, 5e3, 2e4, 1e4])
    model = EnumeratedModel(4, np.array([0.25, 0.9, 1.8, 3.0]) * 1e4, edges, sizes)
    smaller = EnumeratedModel(3, model.times, edges, sizes)
    tables = jax.device_get(kingman_tables(np.append(np.diff(edges) / (2 * sizes[:3]), np.inf), 4))
    for tree, probability in zip(model.trees, model.prior, strict=True):
        rest = lump(tree)
        distance = level_matrix(tree)[3, :3]
        joined = next(block for block in rest[distance.min() + 1] if distance.argmin() in block)
        lineages = merger_sizes(rest, distance.min())[joined]
        counts = [len(partition) for partition in rest]
        expected = (lineages + 1) * tables.join[distance.min()][
            counts[distance.min()], counts[distance.min() + 1]
        ]
        for level in range(distance.min()):
            expected *= tables.stay[level, counts[level], counts[level + 1]]
        ratio = probability / smaller.prior[smaller.tree_number[rest]]
        np.testing.assert_allclose(expected, ratio, rtol=1e-12)


def test_logarithms_are_tabulated():
    tables = kingman_tables(INTENSITIES, 6)
    np.testing.assert_allclose(tables.log_factorial, np.log([1, 1, 2, 6, 24, 120, 720]), rtol=1e-14)
    expected = np.log(death_process(7, 0.05)[5, 1:6])
    np.testing.assert_allclose(tables.log_transition[1, 5, 1:6], expected, rtol=1e-13)


@pytest.mark.parametrize(
    "bad", [[0.1, 1.0], [0.0, np.inf], [-1.0, np.inf], [np.nan, np.inf], [np.inf, 0.5]]
)
def test_levels_must_be_open_ended_and_of_some_length(bad):
    with pytest.raises(ValueError, match="positive and the last one infinite"):
        kingman_tables(np.array(bad), 4)


def test_survival_multiplies_the_levels_below():
    stay = jnp.asarray([0.9, 0.5, 0.25, 0.0])
    expected = np.log([1.0, 0.9, 0.45, 0.1125])
    np.testing.assert_allclose(log_survival(stay), expected, rtol=1e-14)
    gradient = jax.grad(lambda x: log_survival(x).sum())(stay)
    np.testing.assert_allclose(gradient, [3 / 0.9, 2 / 0.5, 1 / 0.25, 0.0], rtol=1e-14)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_survival_can_be_inverted_however_small(dtype):
    stay = jnp.asarray([0.5, 0.0, 1e-30, 1e-30, 0.5, 0.0], dtype)
    logs = log_survival(stay)
    assert logs.dtype == dtype
    assert (np.diff(logs) <= 0).all()
    assert np.isfinite(np.exp(-logs)).all()
    assert (np.exp(logs) > 0).all()
