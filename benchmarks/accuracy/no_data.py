"""Does threading without data return Kingman's coalescent?

Nothing is observed: one site at which every genotype is missing, and no base that could mutate. The
evidence of every threading should then be 1 and the coalescence times of pairs exponential. What
is lost is measured after the pass and after every Gibbs sweep.
"""

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.record import write_result
from escapement_jax.config.genealogy import InferConfig
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from escapement_jax.genealogy.model.threading_problem import ThreadingProblem, threading_problem
from escapement_jax.genealogy.threading.sequential_pass import (
    empty_graphs,
    graph_draws,
    remove_haplotypes,
    thread_haplotypes,
)

POPULATION_SIZE = 10_000.0
RECOMBINATION_RATE = 1e-8


@dataclasses.dataclass(frozen=True)
class NoDataFigures:
    """Distance of the draws from Kingman's coalescent.

    Attributes:
        sweeps: Gibbs sweeps since the pass.
        kolmogorov_distance: largest difference of the distributions of the level at which a pair
            coalesces, pooled over pairs, draws and genome.
        kolmogorov_stderr: standard error over draws of the difference at that level.
        cumulative: the pooled distribution function per level.
        records_per_expected: recombinations in the graphs over their expectation under Kingman.
    """

    sweeps: int
    kolmogorov_distance: float
    kolmogorov_stderr: float
    cumulative: list[float]
    records_per_expected: float


def no_data_problem(num_haplotypes: int, length: int) -> ThreadingProblem:
    """Set up an inference from a genome of which nothing is known."""
    site = length // 2
    genotypes = Genotypes.from_arrays(
        np.full((1, num_haplotypes), -1),
        np.array([site]),
        start=0,
        end=length,
        accessible=np.array([[site, site + 1]]),
    )
    config = InferConfig(
        mutation_rate=1e-8,
        recombination_rate=RECOMBINATION_RATE,
        population_size=POPULATION_SIZE,
    )
    return threading_problem(genotypes, config)


def kingman_cumulative(problem: ThreadingProblem) -> np.ndarray:
    """Probability that a pair has coalesced by the end of each level."""
    intensities = PiecewiseConstant.constant(POPULATION_SIZE).level_intensities(problem.grid)
    return -np.expm1(-np.cumsum(np.asarray(intensities)))


def pair_level_cumulative(draw: GraphDraw, num_bins: int, num_levels: int) -> np.ndarray:
    """Share of pairs and bins of one draw that has coalesced by the end of each level."""
    first, second = np.triu_indices(draw.num_haplotypes, k=1)
    bins = np.diff(draw.first_bin, append=num_bins)
    levels = draw.trees[:, first, second]
    counts = np.bincount(levels.ravel(), weights=np.repeat(bins, first.size), minlength=num_levels)
    return np.cumsum(counts) / counts.sum()


def compare(problem: ThreadingProblem, draws: Sequence[GraphDraw], sweeps: int) -> NoDataFigures:
    """Compare the draws with Kingman's coalescent."""
    num_bins, num_levels = problem.bins.num_bins, problem.model.num_levels
    shares = np.stack([pair_level_cumulative(draw, num_bins, num_levels) for draw in draws])
    differences = shares.mean(0) - kingman_cumulative(problem)
    worst = np.abs(differences).argmax()
    tree_length = 4 * POPULATION_SIZE * (1 / np.arange(1, problem.num_haplotypes)).sum()
    expected = problem.bins.recombination.sum() * tree_length
    return NoDataFigures(
        sweeps=sweeps,
        kolmogorov_distance=float(abs(differences[worst])),
        kolmogorov_stderr=float(shares[:, worst].std(ddof=1) / np.sqrt(len(draws))),
        cumulative=shares.mean(0).tolist(),
        records_per_expected=float(np.mean([d.num_segments - 1 for d in draws]) / expected),
    )


def measure(
    num_haplotypes: int, length: int, num_draws: int, sweeps: int, seed: int
) -> Iterator[tuple[NoDataFigures, np.ndarray]]:
    """Thread without data; yield figures after the pass and after every sweep.

    Beside them stand the log evidences since the figures before, one row per threading.
    """
    problem = no_data_problem(num_haplotypes, length)
    generator = np.random.default_rng(seed)
    key = jax.random.key(seed)
    orders = _orders(generator, num_draws, num_haplotypes)
    graphs = empty_graphs(orders[0], num_haplotypes, problem.chunks, problem.capacity)
    threaded = orders[1:]
    for sweep in range(sweeps + 1):
        evidence = []
        for index, haplotypes in enumerate(threaded):
            if sweep:
                graphs = remove_haplotypes(graphs, haplotypes)
            step_key = jax.random.fold_in(key, sweep * num_haplotypes + index)
            graphs, log_evidence = thread_haplotypes(
                step_key, graphs, problem.chunks, haplotypes, problem.model
            )
            evidence.append(log_evidence)
        yield (
            compare(problem, graph_draws(graphs, problem.bins.num_bins), sweep),
            np.stack(evidence),
        )
        threaded = _orders(generator, num_draws, num_haplotypes)


def _orders(generator: np.random.Generator, num_draws: int, num_haplotypes: int) -> list[jax.Array]:
    """Haplotypes of every step, in a random order for every draw."""
    orders = generator.permuted(np.tile(np.arange(num_haplotypes), (num_draws, 1)), axis=1)
    return list(jnp.asarray(orders.T, dtype=jnp.int32))


def main() -> None:
    """Measure, print a line per sweep and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--haplotypes", type=int, default=20)
    parser.add_argument("--length", type=int, default=250_000, help="base pairs")
    parser.add_argument("--draws", type=int, default=128)
    parser.add_argument("--sweeps", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/no_data.json"))
    arguments = parser.parse_args()
    settings = {name: value for name, value in vars(arguments).items() if name != "output"}
    megabases = arguments.length / 1e6
    result = {"settings": settings, "kingman_cumulative": None, "log_evidence_per_megabase": None}
    result["kingman_cumulative"] = kingman_cumulative(
        no_data_problem(arguments.haplotypes, arguments.length)
    ).tolist()
    figures = []
    for after, log_evidence in measure(
        arguments.haplotypes, arguments.length, arguments.draws, arguments.sweeps, arguments.seed
    ):
        figures.append(dataclasses.asdict(after))
        if after.sweeps == 0:
            totals = log_evidence.sum(0) / megabases
            result["log_evidence_per_megabase"] = {
                "mean": float(totals.mean()),
                "stderr": float(totals.std(ddof=1) / np.sqrt(totals.size)),
                "by_threading": (log_evidence.mean(1) / megabases).tolist(),
            }
            print(f"sum log Z per Mb {totals.mean():.2f}", flush=True)
        print(
            f"sweeps {after.sweeps}: Kolmogorov distance {after.kolmogorov_distance:.4f} "
            f"+- {after.kolmogorov_stderr:.4f}, records {after.records_per_expected:.3f}",
            flush=True,
        )
        write_result(arguments.output, {**result, "figures": figures})


if __name__ == "__main__":
    main()
