"""Inference from end to end on tiny data: draws are graphs, and say what the model says."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.config.genealogy import InferConfig
from escapement_jax.genealogy.fit import infer, start_recombination
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.rate_map import RateMap
from escapement_jax.genealogy.model.mutation_model import mutation_model
from escapement_jax.genealogy.model.pruning import site_log_likelihood
from escapement_jax.genealogy.model.threading_problem import threading_problem
from tests.reference.pruning import level_matrix_log_likelihood, tree_log_likelihood

LENGTH, HAPLOTYPES, SITES, LEVELS = 20_000, 4, 14, 8
MUTATION_RATE = 1.25e-8
CONFIG = InferConfig(
    mutation_rate=MUTATION_RATE,
    recombination_rate=1e-8,
    population_size=1e4,
    draws=4,
    sweeps=0,
    demography="constant",
    time_levels=LEVELS,
    genotype_error=0.001,
)


def make_genotypes(num_haplotypes=HAPLOTYPES, missing=0.0, **options):
    """Sites of which the first half follows one tree and the second half another."""
    generator = np.random.default_rng(1)
    haplotypes = np.zeros((SITES, num_haplotypes), np.int8)
    haplotypes[: SITES // 2, : num_haplotypes // 2] = 1
    haplotypes[SITES // 2 :, ::2] = 1
    haplotypes[generator.random(haplotypes.shape) < missing] = -1
    positions = np.sort(generator.choice(LENGTH, SITES, replace=False))
    return Genotypes.from_arrays(haplotypes, positions, start=0, end=LENGTH, **options)


@pytest.fixture(scope="module")
def posterior():
    """Draws from the pass alone, some genotypes missing."""
    return infer(make_genotypes(missing=0.1), CONFIG, key=jax.random.key(3))


def assert_graphs(posterior):
    for draw in posterior.draws:
        draw.validate(LEVELS, len(posterior.bin_edges) - 1)


def test_draws_are_graphs_of_all_haplotypes(posterior):
    assert posterior.num_draws == CONFIG.draws
    assert_graphs(posterior)
    assert all(draw.num_haplotypes == HAPLOTYPES for draw in posterior.draws)
    assert posterior.log_weights.shape == (CONFIG.draws, HAPLOTYPES - 1)
    assert np.isfinite(posterior.log_weights).all()
    assert posterior.trace.num_sweeps == 0
    assert not posterior.verdict.converged
    assert "only the first pass" in posterior.verdict.warnings[0]


def test_the_posterior_keeps_the_terms_of_the_problem(posterior):
    assert posterior.population_size_prior == 1e4
    assert posterior.settings["mutation_rate"] == MUTATION_RATE
    assert (posterior.bin_edges[0], posterior.bin_edges[-1]) == (0, LENGTH)
    assert posterior.time_grid_times.shape == (LEVELS,)
    assert len(posterior.threading_seconds) == HAPLOTYPES - 1


@pytest.mark.slow
def test_look_ahead_gives_other_draws_and_weights(posterior):
    config = replace(CONFIG, look_ahead="carriers")
    ahead = infer(posterior.genotypes, config, key=jax.random.key(3))
    assert_graphs(ahead)
    assert np.isfinite(ahead.log_weights).all()
    assert (ahead.log_weights != posterior.log_weights).any()


def test_the_same_key_gives_the_same_draws(posterior):
    again = infer(posterior.genotypes, CONFIG, key=jax.random.key(3))
    np.testing.assert_array_equal(again.log_weights, posterior.log_weights)
    assert again.seed == posterior.seed
    for ours, theirs in zip(again.draws, posterior.draws, strict=True):
        for name in ("trees", "first_bin", "moved", "cut_level"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_another_key_gives_other_draws(posterior):
    other = infer(posterior.genotypes, CONFIG, key=jax.random.key(4))
    assert not np.array_equal(other.log_weights, posterior.log_weights)
    assert other.seed != posterior.seed


def test_exported_trees_have_the_likelihood_of_the_draws(posterior):
    """Three pruning algorithms: on the tree sequence, on the level matrix, and the package's."""
    genotypes, times = posterior.genotypes, posterior.time_grid_times
    options = {
        "mutation_rate": MUTATION_RATE,
        "genotype_error": CONFIG.genotype_error,
        "derived_root": CONFIG.ancestral_misassignment,
    }
    model = mutation_model(CONFIG.ancestral_misassignment, CONFIG.genotype_error)
    site_bins = np.searchsorted(posterior.bin_edges, genotypes.positions, side="right") - 1
    prune = jax.jit(site_log_likelihood)
    present, scaled_times = jnp.ones(HAPLOTYPES, bool), jnp.asarray(MUTATION_RATE * times)
    for index, draw in enumerate(posterior.draws):
        tree_sequence = posterior.tree_sequence(index, node_times="level")
        for site, segment in enumerate(draw.segment_of_bin(site_bins)):
            alleles, levels = genotypes.haplotypes[site], draw.trees[segment]
            tree = tree_sequence.at(genotypes.positions[site])
            exported = tree_log_likelihood(tree, alleles, **options)
            on_levels = level_matrix_log_likelihood(levels, times, alleles, **options)
            ours = prune(levels, present, alleles, scaled_times, model)
            np.testing.assert_allclose([exported, float(ours)], on_levels, rtol=1e-10)


