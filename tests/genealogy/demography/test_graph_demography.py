"""What graphs say about population size: densities, derivatives, Fisher's identity, recovery."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2, kstest

from benchmarks.accuracy.no_data import no_data_problem
from escapement_jax.genealogy.demography.coalescence_density import (
    log_transition,
    log_transition_table,
)
from escapement_jax.genealogy.demography.graph_demography import graph_demography, level_intensities
from escapement_jax.genealogy.model.coalescent import kingman_tables
from escapement_jax.genealogy.threading.sequential_pass import (
    empty_graphs,
    graph_log_density,
    thread_haplotypes,
)
from tests.reference.random_graphs import random_draw
from tests.reference.tiny_genomes import EDGES, SIZES, TinyGenome, chunked_graphs
from tests.reference.tiny_threading import FOUR, sequential_pass

GENOME = TinyGenome(4, 4, 6, genotype_error=0.0, seed=5)
DRAWS = 10
OTHER_SIZES = np.array([9.0, 8.0, 9.5])


@pytest.fixture(scope="module")
def graphs():
    """Random graphs, silent records among them."""
    generator = np.random.default_rng(0)
    draws = [random_draw(generator, 4, GENOME.num_levels, 4, GENOME.num_bins) for _ in range(DRAWS)]
    return chunked_graphs(draws, np.ones(4, bool), GENOME.num_bins, 2, capacity=2)


@pytest.fixture(scope="module")
def demography(graphs):
    return graph_demography(graphs, GENOME.model, EDGES, 1e4)


def told_sizes(genome: TinyGenome) -> np.ndarray:
    return np.log(SIZES[: genome.num_levels - 1])


def test_derivatives_of_the_table_are_those_of_the_death_process():
    intensities = np.array([0.01, 0.2, 2.0, np.inf])
    table = log_transition_table(intensities, 5)

    def entries(first_three):
        return log_transition(jnp.append(first_three, jnp.inf), table)

    slope = jax.jacfwd(entries)(jnp.asarray(intensities[:3]))
    bend = jax.jacfwd(jax.jacrev(entries))(jnp.asarray(intensities[:3]))
    a, b = np.array([(a, b) for a in range(1, 7) for b in range(1, a + 1)]).T
    for level in range(3):
        step = 1e-4 * intensities[level]
        nearby = []
        for sign in (-1, 1):
            moved = intensities.copy()
            moved[level] += sign * step
            nearby.append(np.asarray(log_transition_table(moved, 5)))
        first = (nearby[1] - nearby[0]) / (2 * step)
        second = (nearby[1] - 2 * np.asarray(table) + nearby[0]) / step**2
        np.testing.assert_allclose(
            slope[level, a, b, level], first[level, a, b], rtol=1e-6, atol=1e-9 / step
        )
        np.testing.assert_allclose(
            bend[level, a, b, level, level], second[level, a, b], rtol=1e-3, atol=1e-9 / step**2
        )
    assert np.isfinite(slope).all()


def test_the_density_is_that_of_the_graph_at_every_size(graphs, demography):
    tables = kingman_tables(level_intensities(OTHER_SIZES, EDGES), 4)
    models = [GENOME.model, replace(GENOME.model, kingman=tables)]
    theirs = [graph_log_density(graphs, GENOME.chunks, model) for model in models]
    ours = [demography.log_density(sizes).value for sizes in (told_sizes(GENOME), OTHER_SIZES)]
    assert np.ptp(theirs[1] - theirs[0]) > 1
    np.testing.assert_allclose(ours[1] - ours[0], theirs[1] - theirs[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["log_density", "log_prior"])
def test_gradient_and_curvature_are_finite_differences(demography, name):
    function = getattr(demography, name)
    here, step = function(OTHER_SIZES), 1e-5
    for size, move in enumerate(step * np.eye(OTHER_SIZES.size)):
        below, above = function(OTHER_SIZES - move), function(OTHER_SIZES + move)
        slope = (above.value - below.value) / (2 * step)
        bend = (above.gradient - below.gradient) / (2 * step)
        np.testing.assert_allclose(here.gradient[..., size], slope, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(-here.curvature[..., size, :], bend, rtol=1e-6, atol=1e-6)


@pytest.mark.statistical
def test_the_mean_gradient_is_that_of_the_evidence():
    """Fisher's identity against the enumeration of all graphs.

    Draws of a pass are weighted by `prod_i Z_i`, which makes their law the posterior. False alarms:
    6e-5 per size, were the means normal.
    """
    genome = FOUR
    graphs, log_weights = sequential_pass(genome)
    drawn = graph_demography(graphs, genome.model, EDGES[: genome.num_levels], 1e4)
    weights = np.exp(log_weights - log_weights.max())
    gradients = drawn.log_density(told_sizes(genome)).gradient
    mean = weights @ gradients / weights.sum()
    stderr = np.sqrt((weights**2) @ (gradients - mean) ** 2) / weights.sum()
    for size, step in enumerate(1e-4 * np.eye(genome.num_levels - 1)):
        evidence = []
        for sign in (-1, 1):
            sizes = SIZES[: genome.num_levels] * np.exp(sign * np.append(step, 0.0))
            evidence.append(replace(genome.oracle, sizes=sizes).log_evidence(genome.data))
        slope = (evidence[1] - evidence[0]) / 2e-4
        assert 0 < stderr[size] < 0.04
        assert abs(mean[size] - slope) < 4 * stderr[size]


def test_the_most_probable_sizes_are_a_stationary_point(demography):
    best = demography.most_probable(OTHER_SIZES)
    slope = demography.log_density(best).gradient.mean(0) + demography.log_prior(best).gradient
    np.testing.assert_allclose(slope, 0, atol=0.05)
    np.testing.assert_allclose(demography.most_probable(best + 1), best, atol=0.05)


@pytest.mark.statistical
def test_draws_have_the_mode_and_curvature_of_their_graph(demography):
    """Standardised by the posterior of their graph they are normal. False alarms: 1e-4."""
    near = demography.most_probable(OTHER_SIZES)
    graphs, prior = demography.log_density(near), demography.log_prior(near)
    curvature = graphs.curvature + prior.curvature
    mode = near + np.linalg.solve(curvature, (graphs.gradient + prior.gradient)[..., None])[..., 0]
    assert np.linalg.eigvalsh(curvature).min() > 0
    drawn = [demography.draw(key, near) for key in jax.random.split(jax.random.key(0), 40)]
    distance = [np.einsum("di,dij,dj->d", x - mode, curvature, x - mode) for x in drawn]
    assert kstest(np.concatenate(distance), chi2(df=near.size).cdf).pvalue > 1e-4


@pytest.mark.slow
@pytest.mark.statistical
def test_sizes_are_found_again_from_graphs_of_the_prior():
    """Pairs threaded without data under a bottleneck; the model is told a constant size.

    All graphs count together here, so the prior weighs little. False alarms: 2e-3.
    """
    draws, levels = 400, 6
    problem = no_data_problem(2, 20_000)
    edges = np.asarray(problem.grid.edges)[:: 24 // levels]
    times = np.asarray(problem.grid.times)[:: 24 // levels]
    truth = np.log(np.array([2e4, 2e4, 3e3, 1e4, 1e4]))
    tables = kingman_tables(level_intensities(truth, edges), 2)
    model = eqx.tree_at(lambda m: (m.times, m.kingman), problem.model, (jnp.asarray(times), tables))
    graphs = empty_graphs(jnp.zeros(draws, jnp.int32), 2, problem.chunks, problem.capacity)
    other = jnp.ones(draws, jnp.int32)
    graphs, _ = thread_haplotypes(jax.random.key(0), graphs, problem.chunks, other, model)
    demography = graph_demography(graphs, model, edges, 1e4)
    found = np.full(levels - 1, np.log(1e4))
    for _ in range(20):
        peak = demography.log_density(found)
        found = found + np.linalg.solve(peak.curvature.sum(0), peak.gradient.sum(0)).clip(-1, 1)
    sd = np.sqrt(np.diag(np.linalg.inv(demography.log_density(found).curvature.sum(0))))
    assert np.median(sd) < 0.1
    assert (np.abs(found - truth) < 3.5 * sd).all()
