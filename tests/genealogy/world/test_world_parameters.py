"""Learning recombination factor, genotype error and N_e(t): conditionals, evidence, bookkeeping."""

from dataclasses import dataclass, replace
from functools import cached_property

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest

from escapement_jax.config.genealogy import InferConfig
from escapement_jax.genealogy.demography.graph_demography import level_intensities
from escapement_jax.genealogy.genome.genome_bins import LARGEST_EXPECTED_RECOMBINATIONS
from escapement_jax.genealogy.model.coalescent import kingman_tables
from escapement_jax.genealogy.model.threading_model import ThreadingModel
from escapement_jax.genealogy.model.threading_problem import (
    expected_tree_length,
    threading_problem,
)
from escapement_jax.genealogy.threading.sequential_pass import graph_log_density
from escapement_jax.genealogy.world import world_parameters as world
from escapement_jax.genealogy.world.genotype_error_rate import log_genotype_density
from escapement_jax.genealogy.world.recombination_factor import (
    Crossings,
    crossings,
    log_crossing_density,
    scaled_recombination,
)
from tests.reference.enumerated_graphs import EnumeratedModel
from tests.reference.random_graphs import random_draw, random_genotypes
from tests.reference.tiny_genomes import TinyGenome, chunked_graphs
from tests.reference.tiny_threading import sequential_pass

FACTOR, ERROR = 1.7, 0.03
DRAWS, SWEEPS = 6, 4


@dataclass(frozen=True, eq=False)
class ErrorsAtVariableSites(TinyGenome):
    """A tiny genome whose genotypes err only where the true alleles differ."""

    @cached_property
    def oracle(self) -> EnumeratedModel:
        """All trees on the grid, with such errors."""
        return replace(super().oracle, errors_at_variable_sites=True)

    @cached_property
    def model(self) -> ThreadingModel:
        """The law of the package, with such errors."""
        unseen = jnp.linspace(1e4, 0.0, self.num_haplotypes + 1)
        return replace(super().model, unseen_length=unseen)


THREE = ErrorsAtVariableSites(3, 3, 4, genotype_error=0.05, seed=12)
FOUR = ErrorsAtVariableSites(4, 4, 6, genotype_error=0.05, seed=21)


@pytest.fixture(scope="module")
def graphs():
    """Random graphs on the genome of four, silent records and capped boundaries among them."""
    generator = np.random.default_rng(0)
    draws = [random_draw(generator, 4, FOUR.num_levels, 4, FOUR.num_bins) for _ in range(DRAWS)]
    return chunked_graphs(draws, np.ones(4, bool), FOUR.num_bins, 2, capacity=2)


def factor_curve(graphs, genome, factors):
    density = jax.vmap(jax.vmap(log_crossing_density, in_axes=(None, 0)), in_axes=(0, None))
    read = jax.vmap(crossings, in_axes=(0, None, None))
    parts = [
        read(graph, chunk, genome.model.times)
        for graph, chunk in zip(graphs, genome.chunks, strict=True)
    ]
    return sum(density(part, jnp.asarray(factors)) for part in parts)


def error_curve(graphs, genome, errors):
    density = jax.jit(jax.vmap(log_genotype_density, in_axes=(0, None, None, None)))
    parts = zip(graphs, genome.chunks, strict=True)
    return sum(density(graph, chunk, genome.model, jnp.asarray(errors)) for graph, chunk in parts)


def with_error(model, error):
    return eqx.tree_at(lambda m: m.mutation.genotype_error, model, jnp.asarray(error))


def test_the_factor_enters_as_in_the_density_of_the_graph(graphs):
    curve = factor_curve(graphs, FOUR, [1.0, FACTOR])
    scaled = [scaled_recombination(chunk, jnp.asarray(FACTOR)) for chunk in FOUR.chunks]
    theirs = [graph_log_density(graphs, chunks, FOUR.model) for chunks in (FOUR.chunks, scaled)]
    assert np.ptp(theirs[1] - theirs[0]) > 0.1
    np.testing.assert_allclose(curve[:, 1] - curve[:, 0], theirs[1] - theirs[0], atol=1e-10)


def test_the_error_rate_enters_as_in_the_density_of_the_graph(graphs):
    curve = error_curve(graphs, FOUR, [0.05, ERROR])
    models = [FOUR.model, with_error(FOUR.model, ERROR)]
    theirs = [graph_log_density(graphs, FOUR.chunks, model) for model in models]
    assert np.ptp(theirs[1] - theirs[0]) > 0.1
    np.testing.assert_allclose(curve[:, 1] - curve[:, 0], theirs[1] - theirs[0], atol=1e-10)


