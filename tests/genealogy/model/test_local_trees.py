"""Level matrices against partitions spelled out as sets.

All arrays have room for `SIZE` haplotypes, so that one compilation serves trees of any size.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy.model import local_trees
from escapement_jax.genealogy.model.local_trees import ABSENT
from tests.reference.level_matrices import block, lineages, partial_tree, root_level
from tests.reference.pruned_trees import haplotype_beside, lineage_pruned, parts

SIZE, LEVELS = 7, 6
TIMES = np.array([3.0, 10.0, 40.0, 100.0, 450.0, 2000.0])

merge_levels = jax.jit(local_trees.merge_levels)
representatives = jax.jit(partial(local_trees.representatives, num_levels=LEVELS))
lineages_merged = jax.jit(partial(local_trees.lineages_merged, num_levels=LEVELS))
lineage_counts = jax.jit(local_trees.lineage_counts)
tree_length = jax.jit(local_trees.tree_length)
merge_parents = jax.jit(local_trees.merge_parents)
spread_to_members = jax.jit(local_trees.spread_to_members)
jitted_root_level = jax.jit(local_trees.root_level)
graft = jax.jit(local_trees.graft)
separate = jax.jit(local_trees.separate)
detach = jax.jit(local_trees.detach)


@st.composite
def trees(draw, smallest=1, largest=SIZE - 1):
    """A random tree and its haplotypes; at least one haplotype is absent."""
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    num_present = draw(st.integers(smallest, largest))
    return partial_tree(generator, SIZE, num_present, draw(st.integers(3, LEVELS)))


@given(trees())
def test_a_haplotype_represents_its_block_up_to_its_merge_level(case):
    tree, present = case
    merged = np.asarray(merge_levels(tree))
    is_lineage = np.asarray(representatives(merged, present))
    for member in np.flatnonzero(present):
        first = [min(block(tree, member, level)) == member for level in range(LEVELS)]
        assert merged[member] == (ABSENT if all(first) else first.index(False))
        np.testing.assert_array_equal(is_lineage[member], first)
    assert (merged[~present] == ABSENT).all()
    assert not is_lineage[~present].any()


@given(trees())
def test_lineages_are_counted(case):
    tree, present = case
    entering, leaving = lineage_counts(representatives(merge_levels(tree), present), present)
    counts = [len(lineages(tree, present, level)) for level in range(-1, LEVELS)]
    np.testing.assert_array_equal(entering, counts[:-1])
    np.testing.assert_array_equal(leaving, counts[1:])


@given(trees())
def test_mergers_into_every_block_are_counted(case):
    tree, present = case
    merged_count = lineages_merged(tree, merge_levels(tree))
    for member in np.flatnonzero(present):
        for level in range(LEVELS):
            mine = block(tree, member, level)
            merging = [other for other in lineages(tree, present, level - 1) if other <= mine]
            assert merged_count[member, level] == len(merging)


@given(trees())
def test_lineages_merge_into_the_first_of_their_block(case):
    tree, present = case
    merged = np.asarray(merge_levels(tree))
    parents = merge_parents(tree, merged)
    for member in np.flatnonzero(present & (merged < ABSENT)):
        assert parents[member] == min(block(tree, member, merged[member]))


@given(trees())
def test_members_of_a_block_share_what_its_first_has(case):
    tree, present = case
    table = np.arange(SIZE * LEVELS).reshape(SIZE, LEVELS)
    merged = merge_levels(tree)
    spread = np.asarray(spread_to_members(table, merged, merge_parents(tree, merged)))
    for member in np.flatnonzero(present):
        firsts = [min(block(tree, member, level)) for level in range(LEVELS)]
        np.testing.assert_array_equal(spread[member], table[firsts, np.arange(LEVELS)])


@given(trees())
def test_length_adds_up_the_lineages_below_the_root(case):
    tree, present = case
    merged, root = merge_levels(tree), root_level(tree, present)
    pieces = np.diff(TIMES, prepend=0.0)[: root + 1]
    counts = [len(lineages(tree, present, level - 1)) for level in range(root + 1)]
    length = tree_length(merged, present, TIMES)
    np.testing.assert_allclose(length, np.dot(pieces, counts), rtol=1e-14)
    assert jitted_root_level(merged, present) == root


def test_length_has_the_gradient_of_its_lineages():
    tree = np.array([[-1, 1, 3], [1, -1, 3], [3, 3, -1]], np.int8)
    gradient = jax.grad(tree_length, argnums=2)(merge_levels(tree), np.ones(3, bool), TIMES)
    np.testing.assert_allclose(gradient, [0.0, 1.0, 0.0, 2.0, 0.0, 0.0])


@given(trees(), st.data())
def test_a_grafted_haplotype_shares_the_lineage_from_its_level_on(case, data):
    tree, present = case
    branch = data.draw(st.sampled_from(np.flatnonzero(present).tolist()))
    level = data.draw(st.integers(0, LEVELS - 1))
    new = int(np.argmin(present))
    pruned = haplotype_beside(tree, present, new)
    grown = np.asarray(graft(*parts(pruned), np.int32(branch), np.int32(level)))
    for above in range(-1, LEVELS):
        joined = block(tree, branch, above) if above >= level else frozenset()
        assert block(grown, new, above) == joined | {new}
    np.testing.assert_array_equal(grown, grown.T)
    np.testing.assert_array_equal(detach(grown, np.int32(new)), tree)
    np.testing.assert_array_equal(separate(grown, *parts(pruned)[1:]), pruned.forest)


@given(trees(smallest=2), st.data())
def test_a_grafted_clade_shares_the_lineage_from_its_level_on(case, data):
    tree, present = case
    haplotype = data.draw(st.sampled_from(np.flatnonzero(present).tolist()))
    floor = data.draw(st.integers(0, root_level(tree, present)))
    pruned = lineage_pruned(tree, present, haplotype, floor)
    forest, clade, trunk = parts(pruned)
    branch = data.draw(st.sampled_from(np.flatnonzero(trunk).tolist()))
    level = data.draw(st.integers(floor, LEVELS - 1))
    grown = np.asarray(graft(forest, clade, trunk, np.int32(branch), np.int32(level)))
    for above in range(-1, LEVELS):
        for member in np.flatnonzero(clade):
            joined = block(forest, branch, above) if above >= level else frozenset()
            assert block(grown, member, above) == block(forest, member, above) | joined
        for member in np.flatnonzero(trunk):
            beside = block(forest, member, above)
            joined = frozenset(np.flatnonzero(clade)) if {branch} <= beside else frozenset()
            assert block(grown, member, above) == beside | (joined if above >= level else set())
    np.testing.assert_array_equal(grown, grown.T)
    np.testing.assert_array_equal(separate(grown, clade, trunk), forest)


@given(trees(smallest=2))
def test_every_lineage_can_be_put_back_where_it_was(case):
    tree, present = case
    for member in np.flatnonzero(present):
        for floor in range(root_level(tree, present) + 1):
            forest, clade, trunk = parts(lineage_pruned(tree, present, member, floor))
            np.testing.assert_array_equal(separate(tree, clade, trunk), forest)
            distance = np.where(trunk, tree[member], ABSENT)
            branch, level = np.int32(distance.argmin()), np.int32(distance.min())
            np.testing.assert_array_equal(graft(forest, clade, trunk, branch, level), tree)


@given(trees(smallest=2))
def test_a_detached_haplotype_is_absent(case):
    tree, present = case
    for member in np.flatnonzero(present):
        detached = np.asarray(detach(tree, np.int32(member)))
        assert (detached[member] == ABSENT).all()
        others = np.arange(SIZE) != member
        kept = np.ix_(others, others)
        np.testing.assert_array_equal(detached[kept], tree[kept])


def test_batches_agree_with_single_trees():
    generator = np.random.default_rng(3)
    batch, masks = zip(*(partial_tree(generator, SIZE, 5, LEVELS) for _ in range(4)), strict=True)
    merged = jax.vmap(merge_levels)(jnp.asarray(batch))
    lengths = jax.vmap(tree_length, in_axes=(0, 0, None))(merged, jnp.asarray(masks), TIMES)
    one_by_one = [
        tree_length(merge_levels(tree), mask, TIMES)
        for tree, mask in zip(batch, masks, strict=True)
    ]
    np.testing.assert_allclose(lengths, one_by_one, rtol=1e-14)
