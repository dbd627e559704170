"""Threading against the enumeration of all graphs of a tiny genome.

`q(G) = prod_i p(G_i | G_{i-1}, D_i)`, so `prod_i Z_i = p(D, G) / q(G)`: its mean over draws is
`P(D)` exactly, for every order of the haplotypes.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from escapement_jax.genealogy.graph.graph_density import refresh_cut_levels
from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.threading.sequential_pass import (
    graph_draws,
    graph_log_density,
    remove_haplotypes,
    thread_haplotypes,
)
from tests.reference.exact_statistics import (
    check_unchanged,
    exact_statistics,
    posterior_draws,
    statistics,
)
from tests.reference.tiny_genomes import TinyGenome, block, chunked_graphs, tree_per_bin
from tests.reference.tiny_threading import (
    DRAWS,
    FOUR,
    FOUR_FINE,
    FOUR_WITH_ERROR,
    PAIR,
    PAIR_WITH_ERROR,
    THREE,
    THREE_FINE,
    THREE_WITH_ERROR,
    Graphs,
    beside_all,
    check_evidence,
    choose,
    every,
    remove_all,
    sequential_pass,
    thread_without_refresh,
    trees_per_bin,
)

slow = pytest.mark.slow
PAIRS = [pytest.param(PAIR, id="n2"), pytest.param(PAIR_WITH_ERROR, id="n2-error")]
SEVERAL = [
    pytest.param(THREE, id="n3"),
    pytest.param(THREE_WITH_ERROR, id="n3-error"),
    pytest.param(FOUR, id="n4"),
    pytest.param(FOUR_WITH_ERROR, id="n4-error"),
    pytest.param(THREE_FINE, id="n3-K4", marks=slow),
    pytest.param(FOUR_FINE, id="n4-K4", marks=slow),
]


@pytest.mark.parametrize("genome", PAIRS)
def test_evidence_of_a_pair_is_exact(genome):
    """Two haplotypes need one threading, which sums over all graphs."""
    _, log_weights = sequential_pass(genome)
    exact = genome.oracle.log_evidence(genome.data)
    np.testing.assert_allclose(log_weights, exact, rtol=0, atol=1e-10)


@pytest.mark.statistical
@pytest.mark.parametrize("genome", SEVERAL)
def test_mean_weight_is_the_evidence(genome):
    check_evidence(genome.oracle.log_evidence(genome.data), sequential_pass(genome)[1])


def oracle_log_density(genome: TinyGenome, draw: GraphDraw) -> float:
    """Log density of data and graph from the oracle's prior, events and emissions."""
    oracle, bins = genome.oracle, genome.bins
    numbers = [genome.tree_numbers[tree.tobytes()] for tree in tree_per_bin(draw, genome.num_bins)]
    total = oracle.log_prior[numbers[0]]
    total += np.log(oracle.emissions(genome.data)[np.arange(genome.num_bins), numbers]).sum()
    records = dict(zip(draw.first_bin[1:], range(1, draw.num_segments), strict=True))
    for here in range(1, genome.num_bins):
        before, after = numbers[here - 1 : here + 1]
        length = oracle.lengths[before]
        rate = min(bins.recombination[here], 0.95 / length)
        if here not in records:
            assert before == after
            total += np.log1p(-rate * length)
            continue
        level = int(draw.cut_level[records[here]])
        lineage = block(oracle.trees[before], level, int(draw.moved[records[here]]))
        total += np.log(rate * event_density(genome, before, after, lineage)[level])
    return float(total)


def event_density(
    genome: TinyGenome, before: int, after: int, lineage: frozenset[int]
) -> np.ndarray:
    """Density of the cut of a lineage at each level that leads from one tree to another."""
    density = np.zeros(genome.num_levels)
    for event in genome.oracle.recombinations:
        if (event.before, event.after, event.moved) == (before, after, lineage):
            density[event.level] += event.density
    return density


@pytest.mark.parametrize("genome", [*PAIRS, *SEVERAL])
def test_graph_density_is_that_of_the_oracle(genome):
    graphs, _ = sequential_pass(genome)
    chosen = choose(graphs, np.linspace(0, DRAWS - 1, 60).astype(int))
    ours = graph_log_density(chosen, genome.chunks, genome.model)
    draws = graph_draws(chosen, genome.num_bins)
    theirs = [oracle_log_density(genome, draw) for draw in draws]
    assert sum(draw.silent.sum() for draw in draws) > 0
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


refresh_many = jax.jit(jax.vmap(refresh_cut_levels, in_axes=(0, None, None)))
refresh_all = jax.jit(jax.vmap(refresh_cut_levels, in_axes=(0, 0, None)))


def assert_same_graphs(ours: Graphs, theirs: Graphs, cut_levels: bool) -> None:
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(trees_per_bin(a), trees_per_bin(b))
        np.testing.assert_array_equal(a.trees[:, 0], b.trees[:, 0])
        np.testing.assert_array_equal(a.moved, b.moved)
        np.testing.assert_array_equal(a.present, b.present)
        if cut_levels:
            np.testing.assert_array_equal(a.cut_level, b.cut_level)


