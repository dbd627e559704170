"""Diversity, spectrum and linkage against brute force and tskit."""

import msprime
import numpy as np
import pytest

from escapement_jax.genealogy.diagnostics.variation_statistics import (
    linkage_by_distance,
    minor_allele_spectrum,
    windowed_diversity,
)
from escapement_jax.genealogy.genome.genotypes import Genotypes

LENGTH = 20_000


@pytest.fixture(scope="module")
def tree_sequence():
    trees = msprime.sim_ancestry(
        10, population_size=1e4, recombination_rate=1e-8, sequence_length=LENGTH, random_seed=1
    )
    return msprime.sim_mutations(trees, rate=5e-8, random_seed=2, model="binary")


@pytest.fixture(scope="module")
def genotypes(tree_sequence):
    positions = tree_sequence.sites_position.astype(int)
    haplotypes = tree_sequence.genotype_matrix()
    return Genotypes.from_arrays(haplotypes, positions, start=0, end=LENGTH)


def with_gaps(genotypes):
    generator = np.random.default_rng(3)
    haplotypes = genotypes.haplotypes.copy()
    haplotypes[generator.random(haplotypes.shape) < 0.2] = -1
    return Genotypes.from_arrays(haplotypes, genotypes.positions, start=0, end=LENGTH)


def test_diversity_and_spectrum_are_those_of_tskit(tree_sequence, genotypes):
    edges = np.linspace(0, LENGTH, 6)
    expected = tree_sequence.diversity(windows=edges)
    np.testing.assert_allclose(windowed_diversity(genotypes, edges), expected)
    folded = tree_sequence.allele_frequency_spectrum(span_normalise=False)[1:11]
    ours = minor_allele_spectrum(genotypes, np.arange(1, 12) - 0.5)
    np.testing.assert_allclose(ours, folded)


def test_linkage_is_the_squared_correlation():
    """Few sites: the used pairs are all within the lags 1 to 4, and so all pairs of five sites."""
    haplotypes = (np.random.default_rng(1).random((5, 20)) < 0.5).astype(np.int8)
    positions = np.array([100, 250, 1000, 3000, 8000])
    genotypes = Genotypes.from_arrays(haplotypes, positions, start=0, end=LENGTH)
    edges = np.array([1.0, 500, 3000, LENGTH])
    squared = np.corrcoef(haplotypes) ** 2
    distance = np.abs(positions[:, None] - positions[None])
    upper = np.triu(np.ones((5, 5), bool), 1)
    expected = [
        squared[upper & (distance >= low) & (distance < high)].mean()
        for low, high in zip(edges[:-1], edges[1:], strict=True)
    ]
    np.testing.assert_allclose(linkage_by_distance(genotypes, edges), expected)


def test_missing_genotypes_leave_pairs_out(genotypes):
    """Pair by pair, in plain loops."""
    gappy = with_gaps(genotypes)
    expected = 0.0
    for row in gappy.haplotypes:
        seen = row[row >= 0]
        pairs = [(a, b) for i, a in enumerate(seen) for b in seen[i + 1 :]]
        expected += np.mean([a != b for a, b in pairs])
    ours = windowed_diversity(gappy, np.array([0.0, LENGTH]))
    np.testing.assert_allclose(ours, [expected / LENGTH])


def test_linkage_with_missing_genotypes(genotypes):
    gappy = with_gaps(genotypes)
    kept = np.flatnonzero(
        ((gappy.haplotypes == 1).sum(1) >= 2) & ((gappy.haplotypes == 0).sum(1) >= 2)
    )[:3]
    three = Genotypes.from_arrays(
        gappy.haplotypes[kept], gappy.positions[kept], start=0, end=LENGTH
    )
    values = []
    for i, j in [(0, 1), (1, 2), (0, 2)]:
        both = (three.haplotypes[[i, j]] >= 0).all(axis=0)
        values.append(np.corrcoef(three.haplotypes[[i, j]][:, both])[0, 1] ** 2)
    ours = linkage_by_distance(three, np.array([1.0, LENGTH]))
    np.testing.assert_allclose(ours, [np.mean(values)])


def test_no_statistic_knows_which_allele_is_ancestral(genotypes):
    gappy = with_gaps(genotypes)
    swapped = np.where(gappy.haplotypes >= 0, 1 - gappy.haplotypes, -1)
    other = Genotypes.from_arrays(swapped, gappy.positions, start=0, end=LENGTH)
    for statistic, edges in [
        (windowed_diversity, np.linspace(0, LENGTH, 5)),
        (minor_allele_spectrum, np.arange(1, 12) - 0.5),
        (linkage_by_distance, np.geomspace(1, LENGTH, 5)),
    ]:
        np.testing.assert_allclose(statistic(other, edges), statistic(gappy, edges))


def test_diversity_counts_accessible_bases_alone():
    masked = Genotypes.from_arrays(
        np.array([[0, 1], [1, 0]]),
        np.array([15, 45]),
        start=10,
        end=110,
        accessible=np.array([[12, 20], [40, 50]]),
    )
    ours = windowed_diversity(masked, np.array([10.0, 18.0, 45.0, 60.0, 110.0]))
    np.testing.assert_allclose(ours, [1 / 6, 0 / 7, 1 / 5, np.nan])


@pytest.mark.parametrize("num_sites", [0, 1, 2])
def test_few_sites_are_no_error(num_sites):
    few = Genotypes.from_arrays(
        np.tile([0, 0, 1, 1], (num_sites, 1)), np.arange(num_sites) * 10, start=0, end=100
    )
    linkage = linkage_by_distance(few, np.array([1.0, 100.0]))
    np.testing.assert_array_equal(linkage, [1.0 if num_sites == 2 else np.nan])
    assert minor_allele_spectrum(few, np.array([0.5, 1.5, 2.5])).tolist() == [0, num_sites]