def test_two_trees_are_told_apart(posterior):
    """Haplotypes 0 and 1 share alleles on the left half, 0 and 2 on the right half."""
    tmrca = np.log(posterior.pairwise_tmrca(np.array([1_000.0, 19_000.0]))).mean(0)
    pairs = [[0, 1], [0, 2]]
    rows = [np.stack(np.triu_indices(HAPLOTYPES, 1), 1).tolist().index(pair) for pair in pairs]
    left, right = tmrca[rows].T
    assert left[0] < left[1]
    assert right[1] < right[0]


@pytest.mark.slow
def test_chains_give_draws_in_turn():
    """Five draws of two chains: after the second, fourth and sixth sweep, the last of one only."""
    config = replace(CONFIG, draws=5, chains=2, sweeps=2, thin=2)
    swept = infer(make_genotypes(), config, key=jax.random.key(0))
    assert config.num_sweeps == swept.trace.num_sweeps == 6
    assert swept.trace.log_density.shape == (7, 2)
    assert_graphs(swept)
    assert swept.num_draws == 5
    assert swept.log_weights.shape == (2, HAPLOTYPES - 1)
    assert len(swept.threading_seconds) == HAPLOTYPES - 1
    last = infer(make_genotypes(), replace(config, draws=2, sweeps=6), key=jax.random.key(0))
    np.testing.assert_array_equal(last.draws[0].trees, swept.draws[4].trees)


@pytest.mark.slow
@pytest.mark.statistical
def test_rarer_recombination_at_the_start_leaves_a_bound():
    """Two haplotypes have an exact evidence, of which the corrected weights are unbiased.

    Five standard errors of the mean weight: false alarms below 1e-5, were it normal.
    """
    genotypes = make_genotypes(2)
    exact = infer(genotypes, replace(CONFIG, draws=1), key=jax.random.key(1)).elbo
    config = replace(CONFIG, draws=256, chains=256, sweeps=1, start_recombination=0.8)
    started = infer(genotypes, config, key=jax.random.key(2))
    weights = np.exp(started.log_bounds - exact)
    stderr = weights.std(ddof=1) / np.sqrt(weights.size)
    assert 0 < stderr < 0.1
    assert abs(weights.mean() - 1) < 5 * stderr
    assert started.elbo < exact + 5 * started.elbo_stderr


@pytest.mark.parametrize(("ratio", "expected"), [(0.5, 0.1), (2.4, 0.3), (80.0, 1.0)])
def test_chains_start_with_more_recombination_where_it_is_frequent(ratio, expected):
    mutation = 1e-8
    config = replace(CONFIG, mutation_rate=mutation, recombination_rate=ratio * mutation)
    problem = threading_problem(make_genotypes(2), config)
    # Recombination is counted between the middles of the first and last bin.
    assert start_recombination(problem, config) == pytest.approx(expected, rel=0.02)
    told = replace(config, start_recombination=0.7)
    assert start_recombination(problem, told) == 0.7


@pytest.mark.slow
def test_what_is_not_told_is_learned_from_pairs():
    config = replace(
        CONFIG,
        sweeps=1,
        demography="gaussian-process",
        learn_recombination=True,
        learn_genotype_error=True,
        demography_schedule="joint",
    )
    learned = infer(make_genotypes(), config, key=jax.random.key(0))
    assert_graphs(learned)
    assert learned.learned.keys() == {"recombination_factor", "genotype_error", "population_size"}
    sizes = learned.population_size
    assert (sizes.lower_95 <= sizes.population_size).all()
    assert (sizes.population_size <= sizes.upper_95).all()
    assert 0 < learned.learned["genotype_error"].mean < 0.5


def test_ploidy_is_a_matter_of_names_alone():
    haploid, diploid = (
        infer(make_genotypes(ploidy=ploidy), CONFIG, key=jax.random.key(5)) for ploidy in (1, 2)
    )
    np.testing.assert_array_equal(haploid.log_weights, diploid.log_weights)
    assert haploid.tree_sequence(0).num_individuals == 2 * diploid.tree_sequence(0).num_individuals


@pytest.mark.slow
def test_two_haplotypes_are_enough():
    genotypes = make_genotypes(2)
    pair = infer(genotypes, CONFIG, key=jax.random.key(6))
    assert_graphs(pair)
    # A pair is threaded once, and exactly: every draw has the same evidence.
    np.testing.assert_allclose(pair.log_weights, pair.log_weights[0, 0], rtol=1e-9)


@pytest.mark.parametrize("name", ["mutation", "recombination"])
def test_a_map_of_constant_rate_is_the_rate(posterior, name):
    rate = getattr(CONFIG, f"{name}_rate")
    config = replace(CONFIG, **{f"{name}_rate": None})
    maps = {f"{name}_map": RateMap.constant(rate, 0, LENGTH)}
    mapped = infer(posterior.genotypes, config, key=jax.random.key(3), **maps)
    np.testing.assert_allclose(mapped.log_weights, posterior.log_weights, rtol=1e-12)


def test_refusals_of_the_problem_reach_the_caller():
    with pytest.raises(ValueError, match="at least two haplotypes"):
        infer(make_genotypes().subset([0]), CONFIG, key=jax.random.key(0))
