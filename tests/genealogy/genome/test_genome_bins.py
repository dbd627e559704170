"""Bins and chunks: every base, site and crossing is counted once."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy.genome.genome_bins import (
    LARGEST_EXPECTED_RECOMBINATIONS,
    bin_edges,
    make_bins,
    make_chunks,
)
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.rate_map import RateMap

START, END = 1_000, 3_000
MUTATION = RateMap.constant(1e-8, START, END)
RECOMBINATION = RateMap.constant(2e-8, START, END)
TREE_LENGTH = 1e5


def make_genotypes(positions, num_haplotypes=4, accessible=None):
    haplotypes = np.arange(len(positions) * num_haplotypes).reshape(-1, num_haplotypes) % 3 - 1
    return Genotypes.from_arrays(
        haplotypes,
        np.array(positions),
        start=START,
        end=END,
        accessible=None if accessible is None else np.array(accessible),
    )


def edges_for(positions, recombination=RECOMBINATION, width=100):
    return bin_edges(
        START,
        END,
        np.array(positions, dtype=np.int64),
        recombination,
        width=width,
        expected_tree_length=TREE_LENGTH,
    )


def bins_for(genotypes, mutation=MUTATION, recombination=RECOMBINATION, width=100):
    edges = edges_for(genotypes.positions, recombination, width)
    return make_bins(genotypes, edges, mutation=mutation, recombination=recombination)


@given(
    positions=st.lists(st.integers(START, END - 1), min_size=1, max_size=60, unique=True),
    width=st.sampled_from([1, 7, 100, 5_000]),
)
def test_bins_cover_the_region_and_hold_one_site(positions, width):
    edges = edges_for(sorted(positions), width=width)
    assert (edges[0], edges[-1]) == (START, END)
    assert (edges == np.floor(edges)).all()
    assert (np.diff(edges) >= 1).all()
    assert np.diff(edges).max() <= width
    assert np.histogram(positions, edges)[0].max() == 1


def test_evenly_spaced_bins_are_left_alone():
    np.testing.assert_array_equal(edges_for([1_050, 1_150]), np.arange(START, END + 1, 100))
    # The last bin is short when the width does not divide the region.
    calm = RateMap.constant(1e-9, START, END)
    assert np.diff(edges_for([1_050], calm, width=300)).tolist() == [300] * 6 + [200]


def test_neighbouring_sites_are_parted_half_way():
    edges = edges_for([1_510, 1_511, 1_541])
    assert {1_511.0, 1_526.0} <= set(edges)
    assert edges.size == 21 + 2


def test_hotspots_are_split_until_few_recombinations_are_expected():
    rate = 49.5 * LARGEST_EXPECTED_RECOMBINATIONS / (100 * TREE_LENGTH)
    hotspot = RateMap(np.array([START, 1_500, 1_600, END]), np.array([1e-8, rate, 1e-8]))
    edges = edges_for([1_050], hotspot)
    crossings = np.diff(hotspot.cumulative(edges)) * TREE_LENGTH
    assert crossings.max() <= LARGEST_EXPECTED_RECOMBINATIONS * (1 + 1e-9)
    inside = (edges >= 1_500) & (edges <= 1_600)
    assert inside.sum() == 51
    assert (~inside).sum() == 20 - 1


@pytest.mark.parametrize("hot", [3, 10, 40])
def test_a_hotspot_narrower_than_a_bin_is_split_and_its_surroundings_are_not(hot):
    """Edges are rounded: a bin may hold one hot base more than its share."""
    per_base = 0.3 * LARGEST_EXPECTED_RECOMBINATIONS
    rates = np.array([1e-10, per_base / TREE_LENGTH, 1e-10])
    hotspot = RateMap(np.array([START, 1_530, 1_530 + hot, END]), rates)
    edges = edges_for([1_050], hotspot)
    crossings = np.diff(hotspot.cumulative(edges)) * TREE_LENGTH
    assert crossings.max() < LARGEST_EXPECTED_RECOMBINATIONS + per_base
    between = np.setdiff1d(edges, np.arange(START, END + 1, 100))
    assert ((between > 1_530) & (between < 1_530 + hot)).all()
    assert between.size == np.ceil(0.3 * hot + 1e-3) - 1


def test_one_hot_base_does_not_use_up_the_splits_of_its_neighbours():
    per_base = np.array([1_000.0, 0.5]) * LARGEST_EXPECTED_RECOMBINATIONS
    edges = np.array([START, 1_530, 1_531, 1_541, END])
    hotspot = RateMap(edges, np.array([0.0, *per_base / TREE_LENGTH, 0.0]))
    crossings = np.diff(hotspot.cumulative(edges_for([1_050], hotspot))) * TREE_LENGTH
    assert np.sort(crossings)[-1] == pytest.approx(per_base[0] + per_base[1], rel=1e-3)
    assert np.sort(crossings)[-2] <= LARGEST_EXPECTED_RECOMBINATIONS + per_base[1]


def test_no_bin_is_finer_than_a_base():
    furious = RateMap.constant(1e-3, START, END)
    np.testing.assert_array_equal(edges_for([1_050], furious), np.arange(START, END + 1))


def test_a_width_below_one_base_is_refused():
    with pytest.raises(ValueError, match="at least 1 base pair, got 0"):
        edges_for([1_050], width=0)


def test_crossings_add_up_to_the_map_between_the_outer_bins():
    uneven = RateMap(np.array([START, 1_730, END]), np.array([1e-8, 5e-8]))
    bins = bins_for(make_genotypes([1_010, 1_020, 2_777]), recombination=uneven)
    middles = (bins.edges[[0, -2]] + bins.edges[[1, -1]]) / 2
    assert bins.recombination[0] == 0
    assert bins.recombination.min() >= 0
    np.testing.assert_allclose(
        bins.recombination.sum(), np.diff(uneven.cumulative(middles))[0], rtol=1e-12
    )


@pytest.mark.parametrize("accessible", [None, [[1_000, 1_011], [1_500, 2_801]]])
def test_every_accessible_base_is_either_a_site_or_invariant(accessible):
    genotypes = make_genotypes([1_010, 1_520, 2_800], accessible=accessible)
    bins = bins_for(genotypes)
    total = bins.invariant_mutation.sum()
    np.testing.assert_allclose(total, 1e-8 * (genotypes.accessible_length - 3), rtol=1e-12)
    np.testing.assert_allclose(bins.site_mutation, 1e-8, rtol=1e-12)


def test_a_mask_empties_the_bins_it_covers():
    genotypes = make_genotypes([1_010, 2_810], accessible=[[1_000, 1_050], [2_800, 3_000]])
    bins = bins_for(genotypes)
    expected = np.zeros(20)
    expected[[0, 18, 19]] = [49e-8, 99e-8, 100e-8]
    np.testing.assert_allclose(bins.invariant_mutation, expected, atol=1e-19)


def test_mutation_maps_set_the_rate_of_bases_and_sites():
    uneven = RateMap(np.array([START, 1_150, END]), np.array([1e-8, 4e-8]))
    bins = bins_for(make_genotypes([1_110, 1_160, 2_000]), mutation=uneven)
    np.testing.assert_allclose(bins.site_mutation, [1e-8, 4e-8, 4e-8], rtol=1e-12)
    np.testing.assert_array_equal(bins.edges[1:4], [1_100, 1_135, 1_200])
    by_bin = [100e-8, 34e-8, (15 + 4 * 49) * 1e-8, 4e-6]
    np.testing.assert_allclose(bins.invariant_mutation[:4], by_bin, rtol=1e-12)
    total = uneven.cumulative(np.array([END]))[0] - 9e-8
    np.testing.assert_allclose(bins.invariant_mutation.sum(), total, rtol=1e-12)


def test_sites_must_not_share_a_bin():
    genotypes = make_genotypes([1_010, 1_120, 1_130])
    with pytest.raises(ValueError, match="sites 1120 and 1130 share a bin"):
        make_bins(
            genotypes,
            np.arange(START, END + 1, 100.0),
            mutation=MUTATION,
            recombination=RECOMBINATION,
        )


@pytest.mark.parametrize("bins_per_chunk", [7, 20, 32])
def test_chunks_hold_the_bins_in_order(bins_per_chunk):
    genotypes = make_genotypes([1_010, 1_730, 1_790, 2_450, 2_999])
    bins = bins_for(genotypes)
    chunks = make_chunks(bins, bins_per_chunk)
    assert len(chunks) == -(-bins.num_bins // bins_per_chunk)
    shapes = {tuple(array.shape for array in vars(chunk).values()) for chunk in chunks}
    assert len(shapes) == 1
    for name in ("recombination", "invariant_mutation"):
        whole = np.concatenate([getattr(chunk, name) for chunk in chunks])
        np.testing.assert_allclose(whole[: bins.num_bins], getattr(bins, name), rtol=1e-15)
        assert not whole[bins.num_bins :].any()


@pytest.mark.parametrize("bins_per_chunk", [7, 20, 32])
def test_chunks_know_the_site_of_every_bin(bins_per_chunk):
    genotypes = make_genotypes([1_010, 1_730, 1_790, 2_450, 2_999])
    bins = bins_for(genotypes)
    seen = {}
    for index, chunk in enumerate(jax.device_get(make_chunks(bins, bins_per_chunk))):
        assert (chunk.genotypes[0] == -1).all()
        assert chunk.site_mutation[0] == 0
        for here in np.flatnonzero(chunk.site_slot):
            slot = chunk.site_slot[here]
            assert chunk.site_bin[slot] == here
            assert chunk.site_mutation[slot] == pytest.approx(1e-8)
            seen[index * bins_per_chunk + here] = chunk.genotypes[slot].tolist()
        spare = np.setdiff1d(np.arange(chunk.genotypes.shape[0]), chunk.site_slot)
        assert (chunk.genotypes[spare] == -1).all()
    assert list(seen) == bins.site_bin.tolist()
    assert list(seen.values()) == genotypes.haplotypes.tolist()


def test_there_is_room_for_a_site_in_every_bin():
    genotypes = make_genotypes(np.arange(1_050, END, 100))
    (chunk,) = make_chunks(bins_for(genotypes), 32)
    assert chunk.genotypes.shape[0] > 20
    assert np.count_nonzero(chunk.site_slot) == 20
