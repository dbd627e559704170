"""What look-ahead is worth: bound gained, spread of the weights, accuracy of a pass, sweeps saved.

Every method is a way to thread the same genomes, in the same orders, with the same keys. After the
pass come full Gibbs sweeps without look-ahead, so that a pass can be held against sweeps. Bounds of
particle filters, whose draws are no posterior sample, stand in rows of their own.

Genomes drawn from the model itself (`--genomes model`) have a true graph that is a draw from the
posterior: weighed as by the pass, it bounds the evidence from above.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.accuracy.metrics import coverage, crps, point_errors
from benchmarks.accuracy.mixing import make_problem
from benchmarks.accuracy.model_genomes import true_graphs
from benchmarks.accuracy.true_tmrca import evenly_spaced_positions, pairwise_tmrca
from benchmarks.record import write_result
from benchmarks.simulated_genotypes import inference_config, simulate_genotypes
from escapement_jax.genealogy.copying.copying_model import copying_model, posterior_marginals
from escapement_jax.genealogy.copying.copying_tables import PairCounts
from escapement_jax.genealogy.diagnostics.weights import mean_and_standard_error
from escapement_jax.genealogy.genome.level_times import times_within_levels
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.threading_problem import ThreadingProblem, threading_problem
from escapement_jax.genealogy.threading.carrier_look_ahead import CarrierLookAhead
from escapement_jax.genealogy.threading.evidence_bounds import log_weights_of_graphs
from escapement_jax.genealogy.threading.gibbs_sweep import gibbs_sweep, random_orders
from escapement_jax.genealogy.threading.look_ahead import LookAhead, PairLookAhead
from escapement_jax.genealogy.threading.particle_evidence import particle_evidence
from escapement_jax.genealogy.threading.sequential_pass import (
    empty_graphs,
    graph_draws,
    graph_log_density,
    thread_haplotypes,
)
from escapement_jax.genealogy.world.recombination_factor import scaled_recombination

NUM_POSITIONS = 200
COPYING_STRENGTH = 0.02
COPYING_FLOOR = 1e-3

Method = Callable[[ThreadingProblem], Sequence[LookAhead] | None]


def main() -> None:
    """Run all methods on all seeds, print and write the figures after each."""
    arguments = parse_arguments()
    methods = dict(METHODS)
    for given in arguments.table:
        name, file = given.split("=", 1)
        methods[name] = partial(stored_table, file=file)
    chosen = [*arguments.methods, *(given.split("=", 1)[0] for given in arguments.table)]
    rows: list[dict[str, Any]] = []
    settings = {key: value for key, value in vars(arguments).items() if key != "output"}
    for seed in arguments.seeds:
        for name in chosen:
            for row in run_method(seed, methods[name], arguments):
                rows.append({"method": name, **row})
                print(rows[-1], flush=True)
        result = {"settings": settings, "pooled": pooled(rows, arguments.length), "rows": rows}
        write_result(arguments.output, result)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6])
    add("--haplotypes", type=int, default=20)
    add("--length", type=int, default=200_000)
    add("--draws", type=int, default=16)
    add("--sweeps", type=int, default=1)
    add("--start-recombination", type=float, default=1.0, help="factor in the pass")
    add("--methods", nargs="*", choices=METHODS, default=["none", "carriers"])
    add("--table", nargs="*", default=[], help="NAME=FILE.npy, {seed} in FILE is filled in")
    add("--genomes", choices=["msprime", "model"], default="msprime")
    add("--particles", action="store_true", help="bounds of particle filters, too")
    add("--output", type=Path, default=Path("benchmarks/results/look_ahead.json"))
    return parser.parse_args()


def copying_table(problem: ThreadingProblem) -> list[LookAhead]:
    """The tempered posterior of the closest relative among all haplotypes, and the time to it."""
    bins, chunks = problem.bins, problem.chunks
    mutation = float(np.mean(bins.site_mutation))
    model = copying_model(
        problem.num_haplotypes,
        PiecewiseConstant.constant(problem.population_size),
        problem.grid,
        mutation_rate=jnp.full(bins.num_bins, mutation),
        recombination_distance=jnp.maximum(jnp.asarray(bins.recombination, dtype=float), 1e-12),
        order="leave_one_out",
    )
    invariant = bins.invariant_mutation / mutation
    counts = PairCounts.from_haplotypes(bins.genotypes, bins.site_bin, invariant)
    posterior = posterior_marginals(model, counts)
    table = COPYING_STRENGTH * jnp.log(posterior + COPYING_FLOOR)
    return cut_into_chunks(np.asarray(table).swapaxes(0, 1), chunks[0].recombination.shape[0])


def stored_table(problem: ThreadingProblem, file: str) -> list[LookAhead]:
    """Potentials [threaded, bins, haplotypes, levels] of another program."""
    return cut_into_chunks(np.load(file), problem.chunks[0].recombination.shape[0])


def cut_into_chunks(table: np.ndarray, bins_per_chunk: int) -> list[LookAhead]:
    """Tables of equal chunks, zero beyond the end."""
    behind = -table.shape[1] % bins_per_chunk
    padded = np.pad(table, [(0, 0), (0, behind), (0, 0), (0, 0)])
    parts = np.split(padded, padded.shape[1] // bins_per_chunk, axis=1)
    return [PairLookAhead(jnp.asarray(part, dtype=float)) for part in parts]


METHODS: dict[str, Method] = {
    "none": lambda problem: None,
    "carriers": lambda problem: [CarrierLookAhead.of(problem.model)] * len(problem.chunks),
    "copying": copying_table,
}


def run_method(seed: int, method: Method, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for the pass, one for every sweep after it, one for the particle filter."""
    if arguments.genomes == "model":
        return [run_on_model_genome(seed, method, arguments)]
    tree_sequence, genotypes = simulate_genotypes(seed, arguments.length, arguments.haplotypes)
    problem = threading_problem(genotypes, inference_config(arguments.draws))
    positions = evenly_spaced_positions(arguments.length, NUM_POSITIONS)
    truth = pairwise_tmrca(tree_sequence, positions)
    start = time.process_time()
    graphs, log_weights = one_pass(seed, problem, method(problem), arguments)
    seconds = time.process_time() - start
    rows = [{"seed": seed, "sweep": 0} | bound(log_weights) | {"cpu_seconds": seconds}]
    rows[0] |= accuracy(graphs, problem, positions, truth)
    for sweep in range(arguments.sweeps):
        start = time.process_time()
        key = jax.random.fold_in(jax.random.key(seed), sweep)
        graphs = gibbs_sweep(key, graphs, problem)
        seconds += time.process_time() - start
        rows.append({"seed": seed, "sweep": sweep + 1, "cpu_seconds": seconds})
        rows[-1] |= accuracy(graphs, problem, positions, truth)
    if arguments.particles:
        rows.append({"seed": seed, "sweep": -1} | particles(seed, problem, method, arguments))
    return rows


