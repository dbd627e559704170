import dataclasses

import jax.numpy as jnp
import msprime
import numpy as np
import pytest
import tskit

from escapement_jax.genealogy.dating.coalescent_clock import CoalescentClock
from escapement_jax.genealogy.dating.full_graph_density import full_graph_log_density
from escapement_jax.genealogy.dating.history_graph import graph_of_history
from escapement_jax.genealogy.dating.redating_target import (
    HistoryBatch,
    RedatingState,
    redating_log_density,
    visible_records,
)
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.graph.graph_nodes import RECOMBINATION_NODE
from tests.reference.smc_simulator import NUM_BINS, simulate_history

SIZE = 1000.0
CONSTANT = PiecewiseConstant.constant(SIZE)
CLOCK = CoalescentClock.of(CONSTANT)
BIN_EDGES = np.arange(NUM_BINS + 1.0)


def hudson_graph(seed, recombination_rate, num_samples=5):
    return msprime.sim_ancestry(
        num_samples,
        ploidy=1,
        population_size=2 * SIZE,
        sequence_length=1000,
        recombination_rate=recombination_rate,
        discrete_genome=False,
        record_full_arg=True,
        random_seed=seed,
    )


def smc_history(seed, num_samples=5, recombination=2e-3):
    return simulate_history(np.random.default_rng(seed), num_samples, CLOCK, recombination)


def to_tree_sequence(history):
    nodes = graph_of_history(history, BIN_EDGES)
    tables = tskit.TableCollection(BIN_EDGES[-1])
    flags = np.array(nodes.flags, np.uint32)
    flags[: history.num_samples] = tskit.NODE_IS_SAMPLE
    tables.nodes.set_columns(flags=flags, time=np.array(nodes.times))
    for left, right, parent, child in nodes.edges:
        tables.edges.add_row(left, right, parent, child)
    tables.sort()
    return tables.tree_sequence()


def num_gaps(graph):
    """Edges of one lineage that leave bases out between them."""
    edges = sorted(graph.edges(), key=lambda edge: (edge.child, edge.left))
    following = zip(edges[:-1], edges[1:], strict=True)
    return sum(a.child == b.child and a.right < b.left for a, b in following)


@pytest.mark.parametrize("recombination_rate", [1e-7, 1e-6, 3e-6])
def test_hudson_is_msprimes(recombination_rate):
    gaps = 0
    for seed in range(1, 9):
        graph = hudson_graph(seed, recombination_rate)
        expected = msprime.log_arg_likelihood(graph, recombination_rate, Ne=SIZE)
        found = full_graph_log_density(graph, recombination_rate, CONSTANT)
        assert found == pytest.approx(expected, rel=1e-10)
        gaps += num_gaps(graph)
    assert gaps > 0 or recombination_rate < 1e-6


def test_our_graphs_are_full_ones_for_msprime():
    for seed in range(5):
        graph = to_tree_sequence(smc_history(seed))
        rate = 2e-3 / NUM_BINS
        expected = msprime.log_arg_likelihood(graph, rate, Ne=SIZE)
        found = full_graph_log_density(graph, rate, CONSTANT)
        assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("size", ["constant", "changing"])
def test_smc_is_the_product_along_the_genome(size):
    sizes = CONSTANT
    if size == "changing":
        sizes = PiecewiseConstant(
            jnp.array([0.0, 300.0, 2500.0]), jnp.array([400.0, 3000.0, 900.0])
        )
    clock, rate = CoalescentClock.of(sizes), 2e-3 / NUM_BINS
    for seed in range(6):
        history = smc_history(seed, num_samples=3 + seed)
        # Segments as long as the graph's: the boundary belongs to the tree at its left.
        crossing = np.append(0.0, np.full(NUM_BINS - 1, rate))
        batch = HistoryBatch.of([history], crossing, np.zeros(NUM_BINS))
        exposure = np.diff(np.append(history.first_bin, NUM_BINS)) * rate
        batch = dataclasses.replace(batch, length_rate=exposure)
        times = np.append(history.times, 0.0)
        records, nothing = visible_records(batch, [history], times), np.zeros(0, int)
        along = redating_log_density(batch, RedatingState(times, records, nothing, nothing), clock)[
            0
        ]
        child, old, new = times[records.ends]
        # Fractions to times, and recombination as a density along the genome.
        along += (np.log(rate) - np.log(np.minimum(old, new) - child)).sum()
        graph = to_tree_sequence(history)
        whole = full_graph_log_density(graph, rate, sizes, law="smc")
        assert whole == pytest.approx(along, rel=1e-10)
        assert len(child) > 2


def test_the_laws_agree_on_one_recombination_and_part_on_many():
    rate = 2e-3 / NUM_BINS
    histories = [smc_history(seed, num_samples=3, recombination=1.5e-4) for seed in range(40)]
    single = [history for history in histories if history.num_segments == 2]
    assert len(single) > 5
    for history in single:
        graph = to_tree_sequence(history)
        smc, hudson = (
            full_graph_log_density(graph, rate, CONSTANT, law=law) for law in ("smc", "hudson")
        )
        assert smc == pytest.approx(hudson, rel=1e-12)
    graph = to_tree_sequence(smc_history(0))
    # Hudson's lineages without a base in common would have coalesced.
    smc, hudson = (
        full_graph_log_density(graph, rate, CONSTANT, law=law) for law in ("smc", "hudson")
    )
    assert smc > hudson


def test_two_lineages_in_closed_form():
    tables = tskit.TableCollection(10.0)
    for time in (0.0, 0.0, 700.0):
        tables.nodes.add_row(flags=int(time == 0), time=time)
    for child in (0, 1):
        tables.edges.add_row(0.0, 10.0, 2, child)
    sizes = PiecewiseConstant(jnp.array([0.0, 500.0]), jnp.array([1000.0, 200.0]))
    expected = -np.log(400) - 500 / 2000 - 200 / 400 - 1e-5 * 10 * 1400
    for law in ("hudson", "smc"):
        found = full_graph_log_density(tables.tree_sequence(), 1e-5, sizes, law=law)
        assert found == pytest.approx(expected, rel=1e-12)


def test_graphs_that_are_not_full_are_refused():
    polytomy = tskit.Tree.generate_star(3, branch_length=10.0).tree_sequence
    with pytest.raises(ValueError, match="node 3 has 3 children"):
        full_graph_log_density(polytomy, 1e-8, CONSTANT)
    graph = to_tree_sequence(smc_history(0))
    tables = graph.dump_tables()
    side = int(np.flatnonzero(tables.nodes.flags & RECOMBINATION_NODE)[0])
    tables.edges.replace_with(tables.edges[tables.edges.parent != side])
    with pytest.raises(ValueError, match="1 recombination nodes above it"):
        full_graph_log_density(tables.tree_sequence(), 1e-8, CONSTANT)
