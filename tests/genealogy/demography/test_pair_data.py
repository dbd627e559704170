"""Which pairs, and what their genotypes are in the bins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy.demography.pair_data import (
    GENOTYPE_CLASSES,
    balanced_pairs,
    pair_genome,
)
from tests.reference.tiny_genomes import TinyGenome

GENOME = TinyGenome(4, 3, 9, 0.0, seed=1)


@given(st.integers(2, 40), st.integers(1, 300), st.integers(0, 5))
def test_every_haplotype_is_in_as_many_pairs(num_haplotypes, most, seed):
    pairs = balanced_pairs(num_haplotypes, most, seed)
    assert len({frozenset(pair) for pair in pairs.tolist()}) == len(pairs)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    counts = np.bincount(pairs.ravel(), minlength=num_haplotypes)
    assert (counts == counts[0]).all()
    everything = num_haplotypes * (num_haplotypes - 1) // 2
    assert len(pairs) <= max(most, num_haplotypes)
    assert len(pairs) == everything or len(pairs) > max(most, num_haplotypes) - num_haplotypes


@pytest.mark.parametrize("width", [None, 3])
def test_genotypes_are_counted_by_class(width):
    pairs = np.array([[0, 1], [3, 2]])
    bins = GENOME.bins
    genome = pair_genome(bins, pairs, width=width, bins_per_block=2)
    counts = np.asarray(genome.counts).reshape(-1, len(GENOTYPE_CLASSES), len(pairs))
    expected = np.zeros_like(counts)
    for site, place in enumerate(bins.site_bin):
        for number, (first, second) in enumerate(pairs):
            seen = tuple(sorted(bins.genotypes[site, [first, second]].tolist()))
            expected[place // (width or 1), GENOTYPE_CLASSES.index(seen), number] += 1
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("width", [None, 3])
def test_rates_add_up(width):
    genome = pair_genome(GENOME.bins, np.array([[0, 1]]), width=width)
    distances = np.asarray(genome.recombination)[np.asarray(genome.kind)]
    tolerance = 1e-12 if width is None else 0.011
    np.testing.assert_allclose(distances.sum(), GENOME.bins.recombination.sum(), rtol=tolerance)
    invariant = np.asarray(genome.invariant_mutation)
    np.testing.assert_allclose(invariant.sum(), GENOME.bins.invariant_mutation.sum(), rtol=1e-12)
    sites = np.asarray(genome.counts).sum((2, 3))
    mutation = (np.asarray(genome.site_mutation) * sites).sum()
    np.testing.assert_allclose(mutation, GENOME.bins.site_mutation.sum(), rtol=1e-12)
    assert (2**genome.halvings >= width) if width else (genome.halvings == 0)
