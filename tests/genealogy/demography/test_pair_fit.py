"""N_e(t) from pairs: the laws of the score, and what is found in simulated genomes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.simulated_genotypes import inference_config, simulate_genotypes
from escapement_jax.config.genealogy import SimulateGenealogyConfig
from escapement_jax.experiments.simulate_genealogy import simulate_genealogy
from escapement_jax.genealogy.demography.pair_data import pair_genome
from escapement_jax.genealogy.demography.pair_fit import fit_demography
from escapement_jax.genealogy.demography.pair_score import PairProblem, pair_score
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.model.threading_problem import ThreadingProblem, threading_problem

LENGTH, HAPLOTYPES = 300_000, 8
PAIRS = np.array([[0, 1], [2, 5], [1, 4]])


def problem_of(demography: str = "constant", seed: int = 1) -> ThreadingProblem:
    _, genotypes = simulate_genotypes(seed, LENGTH, HAPLOTYPES, demography)
    return threading_problem(genotypes, inference_config(1))


def pairs_of(problem: ThreadingProblem, pairs: np.ndarray) -> PairProblem:
    return PairProblem(
        grid=problem.grid,
        genome=pair_genome(problem.bins, pairs, width=1000, bins_per_block=50),
        num_haplotypes=HAPLOTYPES,
    )


def unknowns_of(problem: ThreadingProblem) -> np.ndarray:
    log_size = np.log(problem.population_size)
    return np.append(np.full(problem.grid.num_levels, log_size), [0.1, np.log(0.01)])


def test_score_is_the_gradient_of_the_sum_over_pairs():
    problem = problem_of()
    pairs, unknowns = pairs_of(problem, PAIRS), unknowns_of(problem)

    def total(values):
        return pairs.log_likelihoods(values).sum()

    found = pair_score(pairs, unknowns)
    value, gradient = jax.jit(jax.value_and_grad(total))(jnp.asarray(unknowns))
    np.testing.assert_allclose(found.log_likelihood, value, rtol=1e-12)
    np.testing.assert_allclose(found.score * found.counted, gradient, rtol=1e-7, atol=1e-7)


def test_single_precision_is_summed_in_double_without_a_warning():
    double = pair_score(pairs_of(problem_of(), PAIRS), unknowns_of(problem_of()))
    with jax.enable_x64(False):
        problem = problem_of()
        single = pair_score(pairs_of(problem, PAIRS), unknowns_of(problem))
    np.testing.assert_allclose(single.log_likelihood, double.log_likelihood, rtol=1e-5)


def test_pairs_that_are_given_twice_say_nothing_more():
    problem = problem_of()
    pairs, unknowns = np.array([[0, 1], [2, 5], [1, 4]]), unknowns_of(problem)
    once = pair_score(pairs_of(problem, pairs), unknowns)
    twice = pair_score(pairs_of(problem, np.repeat(pairs, 2, axis=0)), unknowns)
    discounted = once.counted > 1
    assert discounted.sum() > 10
    np.testing.assert_allclose(twice.log_likelihood, 2 * once.log_likelihood, rtol=1e-12)
    np.testing.assert_allclose(twice.counted[discounted], 2 * once.counted[discounted], rtol=1e-9)
    np.testing.assert_allclose(twice.score[discounted], once.score[discounted], rtol=1e-9)
    inside = np.ix_(discounted, discounted)
    np.testing.assert_allclose(twice.information[inside], once.information[inside], rtol=1e-9)


@pytest.mark.statistical
@pytest.mark.parametrize("kind", ["constant", "random-walk", "gaussian-process", "spline"])
def test_constant_sizes_are_found(kind):
    """Largest error of log10 N_e where pairs coalesce; seeds that are fixed."""
    fit = fit_demography(problem_of(), kind)
    estimate = fit.estimate()
    assert fit.converged
    seen = (estimate.time_generations > 2e3) & (estimate.time_generations < 4e4)
    assert np.abs(np.log10(estimate.population_size[seen] / 1e4)).max() < 0.2
    assert np.all(estimate.lower_95 < estimate.population_size)
    assert np.all(estimate.population_size < estimate.upper_95)
    width = np.log(estimate.upper_95 / estimate.lower_95)
    assert kind == "constant" or width[-1] > width[seen].min()
    sizes = fit.population_size().sizes
    np.testing.assert_array_equal(sizes, estimate.population_size)


def simulated(rate: float, error: float) -> ThreadingProblem:
    config = SimulateGenealogyConfig(
        haplotypes=HAPLOTYPES,
        sequence_length=LENGTH,
        recombination_rate=rate,
        genotype_error=error,
        mutation_rate=1.25e-8,
        seed=2,
    )
    _, alleles, positions = simulate_genealogy(config)
    genotypes = Genotypes.from_arrays(alleles, positions, start=0, end=LENGTH, ploidy=2)
    return threading_problem(genotypes, inference_config(1))


@pytest.mark.statistical
@pytest.mark.parametrize(("rate", "error"), [(4e-8, 0.0), (1e-8, 0.01)])
def test_wrong_rates_are_noticed(rate, error):
    """Told 1e-8 and no error; within three standard errors."""
    fit = fit_demography(
        simulated(rate, error), learn_recombination=True, learn_genotype_error=True
    )
    factor, wrong = fit.recombination_factor, fit.genotype_error
    assert factor is not None
    assert wrong is not None
    assert fit.converged
    assert abs(np.log(factor.value / (rate / 1e-8))) < 3 * factor.log_stderr
    assert (factor.value > 1.5) == (rate > 1e-8)
    assert abs(np.log(wrong.value / max(error, 1e-3))) < 3 * wrong.log_stderr


def test_a_told_error_is_used_and_pairs_can_be_few():
    _, genotypes = simulate_genotypes(1, LENGTH, HAPLOTYPES)
    config = dataclasses.replace(inference_config(1), genotype_error=0.01)
    fit = fit_demography(threading_problem(genotypes, config), "constant", most_pairs=8)
    assert fit.recombination_factor is None
    assert fit.genotype_error is None
    assert fit.converged
