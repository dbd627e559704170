"""Training on genomes small enough to know everything about them."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import msprime
import numpy as np
import pytest
import tskit

from escapement_jax.config.training import PretrainConfig, TrainConfig
from escapement_jax.genealogy.copying.copying_model import log_evidence
from escapement_jax.genealogy.demography.size_models import size_model
from escapement_jax.genealogy.encoder.potentials import Potentials
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.variational.genome_windows import genome_windows
from escapement_jax.genealogy.variational.look_ahead import emission_potentials, exact_look_ahead
from escapement_jax.genealogy.variational.objective import Objective
from escapement_jax.genealogy.variational.prepare import (
    bin_edges,
    new_network,
    pretraining_example,
    starting_size,
    training_genome,
    warm_network,
)
from escapement_jax.genealogy.variational.targets import (
    Target,
    closest_earlier,
    expected_log_probability,
    posterior_target,
    simulated_target,
    topology_target,
)
from escapement_jax.genealogy.variational.train import train_posterior
from escapement_jax.genealogy.variational.twisted_chain import twisted_bound
from tests.genealogy.variational.small_case import small_counts, small_model, small_potentials

LENGTH = 24_000
CONFIG = TrainConfig(
    d_model=8,
    num_heads=2,
    num_layers=1,
    window=8,
    length_scales=(2e3, 2e4),
    mutation_rate=2.5e-8,
    recombination_rate=1e-8,
    bin_width=1_000,
    time_levels=5,
    demography="constant",
    steps=60,
    learning_rate_encoder=1e-2,
    look_ahead=0,
    warm_steps=60,
    learning_rate_warm=1e-2,
    stop_early=False,
)
KEY = jax.random.key(0)


def simulated(seed=2):
    trees = msprime.sim_ancestry(
        2,
        sequence_length=LENGTH,
        recombination_rate=1e-8,
        population_size=1e4,
        random_seed=seed,
    )
    mutated = msprime.sim_mutations(
        trees, rate=2.5e-8, random_seed=seed, model=msprime.BinaryMutationModel()
    )
    alleles = mutated.genotype_matrix()
    varies = (alleles.max(axis=1) == 1) & (alleles.min(axis=1) == 0)
    positions = mutated.tables.sites.position[varies].astype(int)
    return trees, Genotypes.from_arrays(alleles[varies], positions, start=0, end=LENGTH)


TREES, GENOTYPES = simulated()
SIZE = starting_size(GENOTYPES, CONFIG)
GENOME = training_genome(GENOTYPES, CONFIG, SIZE)
MODEL = GENOME.data.model(PiecewiseConstant.constant(SIZE), GENOME.grid)


def trained(**options):
    config = dataclasses.replace(CONFIG, **options)
    genome = training_genome(GENOTYPES, config, SIZE)
    network = new_network(config, key=KEY)
    return train_posterior(genome, config, SIZE, network=network, key=KEY)


@pytest.mark.slow
def test_training_raises_the_bound_towards_the_evidence():
    posterior = trained()
    gaps = float(posterior.log_evidence().sum()) - posterior.history["bound"]
    assert gaps[-1] < 0.5 * gaps[0]
    bound = posterior.bound()
    assert (bound.elbo <= posterior.log_evidence() + 1e-9).all()
    terms = [
        posterior.history[name] for name in ("mutation", "coalescent", "breakpoint", "entropy")
    ]
    np.testing.assert_allclose(sum(terms), posterior.history["bound"], rtol=1e-10)
    assert posterior.history["sizes"].shape == (60, 5)
    assert posterior.sizes_along[0].tolist() == [60]
    assert not posterior.converged


def test_sizes_alone_move_in_their_turns():
    posterior = trained(steps=6, optimisation="alternating", encoder_steps=4, size_steps=2)
    sizes = posterior.history["sizes"][:, 0]
    np.testing.assert_array_equal(sizes[:4], sizes[0])
    assert sizes[4] != sizes[3]


@pytest.mark.parametrize("estimator", ["straight-through", "score-function", "vimco"])
def test_gradients_of_drawn_paths_also_raise_the_bound(estimator):
    posterior = trained(estimator=estimator, steps=40, draws=8)
    history = posterior.history["bound"]
    assert history[-5:].mean() > history[0] + 0.1


def test_sizes_follow_the_gradient_of_the_evidence_at_the_exact_potentials():
    objective = Objective(size_model("constant", GENOME.grid, SIZE))
    states = emission_potentials(MODEL, GENOME.data.counts)
    states = states + exact_look_ahead(MODEL, GENOME.data.counts)
    potentials = Potentials(states, jnp.zeros(states.shape[:2]))

    def population(log_size):
        sizes = PiecewiseConstant(jnp.zeros(1), jnp.exp(log_size)[None])
        return GENOME.data.model(sizes, GENOME.grid)

    def bound(log_size):
        return twisted_bound(population(log_size), GENOME.data.counts, potentials).elbo.sum()

    def evidence(log_size):
        return log_evidence(population(log_size), GENOME.data.counts).sum()

    log_size = jnp.log(jnp.asarray(SIZE))
    slopes = jax.jit(lambda size: (jax.grad(bound)(size), jax.grad(evidence)(size)))(log_size)
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-6)
    assert objective.log_prior(jnp.asarray(objective.sizes.mean)) == 0


def test_windows_count_every_bin_once():
    edges = bin_edges(GENOTYPES, 1_000)
    windows = genome_windows(
        GENOTYPES.haplotypes,
        GENOTYPES.positions,
        edges,
        GENOME.data,
        CONFIG,
        core_bins=7,
        halo_bins=3,
    )
    assert windows.num_windows == 4
    total = windows.core.counts.differences.sum(axis=(0, 1))
    np.testing.assert_allclose(total, GENOME.data.counts.differences.sum(axis=0))
    ones = Potentials(jnp.ones((4, 13, 1, 1, 1)), jnp.ones((4, 13, 1)))
    blended = windows.blended(ones)
    assert blended.breaks.shape == (24, 1)
    np.testing.assert_allclose(blended.states, 1.0, rtol=1e-12)
    places = jnp.broadcast_to(jnp.arange(13.0)[None] + 7.0 * jnp.arange(4.0)[:, None], (4, 13))
    numbered = Potentials(places[:, :, None, None, None], places[:, :, None])
    np.testing.assert_allclose(windows.blended(numbered).breaks[:, 0], jnp.arange(3.0, 27.0))


@pytest.mark.slow
def test_a_network_is_shared_by_all_windows():
    posterior = trained(window_bins=8, halo_bins=4, windows_per_step=2, steps=30)
    bound, evidence = posterior.bound().elbo, posterior.log_evidence()
    assert (bound <= evidence + 1e-9).all()
    untrained = trained(window_bins=8, halo_bins=4, steps=1, learning_rate_encoder=1e-12)
    assert bound.sum() > untrained.bound().elbo.sum()


def test_expected_log_probability_is_highest_at_the_exact_potentials():
    model, counts = small_model(), small_counts()
    states = emission_potentials(model, counts) + exact_look_ahead(model, counts)
    exact = Potentials(states, jnp.zeros((3, 3)))
    target = posterior_target(model, counts)

    def value(potentials):
        return expected_log_probability(model, potentials, target).sum()

    slope = jax.grad(value)(exact)
    np.testing.assert_allclose(slope.states, 0.0, atol=1e-12)
    np.testing.assert_allclose(slope.breaks, 0.0, atol=1e-12)
    for seed in range(5):
        moved = jax.tree.map(jnp.add, exact, small_potentials(seed, 0.3))
        assert value(moved) < value(exact)


def started(kind):
    """A network before and after a warm start, and its potentials."""
    config = dataclasses.replace(CONFIG, warm_start=kind)
    cold = new_network(config, key=KEY)
    warm = warm_network(cold, GENOTYPES, GENOME, config, SIZE, trees=TREES, key=KEY)

    @eqx.filter_jit
    def potentials(network):
        window = jax.tree.map(lambda leaf: leaf[0], GENOME.windows)
        residual = network(window.columns, window.features, GENOME.grid.times)
        return residual + emission_potentials(MODEL, GENOME.data.counts)

    return potentials(cold), potentials(warm)


@pytest.mark.slow
def test_distilling_begins_nearer_to_the_evidence():
    cold, warm = (
        twisted_bound(MODEL, GENOME.data.counts, potentials).elbo.sum()
        for potentials in started("distil")
    )
    assert warm > cold + 0.5


def test_topologies_move_the_posterior_towards_them():
    """Towards the trees, which need not be nearer to the evidence: they say nothing of doubt."""
    places = bin_edges(GENOTYPES, CONFIG.bin_width)[:-1] + CONFIG.bin_width / 2
    emissions = emission_potentials(MODEL, GENOME.data.counts)
    target = topology_target(*closest_earlier(TREES, places), MODEL, emissions)
    cold, warm = (
        expected_log_probability(MODEL, potentials, target).sum() for potentials in started("trees")
    )
    assert warm > cold + 0.5


def four_samples():
    """((0, 1), (2, 3)) left of 6,000 and (((0, 2), 1), 3) right of it."""
    tables = tskit.TableCollection(12_000)
    for _ in range(4):
        tables.nodes.add_row(flags=tskit.NODE_IS_SAMPLE, time=0)
    for time in (100.0, 200.0, 3_000.0):
        tables.nodes.add_row(time=time)
    for child, parent in ((0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (5, 6)):
        tables.edges.add_row(0, 6_000, parent, child)
    for child, parent in ((0, 4), (2, 4), (4, 5), (1, 5), (5, 6), (3, 6)):
        tables.edges.add_row(6_000, 12_000, parent, child)
    tables.sort()
    return tables.tree_sequence()


def test_closest_earlier_haplotypes_are_read_from_the_trees():
    closest, times = closest_earlier(four_samples(), np.array([1_000.0, 5_000.0, 7_000.0]))
    assert closest[0, 1].tolist() == [True, False, False, False]
    assert closest[0, 2].tolist() == [True, True, False, False]
    assert closest[0, 3].tolist() == [False, False, True, False]
    assert closest[2, 2].tolist() == [True, False, False, False]
    assert closest[2, 3].tolist() == [True, True, True, False]
    assert times[:, 1].tolist() == [100.0, 100.0, 200.0]
    assert times[:, 3].tolist() == [200.0, 200.0, 3_000.0]


def test_targets_from_trees_are_marginals_with_the_breaks_of_the_trees():
    places = np.arange(500.0, LENGTH, 1_000.0)
    closest, times = closest_earlier(TREES, places)
    emissions = emission_potentials(MODEL, GENOME.data.counts)
    targets: list[Target] = [
        simulated_target(closest, times, GENOME.grid.edges),
        topology_target(closest, times, MODEL, emissions),
    ]
    for target in targets:
        np.testing.assert_allclose(target.states[:, 1:].sum(axis=(2, 3)), 1.0, rtol=1e-9)
        np.testing.assert_array_equal(target.states.sum(axis=3) > 0, closest)
        assert not target.breaks[0].any()
    changes = (closest[1:] != closest[:-1]).any(axis=2) | (times[1:] != times[:-1])
    np.testing.assert_array_equal(targets[0].breaks[1:] > 0, changes)


def test_pretraining_examples_are_padded_alike_and_refuse_other_trees():
    config = PretrainConfig(
        haplotypes=4, sequence_length=LENGTH, bin_width=1_000, time_levels=5, mutation_rate=2.5e-8
    )
    genome, _, target = pretraining_example(GENOTYPES, TREES, config, 1e4, num_sites=96)
    assert genome.windows.columns.alleles.shape == (1, 4, 96)
    assert target.states.shape == (24, 4, 4, 5)
    fewer = TREES.simplify([0, 1])
    with pytest.raises(ValueError, match="hold 2 samples, the genotypes 4"):
        pretraining_example(GENOTYPES, fewer, config, 1e4, num_sites=96)


def test_what_cannot_be_trained_on_is_refused():
    alike = Genotypes.from_arrays(np.ones((1, 4), int), np.array([5]), start=0, end=LENGTH)
    with pytest.raises(ValueError, match="do not differ"):
        starting_size(alike, CONFIG)
    with pytest.raises(ValueError, match="needs a file"):
        dataclasses.replace(CONFIG, warm_start="weights").check_complete()
    with pytest.raises(ValueError, match="mutation_rate is unknown"):
        TrainConfig().check_complete()
    with pytest.raises(ValueError, match="draws = 2 or more"):
        TrainConfig(estimator="vimco", draws=1)