def test_far_from_the_cap_the_factor_has_a_closed_form():
    """`R log f + sum_{uncut} log(1 - f x)`."""
    generator = np.random.default_rng(1)
    expected, cut = generator.uniform(0, 0.1, 50), generator.random(50) < 0.3
    found = log_crossing_density(
        Crossings(jnp.asarray(expected), jnp.asarray(cut)), jnp.asarray(FACTOR)
    )
    exact = cut.sum() * np.log(FACTOR) + np.log1p(-FACTOR * expected[~cut]).sum()
    np.testing.assert_allclose(found, exact, rtol=1e-12)


def test_boundaries_that_cannot_recombine_say_nothing():
    parts = Crossings(jnp.zeros(3), jnp.zeros(3, bool))
    value, slope = jax.value_and_grad(log_crossing_density, argnums=1)(parts, jnp.asarray(2.0))
    assert (float(value), float(slope)) == (0.0, 0.0)


def check_slope(curve, log_evidence, at, step):
    """Fisher's identity: the mean slope over the posterior is that of the evidence.

    Draws of a pass are weighted by `prod_i Z_i`, which makes their law the posterior. False alarms:
    6e-5, were the mean normal.
    """
    log_weights = sequential_pass(THREE)[1]
    weights = np.exp(log_weights - log_weights.max())
    slopes = np.asarray(curve[:, 1] - curve[:, 0]) / (2 * step)
    mean = np.average(slopes, weights=weights)
    stderr = np.sqrt((weights**2 * (slopes - mean) ** 2).sum()) / weights.sum()
    exact = (log_evidence(at + step) - log_evidence(at - step)) / (2 * step)
    assert 0.01 < slopes.std()
    assert stderr < 0.02 * slopes.std()
    assert abs(mean - exact) < 4 * stderr


@pytest.mark.statistical
def test_the_mean_slope_in_the_factor_is_that_of_the_evidence():
    def log_evidence(factor):
        data = replace(THREE.data, recombination=factor * THREE.data.recombination)
        return THREE.oracle.log_evidence(data)

    curve = factor_curve(sequential_pass(THREE)[0], THREE, [1 - 1e-5, 1 + 1e-5])
    check_slope(curve, log_evidence, 1.0, 1e-5)


@pytest.mark.statistical
def test_the_mean_slope_in_the_error_rate_is_that_of_the_evidence():
    def log_evidence(error):
        return replace(THREE.oracle, genotype_error=error).log_evidence(THREE.data)

    error = THREE.genotype_error
    curve = error_curve(sequential_pass(THREE)[0], THREE, [error - 1e-6, error + 1e-6])
    check_slope(curve, log_evidence, error, 1e-6)


@pytest.mark.statistical
def test_factors_are_calibrated():
    """Factors from the prior, cuts given factors, factors given cuts: their ranks are uniform.

    Some boundaries are at the cap. False alarms: 1e-4.
    """
    generator = np.random.default_rng(5)
    replicates, bins = 1500, 60
    truth = np.exp(world.LOG_FACTOR_SD * generator.normal(size=replicates))
    expected = generator.uniform(0, 0.4, (replicates, bins))
    cut = generator.random((replicates, bins)) < np.minimum(truth[:, None] * expected, 0.95)
    parts = [Crossings(jnp.asarray(expected), jnp.asarray(cut))]
    keys = jax.random.split(jax.random.key(3), 19)
    drawn = np.stack([world.draw_recombination_factor(key, parts) for key in keys])
    rank = (drawn < truth).sum(0) + generator.random(replicates)
    assert kstest(rank / 20, "uniform").pvalue > 1e-4


CONFIG = InferConfig(
    mutation_rate=1e-6,
    recombination_rate=1e-8,
    population_size=1e4,
    time_levels=4,
    sweeps=SWEEPS,
    learn_recombination=True,
    learn_genotype_error=True,
    demography_schedule="joint",
)


@pytest.fixture(scope="module")
def told():
    """A small problem; its chunks are those of the genome of four, so that graphs fit."""
    genotypes = random_genotypes(np.random.default_rng(0), 4, 3, 0, 600)
    return replace(threading_problem(genotypes, CONFIG), chunks=FOUR.chunks)


def updated(told, graphs, config, updates=SWEEPS, seed=0):
    state = world.first_world(told, config)
    for index in range(updates):
        key = jax.random.fold_in(jax.random.key(seed), index)
        state = world.update_world(key, graphs, told, state, config)
    return state


