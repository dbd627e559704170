"""Potentials change what is drawn, and never what it is worth."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.genealogy.model.local_trees import ABSENT
from escapement_jax.genealogy.model.pruned_tree import PrunedTree
from escapement_jax.genealogy.threading import sequential_pass as passes
from escapement_jax.genealogy.threading.carrier_look_ahead import CarrierLookAhead
from escapement_jax.genealogy.threading.look_ahead import PairLookAhead, mean_below
from escapement_jax.genealogy.threading.particle_evidence import (
    particle_evidence,
    systematic_choice,
)
from escapement_jax.genealogy.threading.window_layout import WindowLayout
from tests.reference.tiny_genomes import TinyGenome
from tests.reference.tiny_threading import (
    CAPACITY,
    FOUR,
    THREE,
    check_evidence,
    orders_of,
    sequential_pass,
)


def random_tables(genome: TinyGenome, strength: float) -> list[PairLookAhead]:
    """Potentials that know nothing."""
    rng = np.random.default_rng(1)
    size, levels = genome.num_haplotypes, genome.num_levels
    bins = genome.chunks[0].recombination.shape[0]
    shape = (size, bins, size, levels)
    return [PairLookAhead(jnp.asarray(strength * rng.normal(size=shape))) for _ in genome.chunks]


def look_aheads(genome: TinyGenome, name: str) -> list:
    if name == "tables":
        return random_tables(genome, 0.3)
    if name == "zero":
        return random_tables(genome, 0.0)
    return [CarrierLookAhead.of(genome.model)] * len(genome.chunks)


@cache
def pass_with(genome: TinyGenome, name: str, chunks_per_window: int | None = None):
    """Graphs and log weights of a pass with look-ahead, keys as in `sequential_pass`."""
    layout = WindowLayout(len(genome.chunks), chunks_per_window or len(genome.chunks))
    orders = jnp.asarray(orders_of(genome))
    graphs = passes.empty_graphs(orders[:, 0], genome.num_haplotypes, genome.chunks, CAPACITY)
    log_weights = np.zeros(orders.shape[0])
    for index in range(1, genome.num_haplotypes):
        graphs, log_weight = passes.thread_haplotypes(
            jax.random.key(100 * genome.seed + index),
            graphs,
            genome.chunks,
            orders[:, index],
            genome.model,
            layout,
            look_aheads(genome, name),
        )
        log_weights += log_weight
    return graphs, log_weights


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("genome", "name", "window"),
    [
        pytest.param(FOUR, "carriers", None, id="n4-carriers"),
        pytest.param(THREE, "tables", None, id="n3-tables"),
        pytest.param(THREE, "tables", 1, id="n3-tables-windows"),
    ],
)
def test_mean_weight_is_the_evidence_whatever_the_potentials(genome, name, window):
    log_weights = pass_with(genome, name, window)[1]
    check_evidence(genome.oracle.log_evidence(genome.data), log_weights)


def test_potentials_of_zero_give_the_draws_of_no_potentials_bit_for_bit():
    graphs, log_weights = pass_with(THREE, "zero")
    expected, expected_weights = sequential_pass(THREE)
    np.testing.assert_array_equal(log_weights, expected_weights)
    jax.tree.map(np.testing.assert_array_equal, graphs, expected)


@pytest.mark.statistical
def test_particle_evidence_is_unbiased_and_tighter_than_the_pass():
    """Four standard errors of 60 estimates from 100 draws each; false alarms 6e-5."""
    genome = FOUR
    estimates = np.array(
        [
            particle_evidence(
                jax.random.key(seed),
                jnp.arange(4, dtype=jnp.int32),
                genome.chunks,
                genome.model,
                draws=100,
                capacity=CAPACITY,
                look_ahead=look_aheads(genome, "carriers"),
            ).log_evidence
            for seed in range(60)
        ]
    )
    exact = genome.oracle.log_evidence(genome.data)
    ratio = np.exp(estimates - exact)
    assert abs(ratio.mean() - 1) < 4 * ratio.std(ddof=1) / np.sqrt(ratio.size)
    assert estimates.mean() > pass_with(genome, "carriers")[1].mean()


def test_systematic_choice_takes_draws_in_proportion_to_their_weight():
    weights = np.array([0.0, 1.0, 2.5, 0.5, 0.0])
    places = (np.arange(1000) + 0.5) / 1000
    counts = [np.bincount(systematic_choice(weights, u), minlength=5) for u in places]
    expected = 5 * weights / weights.sum()
    np.testing.assert_allclose(np.mean(counts, 0), expected, atol=2e-3)
    assert (np.abs(np.array(counts) - expected) < 1).all()


def test_a_lineage_has_the_mean_of_the_haplotypes_below_it():
    """Two cherries, 0-1 at level 0 and 2-3 at level 1, that meet at level 2; 4 is threaded."""
    forest = np.full((5, 5), ABSENT, np.int8)
    forest[:4, :4] = 2
    forest[0, 1] = forest[1, 0] = 0
    forest[2, 3] = forest[3, 2] = 1
    np.fill_diagonal(forest, -1)
    clade = np.arange(5) == 4
    zero = jnp.zeros((), jnp.int32)
    tree = PrunedTree(jnp.asarray(forest), jnp.asarray(clade), jnp.ones(5, bool), zero)
    pairs = np.random.default_rng(0).normal(size=(5, 3))
    found = np.asarray(mean_below(jnp.asarray(pairs), tree))
    blocks = [[(0, 1), (2,), (3,)], [(0, 1), (2, 3)], [(0, 1, 2, 3)]]
    for level, groups in enumerate(blocks):
        for group in groups:
            mean = np.log(np.mean(np.exp(pairs[list(group), level])))
            np.testing.assert_allclose(found[list(group), level], mean, rtol=1e-12)