@pytest.mark.parametrize("haplotype", range(4))
def test_threading_then_removing_gives_the_graph_back(haplotype):
    graphs, _ = sequential_pass(FOUR_WITH_ERROR)
    leaf = jnp.asarray(haplotype, jnp.int32)
    rest = [remove_all(graph, leaf) for graph in graphs]
    beside = [beside_all(graph, leaf) for graph in rest]
    grown, _ = thread_without_refresh(jax.random.key(haplotype), beside, FOUR_WITH_ERROR)
    back = [remove_all(graph, leaf) for graph in grown]
    changed = [np.asarray(a.moved) != np.asarray(b.moved) for a, b in zip(grown, rest, strict=True)]
    assert np.any(changed)
    assert_same_graphs(back, rest, cut_levels=True)


def test_removing_undoes_threading_but_for_the_refreshed_cuts():
    genome = FOUR_WITH_ERROR
    graphs, _ = sequential_pass(genome)
    for haplotype in range(genome.num_haplotypes):
        leaves = every(haplotype)
        rest = remove_haplotypes(graphs, leaves)
        grown, _ = thread_haplotypes(
            jax.random.key(haplotype), rest, genome.chunks, leaves, genome.model
        )
        assert_same_graphs(remove_haplotypes(grown, leaves), rest, cut_levels=False)


def test_every_draw_is_a_graph_on_the_grid():
    for genome in (THREE, FOUR_WITH_ERROR):
        graphs, _ = sequential_pass(genome)
        for draw in graph_draws(choose(graphs, np.arange(0, DRAWS, 40)), genome.num_bins):
            draw.validate(genome.num_levels, genome.num_bins)


def records_with_a_choice(genome: TinyGenome) -> list[tuple[GraphDraw, int, np.ndarray]]:
    """Records of some draws (draw, segment, law of the cut level) with two levels or more."""
    graphs, _ = sequential_pass(genome)
    found = []
    for draw in graph_draws(choose(graphs, np.arange(400)), genome.num_bins):
        numbers = [genome.tree_numbers[tree.tobytes()] for tree in draw.trees]
        for segment in range(1, draw.num_segments):
            before, after = numbers[segment - 1 : segment + 1]
            level, member = int(draw.cut_level[segment]), int(draw.moved[segment])
            lineage = block(genome.oracle.trees[before], level, member)
            law = event_density(genome, before, after, lineage)
            if np.count_nonzero(law) > 1:
                found.append((draw, segment, law / law.sum()))
    return found


@pytest.mark.statistical
@pytest.mark.parametrize("silent", [True, False])
def test_refreshed_cut_levels_follow_their_conditional_law(silent):
    """Pearson's statistic of 20,000 refreshments each; false alarms 1e-5 per record."""
    genome, repeats = FOUR_WITH_ERROR, 20_000
    found = [r for r in records_with_a_choice(genome) if r[0].silent[r[1]] == silent][:4]
    assert len(found) == 4
    keys = jax.random.split(jax.random.key(5), repeats)
    for draw, segment, law in found:
        refreshed = refresh_many(keys, single_chunk(draw, genome), genome.model)
        drawn = np.asarray(refreshed.cut_level[:, draw.first_bin[segment]])
        observed = np.bincount(drawn, minlength=law.size)
        possible = law > 0
        assert observed[~possible].sum() == 0
        expected = repeats * law[possible]
        statistic = ((observed[possible] - expected) ** 2 / expected).sum()
        assert statistic < chi2.isf(1e-5, possible.sum() - 1)


def single_chunk(draw: GraphDraw, genome: TinyGenome) -> RecombinationGraph:
    """One draw, without a batch axis, as a graph of one chunk."""
    present, bins = np.ones(genome.num_haplotypes, bool), genome.num_bins
    (graphs,) = chunked_graphs([draw], present, bins, bins, capacity=bins)
    return choose([graphs], 0)[0]


def test_refreshing_leaves_trees_and_records():
    genome = FOUR_WITH_ERROR
    graphs, _ = sequential_pass(genome)
    keys = jax.random.split(jax.random.key(9), DRAWS)
    refreshed = [refresh_all(keys, graph, genome.model) for graph in graphs]
    assert_same_graphs(refreshed, graphs, cut_levels=False)
    pairs = zip(refreshed, graphs, strict=True)
    assert any((np.asarray(a.cut_level) != np.asarray(b.cut_level)).any() for a, b in pairs)


@pytest.mark.statistical
@pytest.mark.parametrize(
    "genome", [pytest.param(THREE, id="n3"), pytest.param(FOUR_WITH_ERROR, id="n4", marks=slow)]
)
def test_gibbs_sweeps_leave_the_posterior_invariant(genome):
    """Weighted draws of the pass, and what two sweeps make of them, both follow the posterior.

    False alarms: 6e-5 per statistic.
    """
    graphs, effective = posterior_draws(genome)
    before = statistics(graphs, genome)
    for step in range(2 * genome.num_haplotypes):
        leaves = every(step % genome.num_haplotypes)
        key = jax.random.key(1000 + step)
        rest = remove_haplotypes(graphs, leaves)
        graphs, _ = thread_haplotypes(key, rest, genome.chunks, leaves, genome.model)
    after = statistics(graphs, genome)
    check_unchanged(before, after, exact_statistics(genome), effective)
