"""The model of a pair against threading, enumeration, and its own laws."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulated_genotypes import inference_config, simulate_genotypes
from escapement_jax.genealogy.demography.pair_data import pair_genome
from escapement_jax.genealogy.demography.pair_model import (
    PairModel,
    block_log_likelihoods,
    move_rates,
    pair_log_likelihoods,
    pair_prior,
    transition_matrix,
)
from escapement_jax.genealogy.model.threading_model import ThreadingModel
from escapement_jax.genealogy.model.threading_problem import threading_problem
from escapement_jax.genealogy.threading.sequential_pass import empty_graphs, thread_haplotypes
from tests.reference.tiny_genomes import EDGES, SIZES, TIMES, TinyGenome

PAIR = np.array([[0, 1]])
GENOMES = [
    pytest.param(TinyGenome(2, 4, 7, 0.0, seed=1), id="exact"),
    pytest.param(TinyGenome(2, 4, 7, 0.05, seed=2), id="error"),
]


def pair_model(model: ThreadingModel, intensities: np.ndarray, haplotypes: int = 2) -> PairModel:
    hidden = None if model.unseen_length is None else model.unseen_length[2]
    return PairModel(
        times=model.times,
        intensities=jnp.asarray(intensities),
        recombination_factor=jnp.asarray(1.0),
        root_prior=model.mutation.root_prior,
        genotype_error=model.mutation.genotype_error,
        hidden_length=hidden,
    )


def tiny_model(genome: TinyGenome) -> PairModel:
    levels = genome.num_levels
    widths = np.diff(EDGES[:levels], append=np.inf)
    return pair_model(genome.model, widths / (2 * SIZES[:levels]))


@pytest.mark.parametrize("genome", GENOMES)
def test_likelihood_is_the_sum_over_all_graphs_of_two(genome):
    found = pair_log_likelihoods(tiny_model(genome), pair_genome(genome.bins, PAIR))
    np.testing.assert_allclose(found, [genome.oracle.log_evidence(genome.data)], rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("error", [0.0, 0.01])
def test_likelihood_is_the_evidence_of_threading(error):
    """Of the second of many haplotypes, whose sites vary for the sake of the others, too."""
    _, genotypes = simulate_genotypes(seed=1, length=60_000, haplotypes=6)
    config = dataclasses.replace(inference_config(1), genotype_error=error)
    problem = threading_problem(genotypes, config)
    first, second = jnp.array([0, 3, 4], jnp.int32), jnp.array([5, 1, 2], jnp.int32)
    graphs = empty_graphs(first, 6, problem.chunks, problem.capacity)
    key = jax.random.key(0)
    _, evidence = thread_haplotypes(key, graphs, problem.chunks, second, problem.model)
    widths = np.diff(np.asarray(problem.grid.edges), append=np.inf)
    model = pair_model(problem.model, widths / (2 * problem.population_size))
    pairs = np.stack([np.asarray(first), np.asarray(second)], 1)
    found = pair_log_likelihoods(model, pair_genome(problem.bins, pairs))
    np.testing.assert_allclose(found, evidence, rtol=1e-10)


intensity = st.lists(st.floats(1e-4, 3.0), min_size=4, max_size=4)


@given(intensity, st.floats(1e-8, 1e-4), st.integers(0, 3))
def test_kingman_is_stationary_and_reversible(values, distance, halvings):
    values = jnp.asarray(values)
    times = jnp.asarray(TIMES)
    prior = pair_prior(values)
    step = transition_matrix(move_rates(times, values), times, jnp.asarray(distance), halvings)
    np.testing.assert_allclose(prior.sum(), 1, rtol=1e-12)
    np.testing.assert_allclose(step.sum(1), 1, rtol=1e-12)
    if distance / 2**halvings < 0.95 / (2 * TIMES[-1]):  # the cap on a cut depends on the level
        flow = prior[:, None] * step
        np.testing.assert_allclose(flow, flow.T, rtol=1e-9, atol=1e-15)


def test_transition_over_a_distance_is_a_power():
    times, values = jnp.asarray(TIMES), jnp.asarray([0.1, 0.3, 0.9, 1.0])
    rates = move_rates(times, values)
    whole = transition_matrix(rates, times, jnp.asarray(4e-6), 2)
    quarter = transition_matrix(rates, times, jnp.asarray(1e-6), 0)
    np.testing.assert_allclose(whole, np.linalg.matrix_power(quarter, 4), rtol=1e-12)


def test_blocks_add_up_and_pairs_are_separate():
    genome = TinyGenome(3, 4, 7, 0.05, seed=3)
    model = dataclasses.replace(tiny_model(genome), times=jnp.asarray(TIMES))
    pairs = np.array([[0, 1], [2, 1]])
    together = pair_log_likelihoods(model, pair_genome(genome.bins, pairs))
    alone = [
        pair_log_likelihoods(model, pair_genome(genome.bins, pairs[i : i + 1])) for i in (0, 1)
    ]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-12)
    blocks = block_log_likelihoods(model, pair_genome(genome.bins, pairs, bins_per_block=3))
    assert blocks.shape == (3, 2)
    np.testing.assert_allclose(blocks.sum(0), together, rtol=1e-12)


@pytest.mark.parametrize("field", ["intensities", "recombination_factor", "genotype_error"])
def test_gradient_is_that_of_finite_differences(field):
    genome = TinyGenome(2, 4, 7, 0.05, seed=2)
    model, data = tiny_model(genome), pair_genome(genome.bins, PAIR)
    start = getattr(model, field)

    def value(change):
        return pair_log_likelihoods(dataclasses.replace(model, **{field: change}), data).sum()

    gradient = np.ravel(jax.grad(value)(start))
    for place in range(start.size - (field == "intensities")):
        size = 1e-5 * float(np.ravel(start)[place])
        step = jnp.asarray(size * np.eye(start.size)[place].reshape(start.shape))
        slope = (value(start + step) - value(start - step)) / (2 * size)
        np.testing.assert_allclose(gradient[place], slope, rtol=1e-6, atol=1e-9)
