import numpy as np
import tskit
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy.dating.coalescent_clock import CoalescentClock
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.graph.graph_nodes import RECOMBINATION_NODE
from escapement_jax.genealogy.tree_sequences.graph_to_tree_sequence import history_to_tree_sequence
from tests.reference.random_graphs import random_genotypes
from tests.reference.smc_simulator import simulate_history

START, END, NUM_BINS = 1000, 3000, 200
BIN_EDGES = np.linspace(START, END, NUM_BINS + 1)
CLOCK = CoalescentClock(np.zeros(1), np.array([1 / 2000]), np.zeros(1))

cases = given(seed=st.integers(0, 10**6), num_samples=st.integers(2, 7))


def random_case(seed, num_samples):
    generator = np.random.default_rng(seed)
    history = simulate_history(generator, num_samples, CLOCK, 2e-3, NUM_BINS)
    genotypes = random_genotypes(generator, num_samples, 8, START, END)
    return history, genotypes, history_to_tree_sequence(history, BIN_EDGES, genotypes, seed=1)


@cases
def test_local_trees_are_those_of_the_history(seed, num_samples):
    history, _, tree_sequence = random_case(seed, num_samples)
    pairs = np.stack(np.triu_indices(num_samples, 1), axis=1)
    bins = np.arange(0, NUM_BINS, 3)
    times = history.pairwise_tmrca(bins, pairs)
    for column, index in enumerate(bins):
        tree = tree_sequence.at((BIN_EDGES[index] + BIN_EDGES[index + 1]) / 2)
        assert tree.num_roots == 1
        assert [tree.tmrca(a, b) for a, b in pairs] == times[:, column].tolist()


@cases
def test_every_record_is_two_recombination_nodes_at_one_time(seed, num_samples):
    history, genotypes, tree_sequence = random_case(seed, num_samples)
    nodes, edges = tree_sequence.tables.nodes, tree_sequence.tables.edges
    np.testing.assert_array_equal(tree_sequence.samples(), np.arange(num_samples))
    sides = np.flatnonzero(nodes.flags & RECOMBINATION_NODE).reshape(-1, 2)
    np.testing.assert_array_equal(nodes.time[sides[:, 0]], nodes.time[sides[:, 1]])
    np.testing.assert_array_equal(nodes.time[sides[:, 0]], history.cut_times[1:])
    positions = BIN_EDGES[history.first_bin[1:]]
    for (left, right), position in zip(sides, positions, strict=True):
        assert edges.right[edges.parent == left].max() == position
        assert edges.left[edges.parent == right].min() == position
    assert tree_sequence.metadata["silent_records"] == history.num_silent
    # No two events share a time, and each lineage ends in one event.
    events = np.concatenate([history.times, history.cut_times[1:]])
    assert len(np.unique(events)) == len(events)
    for child in np.unique(edges.child):
        ends = np.unique(nodes.time[edges.parent[edges.child == child]])
        assert len(ends) == 1
    observed = genotypes.haplotypes != -1
    found = [
        [variant.alleles[g] == genotypes.derived_alleles[site] for g in variant.genotypes]
        for site, variant in enumerate(tree_sequence.variants())
    ]
    np.testing.assert_array_equal(np.array(found)[observed], genotypes.haplotypes[observed] == 1)


def test_one_tree_has_no_recombination():
    generator = np.random.default_rng(0)
    history = simulate_history(generator, 4, CLOCK, 1e-12, NUM_BINS)
    genotypes = Genotypes.from_arrays(
        np.array([[0, 1, 1, 0]], np.int8), np.array([1500]), start=START, end=END
    )
    tree_sequence = history_to_tree_sequence(history, BIN_EDGES, genotypes, seed=1)
    assert tree_sequence.num_nodes == 7
    assert not (tree_sequence.nodes_flags & RECOMBINATION_NODE).any()
    assert tree_sequence.at(1500).total_branch_length > 0
    assert tree_sequence.num_sites == 1
    assert isinstance(tree_sequence, tskit.TreeSequence)