def run_on_model_genome(seed: int, method: Method, arguments: argparse.Namespace) -> dict[str, Any]:
    """Bounds of the evidence from both sides, the upper one by the true graph."""
    genome, problem = make_problem(seed, arguments.haplotypes, arguments.length)
    look_ahead = method(problem)
    start = time.process_time()
    _, log_weights = one_pass(seed, problem, look_ahead, arguments)
    row = {"seed": seed, "sweep": 0} | bound(log_weights)
    row |= {"cpu_seconds": time.process_time() - start}
    graphs = true_graphs(genome, problem, arguments.draws)
    orders = random_orders(jax.random.key(4000 + seed), arguments.draws, problem.num_haplotypes)
    above = log_weights_of_graphs(graphs, orders, problem.chunks, problem.model, look_ahead)
    return row | {"upper_bound": float(above.mean()), "between": float(above.mean()) - row["bound"]}


def one_pass(
    seed: int,
    problem: ThreadingProblem,
    look_ahead: Sequence[LookAhead] | None,
    arguments: argparse.Namespace,
) -> tuple[Sequence[RecombinationGraph], np.ndarray]:
    """Thread all haplotypes, in an order of its own for every draw; graphs and log weights."""
    key_orders, key_threads = jax.random.split(jax.random.key(1000 + seed))
    orders = random_orders(key_orders, arguments.draws, problem.num_haplotypes)
    factor = jnp.asarray(arguments.start_recombination, dtype=float)
    chunks = [scaled_recombination(chunk, factor) for chunk in problem.chunks]
    graphs: Sequence[RecombinationGraph] = empty_graphs(
        orders[:, 0], problem.num_haplotypes, chunks, problem.capacity
    )
    log_weights = np.zeros(arguments.draws)
    for index in range(1, problem.num_haplotypes):
        key = jax.random.fold_in(key_threads, index)
        graphs, log_weight = thread_haplotypes(
            key, graphs, chunks, orders[:, index], problem.model, look_ahead=look_ahead
        )
        log_weights += log_weight
    if arguments.start_recombination != 1.0:
        log_weights += graph_log_density(graphs, problem.chunks, problem.model)
        log_weights -= graph_log_density(graphs, chunks, problem.model)
    return graphs, log_weights


