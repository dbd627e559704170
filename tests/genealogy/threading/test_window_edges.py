"""A pass in windows side by side: its weights are for the density that it really draws from."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.genealogy.threading.sequential_pass import empty_graphs, thread_haplotypes
from escapement_jax.genealogy.threading.window_layout import WindowLayout
from tests.reference.tiny_genomes import TinyGenome
from tests.reference.tiny_threading import (
    CAPACITY,
    PAIR,
    check_evidence,
    choose,
    every,
    sequential_pass,
    trees_per_bin,
)

LONG_PAIR = TinyGenome(num_haplotypes=2, num_levels=3, num_bins=8, genotype_error=0.02, seed=10)
LONG_THREE = TinyGenome(num_haplotypes=3, num_levels=3, num_bins=8, genotype_error=0.02, seed=11)
TRUNKS = 4000
HALVES = WindowLayout(num_chunks=4, size=2)
"""Two windows of four bins; the overlap holds the two bins on either side of the edge."""


@pytest.mark.slow
def test_an_overlap_of_the_whole_genome_is_exact():
    """Two chunks are the overlap of the edge between them."""
    exact = PAIR.oracle.log_evidence(PAIR.data)
    np.testing.assert_allclose(sequential_pass(PAIR, 1)[1], exact, rtol=0, atol=1e-10)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("chunks_per_window", [1, 2])
def test_mean_weight_of_a_pair_is_the_evidence(chunks_per_window):
    exact = LONG_PAIR.oracle.log_evidence(LONG_PAIR.data)
    check_evidence(exact, sequential_pass(LONG_PAIR, chunks_per_window)[1])


@cache
def threaded():
    """The third haplotype on many graphs of two, whole and in windows, and the log weights.

    Where records of the trunk fill a window nothing could change inside: no such trunk is taken.
    """
    genome, draws = LONG_THREE, 2 * TRUNKS
    trunks = empty_graphs(every(0, draws), 3, genome.chunks, CAPACITY)
    trunks, _ = thread_haplotypes(
        jax.random.key(0), trunks, genome.chunks, every(1, draws), genome.model
    )
    record = np.concatenate([np.asarray(graph.moved) >= 0 for graph in trunks], axis=1)
    open_window = ~(record[:, 1:4].all(1) | record[:, 5:8].all(1))
    trunks = choose(trunks, np.flatnonzero(open_window)[:TRUNKS])
    return record[open_window][:TRUNKS, 4], [
        thread_haplotypes(
            jax.random.key(1), trunks, genome.chunks, every(2, TRUNKS), genome.model, layout
        )
        for layout in (WindowLayout.whole(4), HALVES)
    ]


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("record_at_edge", [False, True])
def test_mean_weight_on_a_trunk_is_its_evidence(record_at_edge):
    """`E exp(log w - log Z) = 1` on every trunk; five standard errors, false alarms below 1e-6."""
    at_edge, ((_, evidence), (_, weight)) = threaded()
    ratio = np.exp(weight - evidence)[at_edge == record_at_edge]
    stderr = ratio.std(ddof=1) / np.sqrt(ratio.size)
    assert ratio.size > 100
    assert 0 < stderr < 0.1
    assert abs(ratio.mean() - 1) < 5 * stderr


@pytest.mark.statistical
def test_weighted_draws_follow_the_exact_law():
    """A weight that is right on average but not for its draw would shift these.

    Five standard errors of five differences, made of the same trunks: false alarms below 1e-5.
    """
    _, ((whole, evidence), (windows, weight)) = threaded()
    ratio = np.exp(weight - evidence)
    difference = ratio * joins(windows) - joins(whole)
    stderr = difference.std(1, ddof=1) / np.sqrt(TRUNKS)
    assert (np.abs(difference.mean(1)) < 5 * stderr).all()


def joins(graphs) -> np.ndarray:
    """Where the third haplotype joins on both sides of the edge, and its recombinations."""
    left, right = trees_per_bin(graphs[1])[:, 1], trees_per_bin(graphs[2])[:, 0]
    records = sum((np.asarray(graph.moved) >= 0).sum(1) for graph in graphs)
    levels = [tree[:, 2, other] for tree in (left, right) for other in (0, 1)]
    return np.stack([*levels, records]).astype(float)


def test_neighbouring_chunks_agree_on_the_tree_between_them():
    _, (_, (windows, _)) = threaded()
    for left, right in zip(windows[:-1], windows[1:], strict=True):
        ends = jax.vmap(lambda trees, index: trees[index])(left.trees, left.has_record.sum(1))
        np.testing.assert_array_equal(ends, right.trees[:, 0])


@pytest.mark.slow
def test_windows_that_no_path_can_cross_are_refused():
    """Without recombination the positions at two edges would have to be the same."""
    genome = LONG_PAIR
    second = genome.chunks[1]
    none = replace(second, recombination=jnp.zeros_like(second.recombination))
    still = [genome.chunks[0], none, *genome.chunks[2:]]
    graphs = empty_graphs(every(0, 64), 2, still, CAPACITY)
    with pytest.raises(ValueError, match="use fewer windows"):
        thread_haplotypes(
            jax.random.key(0), graphs, still, every(1, 64), genome.model, WindowLayout(4, 1)
        )