def test_the_told_world_is_the_problem_as_told(told):
    state = replace(world.first_world(told, CONFIG), genotype_error=0.0)
    same = world.problem_in_world(told, state)
    for ours, theirs in zip(jax.tree.leaves(same.model), jax.tree.leaves(told.model), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
        assert ours.dtype == theirs.dtype
    for ours, theirs in zip(same.chunks, told.chunks, strict=True):
        np.testing.assert_array_equal(ours.recombination, theirs.recombination)


def test_a_world_replaces_what_is_told(told):
    sizes = np.log([2e4, 5e3, 1e4])
    state = world.World(FACTOR, ERROR, sizes)
    changed = world.problem_in_world(told, state)
    tables = kingman_tables(level_intensities(sizes, np.asarray(told.grid.edges)), 4)
    np.testing.assert_array_equal(changed.model.kingman.join, tables.join)
    assert float(changed.model.mutation.genotype_error) == ERROR
    for ours, theirs in zip(changed.chunks, told.chunks, strict=True):
        np.testing.assert_allclose(ours.recombination, FACTOR * theirs.recombination, rtol=1e-12)


def test_all_parameters_come_from_one_chain(told, graphs):
    state = updated(told, graphs, CONFIG)
    assert len(state.factor_draws) == len(state.error_draws) == len(state.size_draws) == SWEEPS
    chain = int(np.flatnonzero(state.factor_draws[-1] == state.recombination_factor)[0])
    assert state.genotype_error == state.error_draws[-1][chain]
    np.testing.assert_array_equal(state.log_sizes, state.size_draws[-1][chain])


def test_what_is_not_learned_stays_as_told(told, graphs):
    config = replace(CONFIG, learn_recombination=False, learn_genotype_error=False)
    state = updated(told, graphs, config, updates=1)
    assert (state.recombination_factor, state.genotype_error) == (1.0, 0.0)
    assert not state.factor_draws
    assert not state.error_draws


def test_alternating_sizes_settle_where_graphs_stay(told, graphs):
    """The same graphs propose the same sizes, so their running mean does not move."""
    config = replace(CONFIG, demography_schedule="alternating")
    once, more = (updated(told, graphs, config, updates=n) for n in (2, SWEEPS))
    np.testing.assert_allclose(once.log_sizes, more.log_sizes, atol=0.02)
    assert len(more.size_draws) == SWEEPS


def test_steps_average_the_second_half():
    """Proposals 0, 1, 2, ... with steps `a_t` end in the mean of the last ones."""
    value = 0.0
    for update in range(10):
        value += world.step_size(update, 10) * (update - value)
    assert value == pytest.approx(np.mean(range(5, 10)))


def test_estimates_leave_the_first_half_out():
    draws = [np.full(50, 100.0), np.full(50, 100.0), *np.split(np.linspace(1, 3, 100), 2)]
    estimate = world.estimate(draws)
    assert estimate.mean == pytest.approx(np.exp(np.log(np.linspace(1, 3, 100)).mean()))
    np.testing.assert_allclose((estimate.lower_95, estimate.upper_95), (1.05, 2.95), atol=1e-6)
    with pytest.raises(ValueError, match="no draws"):
        world.estimate([])


def test_learned_parameters_are_those_that_were_drawn(told, graphs):
    learned = world.learned_parameters(updated(told, graphs, CONFIG))
    assert set(learned) == {"recombination_factor", "genotype_error", "population_size"}
    assert learned["population_size"].mean.shape == (CONFIG.time_levels - 1,)
    for estimate in learned.values():
        assert (estimate.lower_95 < estimate.mean).all()
        assert (estimate.mean < estimate.upper_95).all()
    config = replace(CONFIG, learn_genotype_error=False, demography_schedule="told")
    assert set(world.learned_parameters(updated(told, graphs, config, 1))) == {
        "recombination_factor"
    }


def test_a_first_estimate_replaces_what_is_told(told):
    state = world.first_world(told, CONFIG, recombination_factor=4.0, genotype_error=0.02)
    assert (state.recombination_factor, state.genotype_error) == (4.0, 0.02)
    assert world.first_world(told, CONFIG).genotype_error == world.FIRST_ERROR


def test_bins_are_fine_enough_for_the_factor():
    """Bins of 100 base pairs are split for a factor of 8 only; the genetic length stays."""
    genotypes = random_genotypes(np.random.default_rng(0), 4, 3, 0, 600)
    coarse, fine = (
        threading_problem(genotypes, CONFIG, recombination_factor=factor) for factor in (1.0, 8.0)
    )
    assert fine.bins.num_bins > coarse.bins.num_bins
    largest = 8.0 * fine.bins.recombination.max() * expected_tree_length(4, 1e4)
    assert largest < 1.2 * LARGEST_EXPECTED_RECOMBINATIONS
    lengths = [problem.bins.recombination.sum() for problem in (coarse, fine)]
    np.testing.assert_allclose(*lengths, rtol=0.15)


def test_learning_needs_sweeps():
    with pytest.raises(ValueError, match="sweeps"):
        replace(CONFIG, sweeps=0)
