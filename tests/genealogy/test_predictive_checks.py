"""Predictive checks pass on data of the model and fail on other data, with stated error bounds."""

import dataclasses

import msprime
import numpy as np
import pytest

from escapement_jax.genealogy.diagnostics.simulated_mutations import (
    accessible_rate,
    simulate_genotypes,
)
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.rate_map import RateMap
from escapement_jax.genealogy.predictive_checks import (
    bin_edges,
    compare,
    predictive_checks,
    statistics,
)
from tests.reference.random_posterior import random_posterior

START, END = 1000, 5000
RATE = RateMap.constant(2e-6, START, END)


@pytest.fixture(scope="module")
def posterior():
    """A single random graph, and data that are made on it."""
    posterior = random_posterior(num_draws=1)
    empty = Genotypes.from_arrays(np.zeros((1, 6)), np.array([START]), start=START, end=END)
    rate = accessible_rate(RATE, empty)
    generator = np.random.default_rng(8)
    data = simulate_genotypes(posterior.tree_sequence(0), rate, empty, generator)
    return dataclasses.replace(posterior, genotypes=data)


def test_data_of_the_model_pass(posterior):
    checks = predictive_checks(posterior, RATE, num_replicates=200)
    names = [check.name for check in checks]
    assert names == ["diversity", "frequency spectrum", "linkage disequilibrium"]
    for check in checks:
        assert check.passed
        assert check.p_value > 0.01
        assert check.num_replicates == 200
        assert len(check.edges) == len(check.observed) + 1


def test_a_wrong_rate_fails(posterior):
    checks = predictive_checks(posterior, RateMap.constant(8e-6, START, END), num_replicates=100)
    diversity = checks[0]
    assert not diversity.passed
    assert diversity.p_value == pytest.approx(1 / 101)
    assert "99 % band of the posterior predictive diversity" in diversity.warning


def test_shuffled_sites_have_no_linkage(posterior):
    """Alleles permuted within every site: same diversity and spectrum, no linkage."""
    data = posterior.genotypes
    mixed = np.random.default_rng(1).permuted(data.haplotypes, axis=1)
    shuffled = dataclasses.replace(posterior, genotypes=dataclasses.replace(data, haplotypes=mixed))
    diversity, spectrum, linkage = predictive_checks(shuffled, RATE, num_replicates=100)
    assert diversity.passed
    assert spectrum.passed
    assert not linkage.passed
    assert (linkage.observed < linkage.lower).any()


@pytest.mark.statistical
def test_p_values_of_exchangeable_curves_are_uniform():
    """200 p-values of curves of one law: the share below 0.1 is within 4 standard errors."""
    generator = np.random.default_rng(2)
    edges = np.arange(7.0)
    values = []
    for _ in range(200):
        curves = np.cumsum(generator.poisson(4.0, (120, 6)), axis=1).astype(float)
        values.append(compare("made up", edges, curves[0], curves[1:]).p_value)
    share = np.mean(np.array(values) <= 0.1)
    assert abs(share - 0.1) < 4 * np.sqrt(0.09 / 200)


def test_the_band_holds_99_per_cent_of_the_replicates():
    curves = np.random.default_rng(3).normal(size=(300, 5))
    check = compare("made up", np.arange(6.0), curves[0], curves)
    inside = ((curves >= check.lower - 1e-12) & (curves <= check.upper + 1e-12)).all(axis=1)
    assert inside.sum() in (297, 298)


def test_bins_that_are_often_empty_say_nothing():
    curves = np.random.default_rng(4).normal(size=(50, 3))
    curves[:7, 1] = np.nan
    observed = np.array([0.0, 99.0, np.nan])
    check = compare("made up", np.arange(4.0), observed, curves)
    assert check.passed
    assert np.isfinite(check.observed).tolist() == [True, False, False]


def test_a_bin_that_one_replicate_lacks_is_still_compared():
    """Else which bins count, and so the p-value, would hang on single replicates."""
    curves = np.random.default_rng(5).normal(size=(400, 3))
    curves[[3, 70], 1] = np.nan
    check = compare("made up", np.arange(4.0), np.array([0.0, 9.0, 0.0]), curves)
    assert np.isfinite(check.observed).all()
    assert not check.passed
    assert check.mean[1] == pytest.approx(np.nanmean(curves[:, 1]))


def test_what_no_replicate_shows_is_a_failure():
    curves = np.zeros((50, 2))
    assert compare("made up", np.arange(3.0), np.zeros(2), curves).passed
    failed = compare("made up", np.arange(3.0), np.array([0.0, 1.0]), curves)
    assert not failed.passed
    assert failed.p_value == pytest.approx(1 / 51)


@pytest.mark.parametrize("num_haplotypes", [2, 3, 20, 400])
def test_classes_hold_every_minor_allele_count(num_haplotypes):
    genotypes = Genotypes.from_arrays(
        np.zeros((1, num_haplotypes)), np.array([0]), start=0, end=1000
    )
    edges = bin_edges(genotypes)["frequency spectrum"]
    assert edges[0] == 0.5
    assert edges[-1] == num_haplotypes // 2 + 0.5
    assert len(edges) <= 21
    assert (np.diff(edges) >= 1).all()


@pytest.mark.slow
def test_missing_and_masked_data_of_the_true_trees_pass():
    """Masked, gappy data of msprime against its own trees; false alarms at 1 % a check."""
    length, rate = 100_000, 1.25e-8
    trees = msprime.sim_ancestry(
        5, population_size=1e4, recombination_rate=1e-8, sequence_length=length, random_seed=3
    )
    trees = msprime.sim_mutations(trees, rate=rate, random_seed=4, model="binary")
    positions, haplotypes = trees.sites_position.astype(int), trees.genotype_matrix().astype(int)
    haplotypes[positions > 60_000, :4] = -1
    kept = (positions < 20_000) | (positions >= 30_000)
    kept &= (haplotypes == 0).any(axis=1) & (haplotypes == 1).any(axis=1)
    data = Genotypes.from_arrays(
        haplotypes[kept],
        positions[kept],
        start=0,
        end=length,
        accessible=np.array([[0, 20_000], [30_000, length]]),
    )
    rates = accessible_rate(RateMap.constant(rate, 0, length), data)
    edges, generator = bin_edges(data), np.random.default_rng(5)
    replicates = [
        statistics(simulate_genotypes(trees, rates, data, generator), edges) for _ in range(200)
    ]
    observed = statistics(data, edges)
    for name in edges:
        curves = np.array([replicate[name] for replicate in replicates])
        assert compare(name, edges[name], observed[name], curves).passed