def bound(log_weights: np.ndarray) -> dict[str, float]:
    """The bound, the spread of the log weights, and the bound of importance weighting."""
    largest = log_weights.max()
    return {
        "bound": float(log_weights.mean()),
        "sd_log_weight": float(log_weights.std(ddof=1)),
        "weighted_bound": float(largest + np.log(np.exp(log_weights - largest).mean())),
    }


def particles(
    seed: int, problem: ThreadingProblem, method: Method, arguments: argparse.Namespace
) -> dict[str, float]:
    """The bound of a particle filter over haplotypes, of as many draws."""
    start = time.process_time()
    found = particle_evidence(
        jax.random.key(2000 + seed),
        random_orders(jax.random.key(3000 + seed), 1, problem.num_haplotypes)[0],
        problem.chunks,
        problem.model,
        draws=arguments.draws,
        capacity=problem.capacity,
        look_ahead=method(problem),
    )
    return {
        "bound": found.log_evidence,
        "effective_draws": float(found.effective_draws.mean()),
        "cpu_seconds": time.process_time() - start,
    }


def accuracy(
    graphs: Sequence[RecombinationGraph],
    problem: ThreadingProblem,
    positions: np.ndarray,
    truth: np.ndarray,
) -> dict[str, float]:
    """Scores of log10 TMRCA of all pairs; times are uniform inside their levels."""
    bins = np.searchsorted(problem.bins.edges, positions, side="right") - 1
    pairs = np.triu_indices(problem.num_haplotypes, 1)
    generator = np.random.default_rng(0)
    edges, times = np.asarray(problem.grid.edges), np.asarray(problem.grid.times)
    drawn = []
    for draw in graph_draws(graphs, problem.bins.num_bins):
        levels = draw.trees[:, pairs[0], pairs[1]]
        within = times_within_levels(levels, generator.random(levels.shape), edges, times)
        drawn.append(within[draw.segment_of_bin(bins)].T)
    tmrca = np.stack(drawn)
    density = graph_log_density(graphs, problem.chunks, problem.model)
    return {
        **point_errors(tmrca, truth),
        "crps": crps(tmrca, truth),
        "spread": float(np.sqrt(np.log10(tmrca).var(0, ddof=1).mean())),
        "coverage80": coverage(tmrca, truth, 0.8),
        "coverage95": coverage(tmrca, truth, 0.95),
        "log_density": float(density.mean()),
    }


def pooled(rows: list[dict[str, Any]], length: int) -> list[dict[str, Any]]:
    """Means and standard errors over seeds; the bound also as gain over a pass without look-ahead.

    Sweep -1 is the particle filter.
    """
    blind = {row["seed"]: row["bound"] for row in rows if (row["method"], row["sweep"]) == FIRST}
    result = []
    for method, sweep in dict.fromkeys((row["method"], row["sweep"]) for row in rows):
        chosen = [row for row in rows if (row["method"], row["sweep"]) == (method, sweep)]
        pool: dict[str, Any] = {"method": method, "sweep": sweep, "seeds": len(chosen)}
        for name in [name for name in chosen[0] if name not in ("method", "seed", "sweep")]:
            pool |= summary(name, [row[name] for row in chosen])
        if "bound" in chosen[0] and blind:
            gains = [(row["bound"] - blind[row["seed"]]) * 1e5 / length for row in chosen]
            pool |= summary("gain_per_100kb", gains)
        # Compilation falls on the first data set.
        pool["cpu_seconds_median"] = float(np.median([row["cpu_seconds"] for row in chosen]))
        result.append(pool)
    return result


FIRST = ("none", 0)
"""The method and sweep that the others are held against."""


def summary(name: str, values: list[float]) -> dict[str, float]:
    """Mean and standard error."""
    if len(values) == 1:
        return {name: values[0]}
    mean, stderr = mean_and_standard_error(np.array(values))
    return {name: mean, f"{name}_stderr": stderr}


if __name__ == "__main__":
    main()
