"""Inference of ancestral recombination graphs: one threading pass, then Gibbs sweeps."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.genealogy import InferConfig
from escapement_jax.genealogy.dating.coalescent_clock import CoalescentClock
from escapement_jax.genealogy.dating.redating import RedatingModel
from escapement_jax.genealogy.demography.pair_coalescence import PopulationSizeEstimate
from escapement_jax.genealogy.demography.pair_fit import DemographyFit, fit_demography
from escapement_jax.genealogy.diagnostics.trace import Trace, TraceRecorder
from escapement_jax.genealogy.diagnostics.verdict import judge
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.rate_map import RateMap
from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.threading_problem import ThreadingProblem, threading_problem
from escapement_jax.genealogy.posterior import Posterior
from escapement_jax.genealogy.threading.carrier_look_ahead import CarrierLookAhead
from escapement_jax.genealogy.threading.gibbs_sweep import gibbs_sweep, random_orders
from escapement_jax.genealogy.threading.sequential_pass import (
    empty_graphs,
    graph_draws,
    graph_log_density,
    thread_haplotypes,
)
from escapement_jax.genealogy.threading.window_layout import WindowLayout
from escapement_jax.genealogy.world.recombination_factor import scaled_recombination
from escapement_jax.genealogy.world.world_parameters import (
    RECOMBINATION_HEADROOM,
    Estimate,
    World,
    first_world,
    learned_parameters,
    problem_in_world,
    update_world,
)
from escapement_jax.training.progress import progress_bar


@dataclasses.dataclass
class _Run:
    """State of an inference between threadings; every chain is a row of the batch."""

    told: ThreadingProblem
    config: InferConfig
    world: World
    problem: ThreadingProblem
    graphs: Sequence[RecombinationGraph] = ()
    log_weights: list[np.ndarray] = dataclasses.field(default_factory=list)
    bound_correction: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    seconds: list[float] = dataclasses.field(default_factory=list)

    def learn(self, key: PRNGKey) -> None:
        """Draw the parameters that are learned, given the graphs, for the sweeps to come."""
        self.world = update_world(key, self.graphs, self.told, self.world, self.config)
        self.problem = problem_in_world(self.told, self.world)

    def first_pass(self, key: PRNGKey, tick: Callable[[], object]) -> None:
        """Thread the haplotypes one by one, in a random order per chain.

        Before sweeps recombination is made rare: early haplotypes, threaded blind to later ones,
        would recombine too often, and sweeps add records faster than they take out spurious ones.
        The bound is corrected for it: `log Z' + log p(D, G) - log p'(D, G)`, primes for the law
        that the pass draws under. With look-ahead `log Z'` is `log Z'(u) - u(path)`.
        """
        config, problem = self.config, self.problem
        key_orders, key_threads = jax.random.split(key)
        orders = random_orders(key_orders, config.num_chains, problem.num_haplotypes)
        rarer = start_recombination(problem, config) if config.sweeps else 1.0
        factor = jnp.asarray(rarer, dtype=float)
        chunks = [scaled_recombination(chunk, factor) for chunk in problem.chunks]
        self.graphs = empty_graphs(orders[:, 0], problem.num_haplotypes, chunks, problem.capacity)
        layout = WindowLayout.split(len(chunks), config.windows)
        ahead = None
        if config.look_ahead == "carriers":
            ahead = [CarrierLookAhead.of(problem.model)] * len(chunks)
        for index in range(1, problem.num_haplotypes):
            started = time.perf_counter()
            self.graphs, log_evidence = thread_haplotypes(
                jax.random.fold_in(key_threads, index),
                self.graphs,
                chunks,
                orders[:, index],
                problem.model,
                layout,
                ahead,
            )
            self.log_weights.append(log_evidence)
            self.seconds.append(time.perf_counter() - started)
            tick()
        drawn_under = graph_log_density(self.graphs, chunks, problem.model)
        density = graph_log_density(self.graphs, problem.chunks, problem.model)
        self.bound_correction = density - drawn_under


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

    Chains start from a sequential pass, which threads the haplotypes one by one, each from its
    exact conditional given the graph so far: `q(G) = prod_i p(G_i | G_{i-1}, D_i)`. It gives a
    lower bound on `log P(D)`. Gibbs sweeps then take out and re-thread lineages, which moves the
    chains to the exact posterior; after `sweeps` of them every chain gives a draw every `thin`
    sweeps. Without sweeps every draw is a pass of its own. What is not told of the world (N_e(t),
    rates) is first learned from pairs of haplotypes, then along the sweeps.

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
    maps = (mutation_map, recombination_map)
    problem = threading_problem(genotypes, config, *maps)
    pairs = _fit_pairs(problem, config)
    if pairs is not None and pairs.recombination_factor is not None:
        roomy = RECOMBINATION_HEADROOM * max(pairs.recombination_factor.value, 1.0)
        problem = threading_problem(genotypes, config, *maps, recombination_factor=roomy)
    world = _first_world(problem, config, pairs)
    key_draws, key_times = jax.random.split(key)
    run = _Run(problem, config, world, problem_in_world(problem, world))
    draws, trace = _sample(key_draws, run, progress)
    times_seed = int(jax.random.bits(key_times, dtype=jnp.uint32))
    return _posterior(run, draws, genotypes, pairs, times_seed, trace)


def start_recombination(problem: ThreadingProblem, config: InferConfig) -> float:
    """Factor on recombination in the pass that starts the chains: told, or `rho / (8 mu)`.

    `rho` and `mu` are the rates summed over the genome; the result is held between 0.1 and 1. The
    more recombinations there are per mutation, the fewer of them data can tell from spurious ones,
    and the more sweeps would have to add.

    Args:
        problem: genome and law.
        config: settings.
    """
    if config.start_recombination is not None:
        return config.start_recombination
    recombination = sum(float(chunk.recombination.sum()) for chunk in problem.chunks)
    mutation = problem.bins.invariant_mutation.sum() + problem.bins.site_mutation.sum()
    return float(np.clip(recombination / (8 * mutation), 0.1, 1.0))


def _sample(key: PRNGKey, run: _Run, progress: bool) -> tuple[tuple[GraphDraw, ...], Trace]:
    """Run the chains and collect their draws and trace."""
    key_pass, key_sweeps, key_world = jax.random.split(key, 3)
    config, num_haplotypes, num_bins = run.config, run.told.num_haplotypes, run.told.bins.num_bins
    recorder, draws = TraceRecorder(run.told), []
    threadings = num_haplotypes - 1 + config.num_sweeps * num_haplotypes
    with progress_bar(threadings, "threading", enabled=progress, unit="lineage") as bar:
        run.first_pass(key_pass, bar.update)
        if config.num_sweeps:
            recorder.record(run.graphs, run.problem)
        for sweep in range(config.num_sweeps):
            if config.learns:
                run.learn(jax.random.fold_in(key_world, sweep))
            run.graphs = gibbs_sweep(
                jax.random.fold_in(key_sweeps, sweep),
                run.graphs,
                run.problem,
                windows=config.windows,
                tick=bar.update,
            )
            recorder.record(run.graphs, run.problem)
            if config.draws_after(sweep + 1):
                draws.extend(graph_draws(run.graphs, num_bins))
    draws = draws or graph_draws(run.graphs, num_bins)
    return tuple(draws[: config.draws]), recorder.trace()


def _fit_pairs(problem: ThreadingProblem, config: InferConfig) -> DemographyFit | None:
    """What pairs of haplotypes say of the world, if anything of it is unknown."""
    rates = {
        "learn_recombination": config.learn_recombination,
        "learn_genotype_error": config.learn_genotype_error,
    }
    if config.demography == "constant" and not any(rates.values()):
        return None
    return fit_demography(problem, config.demography, **rates, seed=config.seed)


def _first_world(
    problem: ThreadingProblem, config: InferConfig, pairs: DemographyFit | None
) -> World:
    """The world as it is told, but for what pairs of haplotypes say."""
    if pairs is None:
        return first_world(problem, config)
    factor, error = pairs.recombination_factor, pairs.genotype_error
    world = first_world(
        problem,
        config,
        recombination_factor=1.0 if factor is None else factor.value,
        genotype_error=None if error is None else error.value,
    )
    if config.demography == "constant":
        return world
    sizes = np.asarray(pairs.population_size().sizes, dtype=np.float64)
    return dataclasses.replace(world, log_sizes=np.log(sizes[:-1]))


def _size_history(problem: ThreadingProblem, world: World) -> PiecewiseConstant:
    """N_e(t) of a world; the open level has the size of the one before."""
    sizes = np.exp(np.append(world.log_sizes, world.log_sizes[-1]))
    return PiecewiseConstant(problem.grid.edges, jnp.asarray(sizes, dtype=float))


def _reported_sizes(
    run: _Run, pairs: DemographyFit | None, learned: dict[str, Estimate]
) -> PopulationSizeEstimate | None:
    """N_e(t) as learned along the sweeps, else from pairs; None to take it from the draws."""
    if "population_size" in learned:
        sizes = learned["population_size"]
        edges = np.asarray(run.told.grid.edges, dtype=np.float64)[:-1]
        return PopulationSizeEstimate(edges, sizes.mean, sizes.lower_95, sizes.upper_95)
    return pairs.estimate() if pairs and run.config.demography != "constant" else None


def _posterior(
    run: _Run,
    draws: tuple[GraphDraw, ...],
    genotypes: Genotypes,
    pairs: DemographyFit | None,
    seed: int,
    trace: Trace,
) -> Posterior:
    problem, config, world = run.problem, run.config, run.world
    settings = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in dataclasses.asdict(config).items()
    }
    recombination = world.recombination_factor * problem.bins.recombination
    learned = learned_parameters(world)
    return Posterior(
        draws=draws,
        bin_edges=problem.bins.edges,
        time_grid_edges=np.asarray(problem.grid.edges, dtype=np.float64),
        time_grid_times=np.asarray(problem.grid.times, dtype=np.float64),
        genotypes=genotypes,
        log_weights=np.stack(run.log_weights, axis=1),
        bound_correction=run.bound_correction,
        population_size_prior=problem.population_size,
        size_estimate=_reported_sizes(run, pairs, learned),
        learned=learned,
        settings=settings,
        seed=seed,
        redating=RedatingModel(
            CoalescentClock.of(_size_history(problem, world)),
            dataclasses.replace(problem.bins, recombination=recombination),
            config.ancestral_misassignment,
            world.genotype_error,
        ),
        threading_seconds=tuple(run.seconds),
        trace=trace,
        verdict=judge(trace, genotypes.num_haplotypes),
        warnings=problem.warnings,
    )
