"""Accuracy and calibration of the pairwise TMRCA of one threading pass, on simulated genomes.

Beside it stands the exact posterior of two haplotypes, run on the disjoint pairs of the same data:
what no method can do better without the other haplotypes, and the bias that is the data's own.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.accuracy.metrics import all_metrics, pool
from benchmarks.accuracy.true_tmrca import evenly_spaced_positions, pairwise_tmrca
from benchmarks.record import write_result
from benchmarks.simulated_genotypes import MUTATION_RATE, inference_config, simulate_genotypes
from escapement_jax.genealogy.fit import infer
from escapement_jax.genealogy.genome.genotypes import Genotypes

NUM_POSITIONS = 500


def main() -> None:
    """Run every data set, print a line for each, and write the figures."""
    arguments = parse_arguments()
    data_sets = []
    for seed in arguments.seeds:
        data_sets.append(one_data_set(seed, arguments))
        print(describe(f"seed {seed}", data_sets[-1]["threading"]), flush=True)
    methods = [name for name, scores in data_sets[0].items() if isinstance(scores, dict)]
    pooled = {name: pool([data_set[name] for data_set in data_sets]) for name in methods}
    for name, scores in pooled.items():
        print(describe_pooled(name, scores))
    settings = {key: value for key, value in vars(arguments).items() if key != "output"}
    result = {"settings": settings, "pooled": pooled, "data_sets": data_sets}
    write_result(arguments.output, result)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6])
    parser.add_argument("--length", type=int, default=200_000, help="base pairs")
    parser.add_argument("--haplotypes", type=int, default=20)
    parser.add_argument("--draws", type=int, default=32)
    parser.add_argument("--sweeps", type=int, default=0, help="Gibbs sweeps after the pass")
    parser.add_argument(
        "--demography", default="constant", choices=["constant", "bottleneck", "zigzag", "growth"]
    )
    parser.add_argument(
        "--output", type=Path, default=Path("benchmarks/results/threading_accuracy.json")
    )
    return parser.parse_args()


def one_data_set(seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Simulate one data set and score every method on it.

    Biases are only comparable over the same pairs, so the joint run is scored on the disjoint pairs
    of the exact posterior, too.
    """
    tree_sequence, genotypes = simulate_genotypes(
        seed, arguments.length, arguments.haplotypes, arguments.demography
    )
    positions = evenly_spaced_positions(arguments.length, NUM_POSITIONS)
    truth = pairwise_tmrca(tree_sequence, positions)
    disjoint = disjoint_pair_rows(arguments.haplotypes)
    draws, cost = draw_jointly(genotypes, positions, seed, arguments)
    exact_draws = draw_exact_pairs(genotypes, positions, seed, arguments.draws)
    return {
        "seed": seed,
        "num_sites": genotypes.num_sites,
        "diversity": genotypes.diversity(),
        "threading": all_metrics(draws, truth) | cost,
        "threading_disjoint_pairs": all_metrics(draws[:, disjoint], truth[disjoint]),
        "exact_disjoint_pairs": all_metrics(exact_draws, truth[disjoint]),
    }


def draw_jointly(
    genotypes: Genotypes, positions: np.ndarray, seed: int, arguments: argparse.Namespace
) -> tuple[np.ndarray, dict[str, float]]:
    """Thread all haplotypes; return TMRCA draws and the cost, compilation included."""
    start = time.process_time()
    config = inference_config(arguments.draws, sweeps=arguments.sweeps)
    posterior = infer(genotypes, config, key=jax.random.key(seed))
    draws = np.asarray(posterior.pairwise_tmrca(positions))
    seconds = time.process_time() - start
    return draws, {"log_evidence_bound": float(posterior.elbo), "cpu_seconds": seconds}


def draw_exact_pairs(
    genotypes: Genotypes, positions: np.ndarray, seed: int, draws: int
) -> np.ndarray:
    """Draw from the n = 2 posteriors, which are exact, of haplotypes (0, 1), (2, 3), ...

    Each pair is told the population size that the diversity of all haplotypes gives, as the joint
    run is.
    """
    population_size = genotypes.diversity() / (4 * MUTATION_RATE)
    config = inference_config(draws, population_size=population_size)
    pairs = []
    for first in range(0, genotypes.num_haplotypes - 1, 2):
        key = jax.random.fold_in(jax.random.key(seed), first)
        posterior = infer(genotypes.subset([first, first + 1]), config, key=key)
        pairs.append(np.asarray(posterior.pairwise_tmrca(positions)))
    return np.concatenate(pairs, axis=1)


def disjoint_pair_rows(num_haplotypes: int) -> np.ndarray:
    """Return the rows of pairs (0, 1), (2, 3), ... among all pairs in row order."""
    first, second = np.triu_indices(num_haplotypes, k=1)
    return np.flatnonzero((first % 2 == 0) & (second == first + 1))


def describe(label: str, scores: dict[str, float]) -> str:
    """Return one readable line of figures."""
    return f"{label:26}" + "  ".join(f"{name} {value:.4g}" for name, value in scores.items())


def describe_pooled(label: str, scores: dict[str, dict[str, float | None]]) -> str:
    """Return one readable line of figures and standard errors."""
    figures = []
    for name, score in scores.items():
        error = "" if score["stderr"] is None else f" +- {score['stderr']:.2g}"
        figures.append(f"{name} {score['mean']:.4g}{error}")
    return f"{label:26}" + "  ".join(figures)


if __name__ == "__main__":
    main()
