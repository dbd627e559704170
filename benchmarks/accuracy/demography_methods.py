"""How well each method finds N_e(t): pairs with several priors, constant size, the true trees.

The error is the root mean square of log10 N_e over times from 10^2.5 to 10^5 generations, evenly
spaced in their logarithm; coverage is the share of these times at which the 95 % band holds the
truth. The true trees are the noise floor of pair-coalescence rates; many mutations, as with
`--mutation-rate 3.75e-7`, show what pairs would say if their times were all but known. Rows with
wrong rates tell the recombination rate of 1e-8 and no genotype error, and learn both.
"""

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tskit

from benchmarks.accuracy.metrics import pool
from benchmarks.record import write_result
from benchmarks.simulated_genotypes import MUTATION_RATE, RECOMBINATION_RATE, inference_config
from escapement_jax.config.genealogy import SimulateGenealogyConfig
from escapement_jax.experiments.simulate_genealogy import demography, simulate_genealogy
from escapement_jax.genealogy.demography.pair_coalescence import (
    PopulationSizeEstimate,
    estimate_population_size,
)
from escapement_jax.genealogy.demography.pair_fit import DemographyFit, fit_demography
from escapement_jax.genealogy.fit import infer
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.model.threading_problem import ThreadingProblem, threading_problem

TIMES = np.geomspace(10**2.5, 1e5, 200)
CASES = {
    "constant": {},
    "bottleneck": {"demography": "bottleneck"},
    "zigzag": {"demography": "zigzag"},
    "recombination4": {"recombination_rate": 4 * RECOMBINATION_RATE},
    "error1": {"genotype_error": 0.01},
}
WRONG_RATES = ("recombination4", "error1")
PARAMETERISATIONS = ("constant", "random-walk", "gaussian-process", "spline")


def main() -> None:
    """Run every case and seed, print a line for each method, and write the figures."""
    arguments = parse_arguments()
    result: dict[str, Any] = {
        "settings": {name: value for name, value in vars(arguments).items() if name != "output"}
    }
    for case in arguments.cases:
        data_sets = []
        for seed in arguments.seeds:
            data_sets.append(one_data_set(case, seed, arguments))
        methods = data_sets[0]
        pooled = {name: pool([one[name] for one in data_sets]) for name in methods}
        result[case] = {"pooled": pooled, "data_sets": data_sets}
        for name, scores in pooled.items():
            figures = (f"{key} {value['mean']:.4g}" for key, value in scores.items())
            print(f"{case:16}{name:24}", "  ".join(figures), flush=True)
        write_result(arguments.output, result)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--length", type=int, default=1_000_000, help="base pairs")
    parser.add_argument("--haplotypes", type=int, default=20)
    parser.add_argument("--mutation-rate", type=float, default=MUTATION_RATE)
    parser.add_argument(
        "--pairs", nargs="+", default=list(PARAMETERISATIONS), choices=list(PARAMETERISATIONS)
    )
    parser.add_argument("--draws", type=int, default=0, help="threading draws to estimate from")
    parser.add_argument(
        "--output", type=Path, default=Path("benchmarks/results/demography_methods.json")
    )
    return parser.parse_args()


def one_data_set(case: str, seed: int, arguments: argparse.Namespace) -> dict[str, dict]:
    """Simulate one data set and score every method on it."""
    config = SimulateGenealogyConfig(
        haplotypes=arguments.haplotypes,
        sequence_length=arguments.length,
        mutation_rate=arguments.mutation_rate,
        seed=seed,
        **CASES[case],
    )
    trees, alleles, positions = simulate_genealogy(config)
    genotypes = Genotypes.from_arrays(
        alleles, positions, start=0, end=arguments.length, ploidy=config.ploidy
    )
    truth = demography(config).debug().population_size_trajectory(TIMES)[:, 0]
    settings = dataclasses.replace(
        inference_config(max(arguments.draws, 1)), mutation_rate=arguments.mutation_rate
    )
    problem = threading_problem(genotypes, settings)
    told = np.full(TIMES.size, problem.population_size)
    scores = {
        "diversity": {"rmse": log10_error(told, truth)},
        "true_trees": score(oracle(trees, problem), truth),
    }
    learn = case in WRONG_RATES
    for kind in arguments.pairs:
        scores[f"pairs_{kind}"] = score_pairs(problem, kind, learn, truth)
    if arguments.draws:
        posterior = infer(genotypes, settings, key=jax.random.key(seed))
        scores["threading_draws"] = score(posterior.population_size, truth)
    return scores


def oracle(trees: tskit.TreeSequence, problem: ThreadingProblem) -> PopulationSizeEstimate:
    """Estimate from the true trees, in the epochs of the time levels."""
    edges = np.asarray(problem.grid.edges, dtype=np.float64)
    return estimate_population_size([trees], edges, prior_size=problem.population_size, seed=1)


def score_pairs(
    problem: ThreadingProblem, kind: str, learn: bool, truth: np.ndarray
) -> dict[str, float]:
    """Fit pairs; the first fit of a process pays for its compilation."""
    start = time.process_time()
    fit = fit_demography(problem, kind, learn_recombination=learn, learn_genotype_error=learn)
    seconds = time.process_time() - start
    figures = score(fit.estimate(), truth) | {"converged": float(fit.converged)}
    return figures | learned_rates(fit) | {"cpu_seconds": seconds}


def learned_rates(fit: DemographyFit) -> dict[str, float]:
    """Values and log standard errors of the rates that were learned."""
    figures = {}
    for name in ("recombination_factor", "genotype_error"):
        rate = getattr(fit, name)
        if rate is not None:
            figures |= {f"{name}_{key}": value for key, value in dataclasses.asdict(rate).items()}
    return figures


def score(estimate: PopulationSizeEstimate, truth: np.ndarray) -> dict[str, float]:
    """Error, and coverage of the 95 % band."""
    epoch = np.searchsorted(estimate.time_generations, TIMES, side="right") - 1
    inside = (estimate.lower_95[epoch] <= truth) & (truth <= estimate.upper_95[epoch])
    return {
        "rmse": log10_error(estimate.population_size[epoch], truth),
        "coverage95": float(inside.mean()),
    }


def log10_error(sizes: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square error of log10 N_e."""
    return float(np.sqrt(np.mean(np.log10(sizes / truth) ** 2)))


if __name__ == "__main__":
    main()
