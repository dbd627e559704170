"""Potentials change what is drawn, and never what it is worth."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.genealogy.model.local_trees import ABSENT
from escapement_jax.genealogy.model.pruned_tree import PrunedTree
from escapement_jax.genealogy.threading import sequential_pass as passes
from escapement_jax.genealogy.threading.carrier_look_ahead import CarrierLookAhead
from escapement_jax.genealogy.threading.look_ahead import (
    LookAhead,
    PairLookAhead,
    SummedLookAhead,
    mean_below,
)
from escapement_jax.genealogy.threading.particle_evidence import (
    particle_evidence,
    systematic_choice,
)
from escapement_jax.genealogy.threading.window_layout import WindowLayout
from tests.reference.tiny_threading import CAPACITY, FOUR, check_evidence, orders_of
from tests.reference.tiny_threading import DRAWS as ALL_DRAWS

GENOME = FOUR
DRAWS, REPEATS = 400, 40


def make_look_ahead(name: str) -> Sequence[LookAhead] | None:
    """Ages of mutations; random potentials, which know nothing; potentials of zero; or none."""
    if name == "none":
        return None
    if name == "carriers":
        return [CarrierLookAhead.of(GENOME.model)] * len(GENOME.chunks)
    if name == "both":
        pairs = zip(make_look_ahead("carriers"), make_look_ahead("tables"), strict=True)
        return [SummedLookAhead(parts) for parts in pairs]
    rng = np.random.default_rng(1)
    bins = GENOME.chunks[0].recombination.shape[0]
    shape = (GENOME.num_haplotypes, bins, GENOME.num_haplotypes, GENOME.num_levels)
    strength = 0.2 if name == "tables" else 0.0
    return [PairLookAhead(jnp.asarray(strength * rng.normal(size=shape))) for _ in GENOME.chunks]


def one_pass(name: str, seed: int, chunks_per_window: int | None = None):
    """Graphs and log weights of a batch of draws, each half in an order of its own."""
    layout = WindowLayout(len(GENOME.chunks), chunks_per_window or len(GENOME.chunks))
    orders = jnp.asarray(orders_of(GENOME)[:: ALL_DRAWS // DRAWS])
    graphs = passes.empty_graphs(orders[:, 0], GENOME.num_haplotypes, GENOME.chunks, CAPACITY)
    log_weights = np.zeros(DRAWS)
    for index in range(1, GENOME.num_haplotypes):
        key = jax.random.fold_in(jax.random.key(seed), index)
        threaded = (graphs, GENOME.chunks, orders[:, index], GENOME.model, layout)
        graphs, log_weight = passes.thread_haplotypes(key, *threaded, make_look_ahead(name))
        log_weights += log_weight
    return graphs, log_weights


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize(("name", "window"), [("tables", None), ("carriers", 1), ("both", None)])
def test_mean_weight_is_the_evidence_whatever_the_potentials(name, window):
    batches = [one_pass(name, seed, window)[1].reshape(2, -1) for seed in range(REPEATS)]
    log_weights = np.concatenate(batches, axis=1).ravel()
    check_evidence(GENOME.oracle.log_evidence(GENOME.data), log_weights)


def test_potentials_of_zero_give_the_draws_of_no_potentials_bit_for_bit():
    graphs, log_weights = one_pass("zero", 0)
    expected, expected_weights = one_pass("none", 0)
    np.testing.assert_array_equal(log_weights, expected_weights)
    jax.tree.map(np.testing.assert_array_equal, graphs, expected)


def test_sums_of_rules_add_their_potentials_along_any_path():
    start = jnp.zeros(1, jnp.int32)
    graphs = passes.empty_graphs(start, GENOME.num_haplotypes, GENOME.chunks, CAPACITY)
    pruned = jax.tree.map(lambda leaf: leaf[0], passes._beside(graphs[0], start + 1))
    bins = GENOME.chunks[0].recombination.shape[0]
    path = (jnp.zeros(bins, jnp.int32), jnp.full(bins, 1, jnp.int32))

    def along(name):
        look_ahead = make_look_ahead(name)[0]
        potential = look_ahead.potential(pruned, GENOME.chunks[0], GENOME.model, None)
        return potential.of_path(*path)

    assert along("tables") != 0
    np.testing.assert_allclose(along("both"), along("carriers") + along("tables"), rtol=1e-12)


@pytest.mark.statistical
def test_particle_evidence_is_unbiased_and_tighter_than_the_pass():
    """Four standard errors of 20 estimates from 400 draws each; false alarms 6e-5."""
    settings = {"draws": DRAWS, "capacity": CAPACITY, "look_ahead": make_look_ahead("carriers")}
    order = jnp.arange(GENOME.num_haplotypes, dtype=jnp.int32)
    genome = (GENOME.chunks, GENOME.model)
    found = [particle_evidence(jax.random.key(i), order, *genome, **settings) for i in range(20)]
    estimates = np.array([one.log_evidence for one in found])
    ratio = np.exp(estimates - GENOME.oracle.log_evidence(GENOME.data))
    assert abs(ratio.mean() - 1) < 4 * ratio.std(ddof=1) / np.sqrt(ratio.size)
    assert estimates.mean() > one_pass("carriers", 0)[1].mean()


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
