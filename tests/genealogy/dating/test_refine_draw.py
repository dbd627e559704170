import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from escapement_jax.genealogy.dating.coalescent_clock import CoalescentClock
from escapement_jax.genealogy.dating.refine_draw import _Refinement, refine_draw
from escapement_jax.genealogy.dating.tree_history import NO_ITEM, TreeHistoryBuilder
from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from tests.reference.random_graphs import random_draw

NUM_BINS = 50
EDGES = np.array([0.0, 100.0, 400.0, 1500.0, 5000.0, 20000.0])
TIMES = np.array([40.0, 220.0, 800.0, 2800.0, 11000.0, 31000.0])
CLOCK = CoalescentClock(
    np.array([0.0, 1000.0]), np.array([1 / 2000, 1 / 20_000]), np.array([0, 0.5])
)


def refine(draw, num_levels, seed):
    generator = np.random.default_rng(seed)
    return refine_draw(draw, EDGES[:num_levels], TIMES[:num_levels], CLOCK, generator)


@given(seed=st.integers(0, 10**6), num_haplotypes=st.integers(2, 6), num_levels=st.integers(3, 6))
def test_levels_are_kept_and_times_are_in_order(seed, num_haplotypes, num_levels):
    generator = np.random.default_rng(seed)
    draw = random_draw(generator, num_haplotypes, num_levels, 30, NUM_BINS)
    history = refine(draw, num_levels, seed)
    pairs = np.stack(np.triu_indices(num_haplotypes, 1), axis=1)
    bins = np.arange(NUM_BINS)
    times = history.pairwise_tmrca(bins, pairs)
    levels = draw.trees[draw.segment_of_bin(bins)][:, pairs[:, 0], pairs[:, 1]].T
    found = np.searchsorted(EDGES[:num_levels], times, side="right") - 1
    np.testing.assert_array_equal(found, levels)
    items = history.item_times(np.arange(history.num_segments))
    above = np.take_along_axis(items, np.maximum(history.parents, 0), axis=1)
    assert ((above > items) | (history.parents == NO_ITEM)).all()
    visible = history.num_segments - 1
    assert len(draw.visible_records) <= visible
    assert visible + history.num_silent == draw.num_segments - 1
    assert len(np.unique(history.times)) == len(history.times)


@given(seed=st.integers(0, 10**6))
def test_cuts_lie_on_the_branch_and_in_the_piece_of_their_record(seed):
    draw = random_draw(np.random.default_rng(seed), 6, 6, 30, NUM_BINS)
    history = refine(draw, 6, seed)
    record_of = {int(b): i for i, b in enumerate(draw.first_bin)}
    times = history.item_times(np.arange(history.num_segments))
    for segment in range(1, history.num_segments):
        record, cut = record_of[int(history.first_bin[segment])], history.cut_times[segment]
        level, child = draw.cut_level[record], history.cut_item[segment]
        assert np.append(0, TIMES)[level] <= cut <= TIMES[level]
        for tree in (segment - 1, segment):
            assert times[tree, child] < cut < times[tree, history.parents[tree, child]]
        assert history._ancestry(np.array([segment - 1]))[0, draw.moved[record], child]


def test_a_lineage_joins_a_branch_with_the_probability_of_smc():
    tree = TreeHistoryBuilder(3)
    root = tree.merge(tree.merge(0, 1, 600.0), 2, 1700.0)
    tree.start()
    assert tree.parent[root] == NO_ITEM
    refinement = _Refinement(tree, EDGES, TIMES, CLOCK, np.random.default_rng(0))
    cut = 200.0

    def density(time):
        lineages = 3 - (time > 600) - (time > 1700)
        apart = integrate.quad(
            lambda s: (3 - (s > 600) - (s > 1700)) * CLOCK.rates[int(s > 1000)],
            cut,
            time,
            points=[p for p in (600, 1000, 1700) if p < time],
        )[0]
        assert lineages >= 1
        return CLOCK.rates[int(time > 1000)] * np.exp(-apart)

    for time in (350.0, 900.0, 1500.0, 4000.0):
        expected = integrate.quad(density, cut, time, points=[600, 1000, 1700], limit=200)[0]
        found = refinement._joined_by(cut, np.array([time]))[0]
        assert found == pytest.approx(expected, rel=1e-6)
    # In the end it joins something: each time in proportion to the lineages there.
    ends = refinement._joined_by(cut, np.array([600.0, 1700.0, np.inf]))
    assert 3 * ends[0] + 2 * (ends[1] - ends[0]) + (ends[2] - ends[1]) == pytest.approx(1)


@pytest.mark.statistical
def test_lineages_that_merge_in_one_level_merge_in_every_order():
    star = np.where(np.eye(3, dtype=bool), -1, 3).astype(np.int8)
    draw = GraphDraw(star[None], *(np.zeros(1, np.int32),) * 3)
    first = [refine(draw, 6, seed).parents[0, :3].tolist().index(4) for seed in range(900)]
    counts = np.bincount(first, minlength=3)  # the sample that stays out of the first merger
    assert (np.abs(counts - 300) < 5 * np.sqrt(200)).all()
