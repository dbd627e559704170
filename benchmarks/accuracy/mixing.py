"""Do chains that start at the truth and at a pass meet? A test of mixing, in the model's own world.

Genomes are drawn from the model, so that nothing but the sampler can be wrong. The truth is then
one draw from the posterior: chains that start there stay in law, and chains that start at a pass
must come to the same joint density, recombinations, bias and spread.
"""

import argparse
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.accuracy.model_genomes import ModelGenome, ModelLaw, simulate_genome, true_graphs
from benchmarks.record import write_result
from benchmarks.simulated_genotypes import MUTATION_RATE, RECOMBINATION_RATE
from escapement_jax.config.genealogy import InferConfig
from escapement_jax.genealogy.diagnostics.weights import mean_and_standard_error
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.time_grid import TimeGrid
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.threading_problem import ThreadingProblem, threading_problem
from escapement_jax.genealogy.threading.gibbs_sweep import gibbs_sweep, random_orders
from escapement_jax.genealogy.threading.sequential_pass import (
    empty_graphs,
    graph_log_density,
    thread_haplotypes,
)
from escapement_jax.genealogy.world.recombination_factor import scaled_recombination

POPULATION_SIZE = 10_000.0
BIN_WIDTH = 100
BINS_APART = 8
STARTS = {"truth": None, "pass": 1.0, "rarer": 0.1}
"""Where chains start: factor on recombination in the pass, None for the truth."""


def main() -> None:
    """Run all starts on all seeds, print and write the figures."""
    arguments = parse_arguments()
    rows = []
    for seed in arguments.seeds:
        genome, problem = make_problem(seed, arguments.haplotypes, arguments.length)
        for start in arguments.starts:
            graphs = started(seed, start, genome, problem, arguments.draws)
            for sweep in range(arguments.sweeps + 1):
                rows.append({"seed": seed, "start": start, "sweep": sweep})
                rows[-1] |= figures(graphs, genome, problem)
                print(rows[-1], flush=True)
                if sweep < arguments.sweeps:
                    key = jax.random.fold_in(jax.random.key(seed), sweep)
                    graphs = gibbs_sweep(key, graphs, problem)
    write_result(arguments.output, {"pooled": pooled(rows), "rows": rows})


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--seeds", type=int, nargs="+", default=list(range(1, 11)))
    add("--starts", nargs="+", choices=STARTS, default=list(STARTS))
    add("--haplotypes", type=int, default=20)
    add("--length", type=int, default=200_000)
    add("--draws", type=int, default=8, help="chains per start")
    add("--sweeps", type=int, default=8)
    add("--output", type=Path, default=Path("benchmarks/results/mixing.json"))
    return parser.parse_args()


def make_problem(seed: int, haplotypes: int, length: int) -> tuple[ModelGenome, ThreadingProblem]:
    """Draw genomes from the model and set up their inference under the true parameters."""
    grid = TimeGrid.for_population_size(InferConfig().time_levels, POPULATION_SIZE)
    intensities = PiecewiseConstant.constant(POPULATION_SIZE).level_intensities(grid)
    law = ModelLaw.of(
        haplotypes,
        np.asarray(grid.times, dtype=np.float64),
        np.asarray(intensities, dtype=np.float64),
        bin_width=BIN_WIDTH,
        recombination_rate=RECOMBINATION_RATE,
        mutation_rate=MUTATION_RATE,
    )
    genome = simulate_genome(np.random.default_rng(seed), law, length // BIN_WIDTH)
    config = InferConfig(
        mutation_rate=MUTATION_RATE,
        recombination_rate=RECOMBINATION_RATE,
        population_size=POPULATION_SIZE,
        bin_width=BIN_WIDTH,
    )
    return genome, threading_problem(genome.genotypes, config)


def started(
    seed: int, start: str, genome: ModelGenome, problem: ThreadingProblem, draws: int
) -> list[RecombinationGraph]:
    """Graphs at the start of the chains."""
    factor = STARTS[start]
    if factor is None:
        return true_graphs(genome, problem, draws)
    key_orders, key_threads = jax.random.split(jax.random.key(1000 + seed))
    orders = random_orders(key_orders, draws, problem.num_haplotypes)
    chunks = [scaled_recombination(c, jnp.asarray(factor, dtype=float)) for c in problem.chunks]
    graphs = empty_graphs(orders[:, 0], problem.num_haplotypes, chunks, problem.capacity)
    for index in range(1, problem.num_haplotypes):
        key = jax.random.fold_in(key_threads, index)
        graphs, _ = thread_haplotypes(key, graphs, chunks, orders[:, index], problem.model)
    return graphs


def figures(
    graphs: list[RecombinationGraph], genome: ModelGenome, problem: ThreadingProblem
) -> dict[str, float]:
    """Joint density, recombinations, and log10 TMRCA of all pairs held against the truth."""
    log_times = np.log10(np.asarray(problem.grid.times))
    pairs = np.triu_indices(problem.num_haplotypes, 1)
    bins = np.arange(0, len(genome.moved), BINS_APART)
    truth = log_times[genome.trees[genome.segment[bins]][:, pairs[0], pairs[1]]]
    host = jax.device_get(graphs)
    size, drawn = host[0].moved.shape[1], []
    for bin_ in bins:
        graph = host[bin_ // size]
        segment = (graph.moved[:, : bin_ % size + 1] >= 0).sum(1)
        trees = graph.trees[np.arange(len(segment)), segment]
        drawn.append(log_times[trees[:, pairs[0], pairs[1]]])
    tmrca = np.stack(drawn, axis=1)
    error = tmrca.mean(0) - truth
    records = sum((graph.moved >= 0).sum(1) for graph in host)
    true_density = graph_log_density(
        true_graphs(genome, problem, 1), problem.chunks, problem.model
    )[0]
    density = graph_log_density(graphs, problem.chunks, problem.model)
    return {
        "log_density_above_truth": float(density.mean() - true_density),
        "records_over_truth": float(records.mean() / (genome.moved >= 0).sum()),
        "bias": float(error.mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "spread": float(np.sqrt(tmrca.var(0, ddof=1).mean())),
    }


def pooled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and standard error over seeds for every start and sweep."""
    result = []
    for start, sweep in dict.fromkeys((row["start"], row["sweep"]) for row in rows):
        chosen = [row for row in rows if (row["start"], row["sweep"]) == (start, sweep)]
        pool: dict[str, Any] = {"start": start, "sweep": sweep, "seeds": len(chosen)}
        for name in chosen[0].keys() - {"seed", "start", "sweep"}:
            mean, stderr = mean_and_standard_error(np.array([row[name] for row in chosen]))
            pool |= {name: mean, f"{name}_stderr": stderr}
        result.append(pool)
    return result


if __name__ == "__main__":
    main()
