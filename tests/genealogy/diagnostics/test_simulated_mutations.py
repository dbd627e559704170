"""Mutations thrown on a genealogy follow its branches, the rate, the mask and the gaps."""

import msprime
import numpy as np
import pytest

from escapement_jax.genealogy.diagnostics.simulated_mutations import (
    accessible_rate,
    simulate_genotypes,
)
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.rate_map import RateMap

LENGTH, RATE, REPLICATES = 50_000, 2e-8, 300


@pytest.fixture(scope="module")
def tree_sequence():
    return msprime.sim_ancestry(
        4, population_size=1e4, recombination_rate=1e-8, sequence_length=LENGTH, random_seed=1
    )


def data(**options):
    """Two sites; the first three haplotypes are missing at the second one."""
    haplotypes = np.tile([0, 1], (2, 4))
    haplotypes[1, :3] = -1
    return Genotypes.from_arrays(
        haplotypes, np.array([10_000, 45_000]), start=0, end=LENGTH, **options
    )


def complete(**options):
    return Genotypes.from_arrays(
        np.tile([0, 1], (1, 4)), np.array([10_000]), start=0, end=LENGTH, **options
    )


@pytest.mark.statistical
def test_numbers_of_sites_are_poisson_with_the_branch_length(tree_sequence):
    """Mean and variance within 4 standard errors, of every allele count at once by a G test."""
    rate = accessible_rate(RateMap.constant(RATE, 0, LENGTH), complete())
    generator = np.random.default_rng(1)
    spectra = []
    for _ in range(REPLICATES):
        genotypes = simulate_genotypes(tree_sequence, rate, complete(), generator)
        assert (np.diff(genotypes.positions) > 0).all()
        spectra.append(np.bincount(genotypes.haplotypes.sum(1), minlength=9)[1:8])
    expected = (
        RATE
        * tree_sequence.allele_frequency_spectrum(
            mode="branch", polarised=True, span_normalise=False
        )[1:8]
    )
    total = np.sum(spectra, axis=0)
    assert (np.abs(total - REPLICATES * expected) < 4 * np.sqrt(REPLICATES * expected)).all()
    counts = np.sum(spectra, axis=1)
    dispersion = counts.var(ddof=1) / counts.mean()
    assert abs(dispersion - 1) < 4 * np.sqrt(2 / REPLICATES)


@pytest.mark.statistical
def test_mutations_follow_the_rate_map_and_the_mask(tree_sequence):
    """Three times the rate on the right, nothing outside the mask; 4 standard errors."""
    accessible = np.array([[5_000, 20_000], [30_000, LENGTH]])
    masked = complete(accessible=accessible)
    uneven = RateMap(np.array([-100.0, 25_000.0, LENGTH]), np.array([RATE, 3 * RATE]))
    rate = accessible_rate(uneven, masked)
    length = tree_sequence.segregating_sites(
        mode="branch", windows=[0, 5_000, 20_000, 30_000, LENGTH], span_normalise=False
    )
    generator = np.random.default_rng(2)
    counts = np.zeros(4)
    for _ in range(REPLICATES):
        positions = simulate_genotypes(tree_sequence, rate, masked, generator).positions
        counts += np.histogram(positions, [0, 5_000, 20_000, 30_000, LENGTH])[0]
    assert counts[0] == counts[2] == 0
    expected = REPLICATES * RATE * np.array([1, 3]) * length[[1, 3]]
    assert (np.abs(counts[[1, 3]] - expected) < 4 * np.sqrt(expected)).all()


def test_gaps_are_those_of_the_nearest_site(tree_sequence):
    rate = accessible_rate(RateMap.constant(RATE, 0, LENGTH), data())
    genotypes = simulate_genotypes(tree_sequence, rate, data(), np.random.default_rng(3))
    near_second = genotypes.positions > 27_500
    assert near_second.any()
    assert not near_second.all()
    missing = genotypes.haplotypes == -1
    assert missing[near_second, :3].all()
    assert not missing[near_second, 3:].any()
    assert not missing[~near_second].any()
    for row in genotypes.haplotypes:
        assert {0, 1} <= set(row.tolist())


@pytest.mark.statistical
def test_errors_flip_alleles_at_sites(tree_sequence):
    """Half of all alleles wrong: genotypes no longer know the tree, and 0 and 1 are as frequent."""
    rate = accessible_rate(RateMap.constant(RATE * 20, 0, LENGTH), complete())
    generator = np.random.default_rng(4)
    genotypes = simulate_genotypes(
        tree_sequence, rate, complete(), generator, genotype_error=0.4999
    )
    size = genotypes.haplotypes.size
    assert abs(genotypes.haplotypes.mean() - 0.5) < 4 * 0.5 / np.sqrt(size)


def test_no_mutation_is_no_error(tree_sequence):
    rate = accessible_rate(RateMap.constant(1e-20, 0, LENGTH), data())
    genotypes = simulate_genotypes(tree_sequence, rate, data(), np.random.default_rng(5))
    assert genotypes.num_sites == 0


def test_a_map_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="mutation map covers"):
        accessible_rate(RateMap.constant(1e-8, 0, 1000), data())
