"""The sequence of mergers, replayed, gives back every block of the tree."""

from functools import partial

import jax
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy.model import merge_order as module
from tests.reference.level_matrices import block, partial_tree

SIZE, LEVELS = 7, 6
jitted_merge_order = jax.jit(partial(module.merge_order, num_levels=LEVELS))


def merge_order(tree):
    return jax.device_get(jitted_merge_order(tree))


def members_of_nodes(order):
    """Haplotypes below every node, merger by merger."""
    members = {haplotype: frozenset([haplotype]) for haplotype in range(SIZE)}
    current = dict(members)
    for merger in np.flatnonzero(order.used):
        child, parent = order.child[merger], order.parent[merger]
        current[parent] = current.pop(child) | current[parent]
        members[SIZE + merger] = current[parent]
    return members


cases = given(
    seed=st.integers(0, 10**6),
    num_present=st.integers(1, SIZE),
    num_levels=st.integers(3, LEVELS),
)


@cases
def test_mergers_come_in_the_order_of_time(seed, num_present, num_levels):
    tree, _ = partial_tree(np.random.default_rng(seed), SIZE, num_present, num_levels)
    order = merge_order(tree)
    used = order.used
    np.testing.assert_array_equal(used, np.arange(SIZE) < num_present - 1)
    assert (np.diff(order.level[used]) >= 0).all()
    assert (order.parent[used] < order.child[used]).all()
    for merger in np.flatnonzero(used):
        assert tree[order.child[merger], order.parent[merger]] == order.level[merger]


@cases
def test_the_node_of_a_position_has_the_block_of_that_level(seed, num_present, num_levels):
    tree, present = partial_tree(np.random.default_rng(seed), SIZE, num_present, num_levels)
    order = merge_order(tree)
    members = members_of_nodes(order)
    for member in np.flatnonzero(present):
        for level in range(LEVELS):
            assert members[order.node[member, level]] == block(tree, member, level)
