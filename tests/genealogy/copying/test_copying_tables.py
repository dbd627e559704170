"""The laws of the copying model against quadrature and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy.copying.copying_tables import (
    bin_laws,
    difference_probability,
    log_survival,
    pair_differences,
    trunk_laws,
)
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.time_grid import TimeGrid
from tests.reference.copying_reference import reattachment_by_quadrature, survival_by_quadrature

TRUNKS = ["static", "wedding_cake"]
POPULATION = PiecewiseConstant(jnp.array([0.0, 2_000.0, 9_000.0]), jnp.array([8e3, 3e3, 2e4]))
GRID = TimeGrid.geometric(3, first=3_000.0, last=25_000.0, tail=30_000.0)
SITE_BIN = np.array([0, 0, 1, 2, 2])


@pytest.mark.parametrize("trunk", TRUNKS)
def test_trunk_laws_equal_quadrature_of_the_hazard(trunk):
    lineages = 3.0
    breakpoints, sizes = np.asarray(POPULATION.breakpoints), np.asarray(POPULATION.sizes)

    def hazard(t):
        intensity = float(POPULATION.coalescent_intensity(jnp.asarray(t)))
        left = (
            lineages if trunk == "static" else 1 / (1 - (1 - 1 / lineages) / np.exp(intensity / 2))
        )
        return left / (2 * sizes[np.searchsorted(breakpoints, t, side="right") - 1])

    at_edges = [survival_by_quadrature(hazard, t, breakpoints) for t in np.asarray(GRID.edges)]
    entry, _ = trunk_laws(POPULATION, GRID, jnp.arange(1.0, 6.0), trunk=trunk)
    np.testing.assert_allclose(entry[2], -np.diff([*at_edges, 0.0]), rtol=1e-8)


@pytest.mark.parametrize("trunk", TRUNKS)
def test_reattachment_equals_its_integral(trunk):
    grid = TimeGrid.geometric(6, first=500.0, last=30_000.0, tail=20_000.0)
    size = 1e4

    def survival(t):
        x = t / (2 * size)
        if trunk == "static":
            return np.exp(-4 * x)
        return (0.25 / (np.exp(x / 2) - 0.75)) ** 2

    expected = reattachment_by_quadrature(survival, np.asarray(grid.edges), np.asarray(grid.times))
    _, law = trunk_laws(PiecewiseConstant.constant(size), grid, jnp.array([4.0]), trunk=trunk)
    np.testing.assert_allclose(law[0], expected, atol=1e-8)


@pytest.mark.parametrize("trunk", TRUNKS)
def test_tables_are_probability_laws(trunk):
    entry, reattachment = trunk_laws(POPULATION, GRID, jnp.arange(1.0, 6.0), trunk=trunk)
    np.testing.assert_allclose(entry.sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(reattachment.sum(axis=2), 1.0, rtol=1e-14)
    assert (reattachment >= 0).all()


def test_bin_laws_in_closed_form():
    laws = bin_laws(GRID, jnp.array([1e-5, 2e-5]), jnp.array([7.0, 1e-4]), 0.1)
    np.testing.assert_array_equal(laws.recombination[0], 0.0)
    times = np.asarray(GRID.times)
    np.testing.assert_allclose(laws.recombination[1], 1 - np.exp(-2e-4 * times), rtol=1e-13)
    differ = difference_probability(2e-5 * GRID.times, 0.1)
    np.testing.assert_allclose(jnp.exp(laws.log_differ[1]), differ, rtol=1e-13)
    np.testing.assert_allclose(jnp.exp(laws.log_agree[1]), 1 - differ, rtol=1e-13)
    unchanged = (1 + np.exp(-4 * 2e-5 * times)) / 2
    np.testing.assert_allclose(jnp.exp(laws.log_unchanged[1]), unchanged, rtol=1e-13)


@pytest.mark.parametrize("lineages", [1.0, 7.0])
def test_trunks_start_with_all_lineages_and_agree_for_one(lineages):
    def hazard(trunk):
        return -jax.grad(lambda x: log_survival(x, jnp.array(lineages), trunk))(jnp.array(0.0))

    for trunk in TRUNKS:
        np.testing.assert_allclose(hazard(trunk), lineages, rtol=1e-14)
    if lineages == 1:
        x = jnp.linspace(0.0, 80.0, 5)
        static, cake = (log_survival(x, jnp.array(1.0), trunk) for trunk in TRUNKS)
        np.testing.assert_allclose(static, cake, rtol=1e-14)


def test_difference_probability_in_closed_form():
    scaled = jnp.array([0.0, 0.1, 1e3])
    clean = difference_probability(scaled, 0.0)
    np.testing.assert_allclose(clean, [0.0, (1 - np.exp(-0.4)) / 2, 0.5], rtol=1e-14)
    noisy = difference_probability(scaled, 0.1)
    np.testing.assert_allclose(noisy, clean * 0.82 + (1 - clean) * 0.18, rtol=1e-14)


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=20, max_size=20))
def test_pair_differences_equal_a_loop(alleles):
    haplotypes = np.array(alleles, np.int8).reshape(5, 4)
    differences, compared, observed = pair_differences(haplotypes, SITE_BIN, 3)
    for b, i, j in np.ndindex(3, 4, 4):
        own, other = haplotypes[SITE_BIN == b, i], haplotypes[SITE_BIN == b, j]
        both = (own >= 0) & (other >= 0)
        assert differences[b, i, j] == np.sum(both & (own != other))
        assert compared[b, i, j] == both.sum()
        assert observed[b, i] == np.sum(own >= 0)


@pytest.mark.parametrize(
    ("site_bin", "message"),
    [([0, 2, 1, 2, 2], "at site 2"), ([0, 0, 1, 2, 3], "0 to 3, outside the 3 bins")],
)
def test_unsound_bins_are_refused(site_bin, message):
    with pytest.raises(ValueError, match=message):
        pair_differences(np.zeros((5, 3), np.int8), np.array(site_bin), 3)
