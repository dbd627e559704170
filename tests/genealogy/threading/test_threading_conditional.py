"""One threading, given the graph of the others, against the enumeration of all that it can add.

`Z = sum_G p(D, G) / p(D', G')` over the graphs `G` of which `G'` is left without the last
haplotype, and the thread drawn makes `G` with probability `p(D, G) / (Z p(D', G'))`.
"""

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from escapement_jax.genealogy.threading.sequential_pass import (
    graph_draws,
    graph_log_density,
    remove_haplotypes,
    thread_haplotypes,
)
from tests.reference.enumerated_graphs import Recombination, level_matrix, lump, root_level
from tests.reference.pearson import pearson_p_value
from tests.reference.tiny_genomes import TinyGenome, tree_per_bin
from tests.reference.tiny_threading import (
    DRAWS,
    FOUR,
    FOUR_FINE,
    FOUR_UNSEEN,
    FOUR_WITH_ERROR,
    THREE,
    Graphs,
    beside_all,
    choose,
    every,
    sequential_pass,
    thread_without_refresh,
    trees_per_bin,
)

GENOMES = [
    pytest.param(THREE, id="n3"),
    pytest.param(FOUR, id="n4"),
    pytest.param(FOUR_WITH_ERROR, id="n4-error"),
    pytest.param(FOUR_FINE, id="n4-K4", marks=pytest.mark.slow),
]


def trunks_of(genome: TinyGenome) -> Graphs:
    """Graphs of all haplotypes but the last."""
    graphs, _ = sequential_pass(genome)
    return remove_haplotypes(graphs, every(genome.num_haplotypes - 1))


def is_own(event: Recombination, genome: TinyGenome) -> bool:
    """Whether nothing is left of a recombination when the last haplotype is taken out."""
    others = event.moved - {genome.num_haplotypes - 1}
    return not others or event.level > root_level(lump(genome.oracle.trees[event.before]))


def log_sum_over_threads(genome: TinyGenome, trunk: GraphDraw) -> float:
    """Log of the sum of `p(D, G)` over all graphs of which the trunk is left."""
    oracle, last = genome.oracle, genome.num_haplotypes - 1
    emission = oracle.emissions(genome.data)
    lumped = np.stack([level_matrix(lump(tree)) for tree in oracle.trees])
    trunk_trees = tree_per_bin(trunk, genome.num_bins)[:, None, :last, :last]
    fits = (trunk_trees == lumped[None]).all((2, 3))
    segment_of = dict(zip(trunk.first_bin[1:], range(1, trunk.num_segments), strict=True))
    forward = oracle.prior * emission[0] * fits[0]
    for here in range(1, genome.num_bins):
        rate = np.minimum(genome.bins.recombination[here], 0.95 / oracle.lengths)
        step = np.zeros((len(oracle.trees), len(oracle.trees)))
        if here in segment_of:
            segment = segment_of[here]
            before, member = trunk.trees[segment - 1], trunk.moved[segment]
            level = trunk.cut_level[segment]
            moved = frozenset(np.flatnonzero(before[member, :last] < level).tolist())
        else:
            step += np.diag(1 - rate * oracle.lengths)
        for event in oracle.recombinations:
            own = is_own(event, genome)
            if here in segment_of:
                takes_part = not own and event.level == level and event.moved - {last} == moved
            else:
                takes_part = own
            step[event.before, event.after] += takes_part * rate[event.before] * event.density
        forward = (forward @ step) * emission[here] * fits[here]
    return float(np.log(forward.sum()))


@pytest.mark.parametrize("genome", GENOMES)
def test_evidence_is_the_sum_over_all_threads(genome):
    """To rounding, for each of forty trunks."""
    trunks = trunks_of(genome)
    leaves = every(genome.num_haplotypes - 1)
    _, evidence = thread_haplotypes(jax.random.key(0), trunks, genome.chunks, leaves, genome.model)
    density = graph_log_density(trunks, genome.chunks, genome.model)
    chosen = np.arange(40)
    draws = graph_draws(choose(trunks, chosen), genome.num_bins)
    assert sum(draw.silent.sum() for draw in draws) > 3
    assert sum(len(draw.visible_records) for draw in draws) > 3
    exact = [log_sum_over_threads(genome, draw) for draw in draws]
    np.testing.assert_allclose(evidence[chosen] + density[chosen], exact, rtol=0, atol=1e-9)


def trunks_with_records(trunks: Graphs, genome: TinyGenome, silent: bool) -> list[int]:
    """Of the draws that have such a record, two with the fewest records and two with the most."""
    draws = graph_draws(choose(trunks, np.arange(400)), genome.num_bins)
    found = sorted(
        (draw.num_segments, number)
        for number, draw in enumerate(draws)
        if (draw.silent.any() if silent else draw.visible_records)
    )
    return [number for _, number in found[:2] + found[-2:]]


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("silent", [True, False], ids=["silent", "visible"])
def test_threads_are_drawn_from_their_conditional_law(silent):
    """Pearson's statistic of 12,000 threads per trunk; false alarms 1e-5 per trunk.

    Graphs that are expected fewer than twenty times are counted together.
    """
    genome = FOUR_UNSEEN
    trunks, leaf = trunks_of(genome), genome.num_haplotypes - 1
    for number in trunks_with_records(trunks, genome, silent):
        trunk = choose(trunks, np.full(DRAWS, number))
        key = jax.random.key(number)
        _, evidence = thread_haplotypes(key, trunk, genome.chunks, every(leaf), genome.model)
        beside = [beside_all(graph, jnp.asarray(leaf, jnp.int32)) for graph in trunk]
        grown, again = thread_without_refresh(key, beside, genome)
        np.testing.assert_allclose(again, evidence, rtol=0, atol=1e-9)
        log_ratio = graph_log_density(grown, genome.chunks, genome.model) - evidence
        log_ratio -= graph_log_density(trunk, genome.chunks, genome.model)
        fields = [
            np.concatenate(
                [trees_per_bin(g).reshape(DRAWS, -1), np.asarray(g.moved), np.asarray(g.cut_level)],
                axis=1,
            )
            for g in grown
        ]
        names = [row.tobytes() for row in np.concatenate(fields, axis=1)]
        expected = dict(zip(names, DRAWS * np.exp(log_ratio), strict=True))
        assert pearson_p_value(Counter(names), expected, DRAWS) > 1e-5
