"""Inference of ancestral recombination graphs: one threading pass, then optional Gibbs sweeps."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.genealogy import InferConfig
from escapement_jax.genealogy.genotypes import Genotypes
from escapement_jax.genealogy.posterior import Posterior
from escapement_jax.genealogy.rate_map import RateMap
from escapement_jax.genealogy.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.sequential_pass import (
    empty_graphs,
    graph_draws,
    graph_log_density,
    remove_haplotypes,
    thread_haplotypes,
)
from escapement_jax.genealogy.threading_problem import ThreadingProblem, threading_problem
from escapement_jax.training.progress import progress_bar


@dataclasses.dataclass
class _Run:
    """State of an inference between threadings."""

    problem: ThreadingProblem
    graphs: Sequence[RecombinationGraph]
    log_weights: list[np.ndarray]
    seconds: list[float]

    def thread(self, key: PRNGKey, haplotypes: Int[Array, " draws"]) -> np.ndarray:
        """Thread one haplotype per draw onto the graphs of the others."""
        problem = self.problem
        started = time.perf_counter()
        self.graphs, log_evidence = thread_haplotypes(
            key, self.graphs, problem.chunks, haplotypes, problem.model
        )
        self.seconds.append(time.perf_counter() - started)
        return log_evidence


def infer(
    genotypes: Genotypes,
    config: InferConfig,
    *,
    key: PRNGKey,
    mutation_map: RateMap | None = None,
    recombination_map: RateMap | None = None,
    progress: bool = False,
) -> Posterior:
    """Draw ancestral recombination graphs from their posterior given phased genomes.

    Every draw threads the haplotypes one by one, in an order of its own, each from its exact
    conditional given the graph so far: `q(G) = prod_i p(G_i | G_{i-1}, D_i)`. The mean of `sum_i
    log Z_i` is a lower bound on `log P(D)`. Optional Gibbs sweeps then take out and re-thread
    every haplotype, which moves the draws towards the exact posterior.

    Args:
        genotypes: phased haplotypes; missing genotypes are integrated out, and only accessible
            bases enter the likelihood.
        config: settings; rates come from the maps where these are given.
        key: random key; the same key gives the same draws.
        mutation_map: mutation rate per base pair per generation.
        recombination_map: recombination rate per base pair per generation.
        progress: whether to show a progress bar.

    Returns:
        The draws with all that was measured on the way.

    Raises:
        ValueError: fewer than two haplotypes, no site, a rate that is missing, a map that does not
            cover the region, or an evidence that is not finite.
    """
    problem = threading_problem(genotypes, config, mutation_map, recombination_map)
    key_orders, key_pass, key_sweeps, key_times = jax.random.split(key, 4)
    num_haplotypes = genotypes.num_haplotypes
    orders = _random_orders(key_orders, config.draws, num_haplotypes)
    graphs = empty_graphs(orders[:, 0], num_haplotypes, problem.chunks, problem.capacity)
    run = _Run(problem, graphs, [], [])
    threadings = num_haplotypes - 1 + config.sweeps * num_haplotypes
    with progress_bar(threadings, "threading", enabled=progress, unit="haplotype") as bar:
        for index in range(1, num_haplotypes):
            step_key = jax.random.fold_in(key_pass, index)
            run.log_weights.append(run.thread(step_key, orders[:, index]))
            bar.update()
        densities = [_log_density(run)] if config.sweeps else []
        for sweep in range(config.sweeps):
            _sweep(jax.random.fold_in(key_sweeps, sweep), run, config.draws, bar.update)
            densities.append(_log_density(run))
    return _posterior(run, config, genotypes, key_times, np.array(densities))


def _random_orders(key: PRNGKey, draws: int, num_haplotypes: int) -> Int[Array, "draws haplotypes"]:
    permute = jax.vmap(lambda one: jax.random.permutation(one, num_haplotypes))
    return permute(jax.random.split(key, draws)).astype(jnp.int32)


def _sweep(key: PRNGKey, run: _Run, draws: int, tick) -> None:
    """Take out and re-thread every haplotype once, in a random order per draw."""
    key_orders, key_threads = jax.random.split(key)
    num_haplotypes = run.problem.num_haplotypes
    orders = _random_orders(key_orders, draws, num_haplotypes)
    for index in range(num_haplotypes):
        run.graphs = remove_haplotypes(run.graphs, orders[:, index])
        run.thread(jax.random.fold_in(key_threads, index), orders[:, index])
        tick()


def _log_density(run: _Run) -> np.ndarray:
    return graph_log_density(run.graphs, run.problem.chunks, run.problem.model)


def _plateau(densities: np.ndarray) -> bool:
    """Whether the last sweep raised the log density by less than two standard errors."""
    if len(densities) < 2:
        return True
    gain = densities[-1] - densities[-2]
    return bool(gain.mean() < 2 * gain.std() / np.sqrt(gain.size) + 1e-9)


def _posterior(
    run: _Run,
    config: InferConfig,
    genotypes: Genotypes,
    key_times: PRNGKey,
    densities: np.ndarray,
) -> Posterior:
    problem = run.problem
    converged = _plateau(densities)
    warnings = list(problem.warnings)
    if not converged:
        warnings.append("the log density was still rising in the last sweep; use more sweeps")
    settings = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in dataclasses.asdict(config).items()
    }
    return Posterior(
        draws=graph_draws(run.graphs, problem.bins.num_bins),
        bin_edges=problem.bins.edges,
        time_grid_edges=np.asarray(problem.grid.edges, dtype=np.float64),
        time_grid_times=np.asarray(problem.grid.times, dtype=np.float64),
        genotypes=genotypes,
        log_weights=np.stack(run.log_weights, axis=1),
        population_size_prior=problem.population_size,
        settings=settings,
        seed=int(jax.random.bits(key_times, dtype=jnp.uint32)),
        threading_seconds=tuple(run.seconds[: genotypes.num_haplotypes - 1]),
        sweep_log_densities=densities,
        converged=converged,
        warnings=tuple(warnings),
    )
