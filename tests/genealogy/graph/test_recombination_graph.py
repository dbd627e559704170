"""Graphs of fixed shape: the empty one, and room for more records."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.genealogy.graph import recombination_graph
from escapement_jax.genealogy.graph.pruned_graph import ThreadPath, beside_graph, regraft
from escapement_jax.genealogy.graph.recombination_graph import single_haplotype_graph, with_capacity
from escapement_jax.genealogy.model.local_trees import ABSENT

HAPLOTYPES, BINS, CAPACITY = 3, 8, 4

remove_haplotype = jax.jit(recombination_graph.remove_haplotype)


@jax.jit
def add_haplotype(graph, haplotype, path):
    return regraft(beside_graph(graph, haplotype), path)


@pytest.fixture(scope="module")
def single():
    """Haplotype 1 alone."""
    return single_haplotype_graph(jnp.int32(1), HAPLOTYPES, BINS, CAPACITY)


def path_with_records(bins):
    """A path of haplotype 0 that joins 1 at level 2, or at level 3 between its records."""
    after = np.searchsorted(bins, np.arange(BINS), side="right") % 2
    own = np.isin(np.arange(BINS), bins)
    return ThreadPath(
        branch=jnp.full(BINS, 1, jnp.int32),
        level=jnp.asarray(2 + after, jnp.int32),
        entering_branch=jnp.int32(1),
        entering_level=jnp.int32(2),
        moved=jnp.asarray(np.where(own, 0, -1), jnp.int32),
        cut_level=jnp.asarray(np.where(own, 1, 0), jnp.int32),
    )


@pytest.fixture(scope="module")
def pair(single):
    """Haplotypes 0 and 1 with three records."""
    return add_haplotype(single, jnp.int32(0), path_with_records([2, 3, 7]))[0]


def assert_same(ours, theirs):
    for mine, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_single_haplotype_has_no_history(single):
    assert single.capacity == CAPACITY
    assert not single.has_record.any()
    assert not single.segment.any()
    np.testing.assert_array_equal(single.present, [False, True, False])
    tree = np.full((HAPLOTYPES, HAPLOTYPES), ABSENT)
    tree[1, 1] = -1
    np.testing.assert_array_equal(single.trees, np.stack([tree] * (CAPACITY + 1)))


def test_records_open_segments(pair):
    np.testing.assert_array_equal(pair.segment, [0, 0, 1, 2, 2, 2, 2, 3])
    np.testing.assert_array_equal(pair.moved, [-1, -1, 0, 0, -1, -1, -1, 0])
    np.testing.assert_array_equal(pair.cut_level, [0, 0, 1, 1, 0, 0, 0, 1])
    np.testing.assert_array_equal(pair.trees[:4, 0, 1], [2, 3, 2, 3])


def test_what_was_added_can_be_taken_out(single, pair):
    assert_same(remove_haplotype(pair, jnp.int32(0)), single)


def test_room_for_more_records_changes_nothing_else(pair):
    roomy = with_capacity(pair, 11)
    assert roomy.capacity == 11
    np.testing.assert_array_equal(roomy.trees[: CAPACITY + 1], pair.trees)
    for name in ("moved", "cut_level", "present", "segment"):
        np.testing.assert_array_equal(getattr(roomy, name), getattr(pair, name))
    np.testing.assert_array_equal(roomy.trees[roomy.segment], pair.trees[pair.segment])
    assert_same(with_capacity(pair, CAPACITY), pair)


def test_spare_trees_repeat_the_last(pair):
    roomy = with_capacity(pair, 9)
    for tree in roomy.trees[4:]:
        np.testing.assert_array_equal(tree, roomy.trees[3])


@pytest.mark.parametrize(("records", "full"), [([1, 2, 3, 4], False), ([1, 2, 3, 4, 5], True)])
def test_a_chunk_that_is_too_small_is_reported(single, records, full):
    graph, overflow = add_haplotype(single, jnp.int32(0), path_with_records(records))
    assert bool(overflow) is full
    roomy, overflow = add_haplotype(
        with_capacity(single, 6), jnp.int32(0), path_with_records(records)
    )
    assert not overflow
    same = np.array_equal(graph.trees[graph.segment], roomy.trees[roomy.segment])
    assert same is not full
