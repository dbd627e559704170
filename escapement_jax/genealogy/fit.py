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
from escapement_jax.genealogy.run_state import RunState, pack_demography, unpack_demography
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
from escapement_jax.training.devices import batched
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.progress import progress_bar

CHAINS, PAIRS = "chains", "pairs"
"""Sections of the state that is kept."""


@dataclasses.dataclass
class _Run:
    """State of an inference between threadings; every chain is a row of the batch."""

    told: ThreadingProblem
    config: InferConfig
    world: World
    problem: ThreadingProblem
    keeper: Keeper
    recorder: TraceRecorder
    graphs: Sequence[RecombinationGraph] = ()
    log_weights: list[np.ndarray] = dataclasses.field(default_factory=list)
    bound_correction: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    seconds: list[float] = dataclasses.field(default_factory=list)
    sweep: int = 0
    moves: int = 0
    draws: list[GraphDraw] = dataclasses.field(default_factory=list)

    @property
    def threadings(self) -> int:
        """Threadings made so far."""
        return len(self.log_weights) + self.sweep * self.told.num_haplotypes + self.moves

    def keep(self, place: str) -> None:
        """Offer the state as it is now."""
        now = RunState(
            world=self.world,
            graphs=tuple(self.graphs),
            log_weights=tuple(self.log_weights),
            seconds=tuple(self.seconds),
            bound_correction=self.bound_correction,
            sweep=self.sweep,
            moves=self.moves,
            log_densities=tuple(self.recorder.log_densities),
            levels=tuple(self.recorder.levels),
            draws=tuple(self.draws),
        )
        self.keeper.offer(CHAINS, place, now.pack)

    def take_up(self, state: RunState) -> None:
        """Go on from a state that was kept."""
        self.world, self.problem = state.world, problem_in_world(self.told, state.world)
        self.graphs, self.bound_correction = batched(state.graphs), state.bound_correction
        self.log_weights, self.seconds = list(state.log_weights), list(state.seconds)
        self.sweep, self.moves, self.draws = state.sweep, state.moves, list(state.draws)
        self.recorder.log_densities = list(state.log_densities)
        self.recorder.levels = list(state.levels)

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
        if self.bound_correction.size:
            return  # Resumed behind the pass.
        config, problem = self.config, self.problem
        key_orders, key_threads = jax.random.split(key)
        orders = random_orders(key_orders, config.num_chains, problem.num_haplotypes)
        rarer = start_recombination(problem, config) if config.sweeps else 1.0
        factor = jnp.asarray(rarer, dtype=float)
        chunks = [scaled_recombination(chunk, factor) for chunk in problem.chunks]
        if not self.graphs:
            start = (orders[:, 0], problem.num_haplotypes, chunks, problem.capacity)
            self.graphs = batched(empty_graphs(*start))
        layout = WindowLayout.split(len(chunks), config.windows)
        ahead = None
        if config.look_ahead == "carriers":
            ahead = [CarrierLookAhead.of(problem.model)] * len(chunks)
        for index in range(1 + len(self.log_weights), problem.num_haplotypes):
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
            self.keep(f"{index + 1} of {problem.num_haplotypes} haplotypes threaded")
            tick()
        drawn_under = graph_log_density(self.graphs, chunks, problem.model)
        density = graph_log_density(self.graphs, problem.chunks, problem.model)
        self.bound_correction = density - drawn_under

    def gibbs_sweep(self, key: PRNGKey, key_world: PRNGKey, tick: Callable[[], object]) -> None:
        """Make the next sweep, or what is left of it, and collect what it gives."""
        config, this = self.config, f"sweep {self.sweep + 1} of {self.config.num_sweeps}"
        if config.learns and not self.moves:
            self.learn(jax.random.fold_in(key_world, self.sweep))

        def moved(graphs: Sequence[RecombinationGraph]) -> None:
            self.graphs, self.moves = graphs, self.moves + 1
            self.keep(f"{this}: {self.moves} of {self.told.num_haplotypes} moves")
            tick()

        key, windows = jax.random.fold_in(key, self.sweep), config.windows
        gibbs_sweep(key, self.graphs, self.problem, windows=windows, first=self.moves, moved=moved)
        self.recorder.record(self.graphs, self.problem)
        self.sweep, self.moves = self.sweep + 1, 0
        if config.draws_after(self.sweep):
            self.draws.extend(graph_draws(self.graphs, self.told.bins.num_bins))
        self.keep(f"{this}: done")


def infer(
    genotypes: Genotypes,
    config: InferConfig,
    *,
    key: PRNGKey,
    mutation_map: RateMap | None = None,
    recombination_map: RateMap | None = None,
    progress: bool = False,
    keeper: Keeper | None = None,
    pairs: DemographyFit | None = None,
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
        keeper: takes the state after every threading, and brings one to go on from, bit for bit;
            it must belong to the same genotypes, settings and key.
        pairs: what pairs of haplotypes say of the world, where it was learned from more than these
            genotypes; with the population size in the settings.

    Returns:
        The draws with all that was measured on the way.

    Raises:
        ValueError: fewer than two haplotypes, no site, a rate that is missing, a map that does not
            cover the region, or an evidence that is not finite.
    """
    maps = (mutation_map, recombination_map)
    problem = threading_problem(genotypes, config, *maps)
    keeper = keeper or Keeper()
    pairs = pairs or _fit_pairs(problem, config, keeper)
    if pairs is not None and pairs.recombination_factor is not None:
        roomy = RECOMBINATION_HEADROOM * max(pairs.recombination_factor.value, 1.0)
        problem = threading_problem(genotypes, config, *maps, recombination_factor=roomy)
    world = _first_world(problem, config, pairs)
    key_draws, key_times = jax.random.split(key)
    in_world, recorder = problem_in_world(problem, world), TraceRecorder(problem)
    run = _Run(problem, config, world, in_world, keeper, recorder)
    if (kept := keeper.kept(CHAINS)) is not None:
        run.take_up(RunState.unpack(kept))
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
    config, num_haplotypes = run.config, run.told.num_haplotypes
    threadings = num_haplotypes - 1 + config.num_sweeps * num_haplotypes
    with progress_bar(threadings, "threading", enabled=progress, unit="lineage") as bar:
        bar.update(run.threadings)
        run.first_pass(key_pass, bar.update)
        if config.num_sweeps and not run.recorder.levels:
            run.recorder.record(run.graphs, run.problem)
        while run.sweep < config.num_sweeps:
            run.gibbs_sweep(key_sweeps, key_world, bar.update)
    draws = run.draws or graph_draws(run.graphs, run.told.bins.num_bins)
    return tuple(draws[: config.draws]), run.recorder.trace()


def _fit_pairs(
    problem: ThreadingProblem, config: InferConfig, keeper: Keeper
) -> DemographyFit | None:
    """What pairs of haplotypes say of the world, if anything of it is unknown."""
    learns_rates = config.learn_recombination or config.learn_genotype_error
    if config.demography == "constant" and not learns_rates:
        return None
    if (kept := keeper.kept(PAIRS)) is not None:
        return unpack_demography(kept, problem, config.demography)
    fit = fit_demography(
        problem,
        config.demography,
        learn_recombination=config.learn_recombination,
        learn_genotype_error=config.learn_genotype_error,
        seed=config.seed,
    )
    keeper.offer(PAIRS, "pairs of haplotypes fitted", lambda: pack_demography(fit))
    return fit


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
