"""Genotypes: the rules of the container, diversity and subsets."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy

from escapement_jax.genealogy.genome.genotypes import Genotypes

HAPLOTYPES = np.array([[0, 1, 0, 1], [1, 1, 0, -1], [0, 0, 0, 1]])


def small(**changes):
    """Three sites of two diploids."""
    arrays = {"haplotypes": HAPLOTYPES, "positions": np.array([10, 11, 19])} | changes
    return Genotypes.from_arrays(**({"start": 10, "end": 20, "ploidy": 2} | arrays))


def test_defaults():
    genotypes = small()
    assert genotypes.sample_names == ("sample_0", "sample_1")
    assert genotypes.accessible.tolist() == [[10, 20]]
    assert (genotypes.num_sites, genotypes.num_haplotypes) == (3, 4)
    assert (genotypes.length, genotypes.accessible_length) == (10, 10)
    assert genotypes.ancestral_alleles == ("0", "0", "0")
    assert genotypes.sites_dropped == {}


def test_no_sites_are_allowed():
    genotypes = small(haplotypes=np.zeros((0, 4)), positions=np.zeros(0))
    assert genotypes.diversity() == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": 20}, "0 <= start < end"),
        ({"start": -1}, "0 <= start < end"),
        ({"positions": np.array([10, 10, 19])}, "site 1 at 10 follows 10"),
        ({"positions": np.array([9, 11, 19])}, "site 0 at 9 is outside"),
        ({"positions": np.array([10, 11, 20])}, "site 2 at 20 is outside"),
        ({"positions": np.array([10, 11.5, 19])}, "whole numbers"),
        ({"positions": np.array([10, 11])}, "int64 array of 3 sites"),
        ({"haplotypes": HAPLOTYPES + np.array([[0], [1], [0]])}, "site 1 at 11 holds"),
        ({"haplotypes": HAPLOTYPES[0]}, "sites x haplotypes"),
        ({"haplotypes": HAPLOTYPES[:, :3]}, "1 individuals of ploidy 2"),
        ({"ploidy": 0}, "ploidy must be at least 1"),
        ({"sample_names": ["a", "a"]}, "'a' is repeated"),
        ({"sample_names": ["a"]}, "seen 4"),
        ({"ancestral_alleles": ["A"]}, "ancestral_alleles"),
        ({"ancestral_alleles": ["0", "1", "0"]}, "site 1 at 11"),
        ({"accessible": np.array([[10, 15]])}, "site 2 at 19 is not in an accessible"),
        ({"accessible": np.array([[12, 20]])}, "site 0 at 10 is not in an accessible"),
        ({"accessible": np.array([[10, 15], [14, 20]])}, "interval 1"),
        ({"accessible": np.array([[10, 21]])}, "interval 0"),
        ({"accessible": np.zeros((0, 2))}, "at least one interval"),
        ({"accessible": np.array([10, 20])}, "intervals x 2"),
    ],
)
def test_refusals_name_the_offender(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_a_wrong_kind_of_array_is_refused():
    with pytest.raises(ValueError, match="int8"):
        replace(small(), haplotypes=HAPLOTYPES.astype(np.int64))


def test_diversity_by_hand():
    # Site 0: 4 of 6 pairs differ; site 1: 2 of 3 pairs seen; site 2: 3 of 6.
    expected = 4 / 6 + 2 / 3 + 3 / 6
    assert small().diversity() == pytest.approx(expected / 10)
    masked = small(accessible=np.array([[10, 12], [18, 20]]))
    assert masked.diversity() == pytest.approx(expected / 4)


def test_diversity_of_one_haplotype_is_refused():
    with pytest.raises(ValueError, match="at least two haplotypes"):
        small().subset([2]).diversity()


@given(
    hypothesis_numpy.arrays(np.int8, (3, 4), elements=st.integers(-1, 1)),
    st.permutations(range(4)),
)
def test_diversity_is_the_mean_over_seen_pairs(haplotypes, order):
    differences = 0.0
    for site in haplotypes:
        seen = [(a, b) for a, b in combinations(site, 2) if a >= 0 and b >= 0]
        differences += np.mean([a != b for a, b in seen]) if seen else 0.0
    genotypes = small(haplotypes=haplotypes)
    assert genotypes.diversity() == pytest.approx(differences / 10, abs=1e-12)
    assert genotypes.subset(order).diversity() == pytest.approx(genotypes.diversity())


def test_subset_of_whole_individuals_keeps_ploidy():
    chosen = small().subset([2, 3, 0, 1])
    assert chosen.sample_names == ("sample_1", "sample_0")
    assert chosen.ploidy == 2
    np.testing.assert_array_equal(chosen.haplotypes, HAPLOTYPES[:, [2, 3, 0, 1]])


def test_subset_of_single_haplotypes_is_haploid():
    chosen = small().subset(np.array([3, 0]))
    assert chosen.sample_names == ("sample_1.1", "sample_0.0")
    assert chosen.ploidy == 1
    np.testing.assert_array_equal(chosen.haplotypes, HAPLOTYPES[:, [3, 0]])


@pytest.mark.parametrize("indices", [[], [0, 0], [4], [-1]])
def test_subset_refuses_bad_indices(indices):
    with pytest.raises(ValueError, match="distinct and from 0 to 3"):
        small().subset(indices)
