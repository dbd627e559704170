"""Learning the world along the draws: recombination factor, genotype-error rate and N_e(t).

Between Gibbs sweeps of the graphs every chain draws the parameters that are learned from their
conditional given its own graph: factor and error rate on a grid, sizes by a normal approximation.
One chain, the same for all parameters and chosen at random, hands its values to all. If a sweep
made each graph anew from its conditional, this would be Gibbs sampling of graph and parameters; the
draws of all chains after the first half of the sweeps are the reported posterior.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.genealogy import InferConfig
from escapement_jax.genealogy.demography.graph_demography import (
    GraphDemography,
    LogSizes,
    graph_demography,
    level_intensities,
)
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.coalescent import kingman_tables
from escapement_jax.genealogy.model.threading_problem import ThreadingProblem
from escapement_jax.genealogy.world.genotype_error_rate import log_genotype_density
from escapement_jax.genealogy.world.recombination_factor import (
    Crossings,
    crossings,
    log_crossing_density,
    scaled_recombination,
)
from escapement_jax.numerics.grid_density import Curves, draw_from_curve, zoom_in

LOG_FACTOR_SD = 1.0
"""Prior standard deviation of the log recombination factor, about 0: a factor of 2.7."""

ERROR_PRIOR_TRIALS = 50.0
"""The genotype-error rate is Beta(1, 50) a priori: 0.02 in the mean, and 0 is as good as any."""

FIRST_ERROR = 1e-3
"""Where a genotype-error rate of which nothing is told starts."""

RECOMBINATION_HEADROOM = 2.0
"""Where the factor is learned, bins are made for this many times the first guess of it."""

_FACTOR_RANGE = (1e-2, 1e2)
_ERROR_RANGE = (1e-5, 0.25)
_GRID_POINTS = 24

Draws = Float64[np.ndarray, " draws"]
SizeDraws = Float64[np.ndarray, "draws sizes"]


@dataclass(frozen=True)
class World:
    """The parameters that all chains share, and what every chain drew so far.

    Attributes:
        recombination_factor: recombination is this many times the told map.
        genotype_error: probability that a called allele is wrong.
        log_sizes: log of the diploid size in every level but the last.
        factor_draws: draws of the factor, one row per update; none unless it is learned.
        error_draws: likewise.
        size_draws: likewise, of the log sizes.
    """

    recombination_factor: float
    genotype_error: float
    log_sizes: LogSizes
    factor_draws: tuple[Draws, ...] = ()
    error_draws: tuple[Draws, ...] = ()
    size_draws: tuple[SizeDraws, ...] = ()


@dataclass(frozen=True)
class Estimate:
    """Posterior mean and 95 % interval of parameters, over chains and updates.

    Attributes:
        mean: posterior mean (geometric, as all are positive).
        lower_95: 2.5 % quantile.
        upper_95: 97.5 % quantile.
    """

    mean: np.ndarray
    lower_95: np.ndarray
    upper_95: np.ndarray


def first_world(
    problem: ThreadingProblem,
    config: InferConfig,
    *,
    recombination_factor: float = 1.0,
    genotype_error: float | None = None,
) -> World:
    """The world in which learning starts: as the settings tell it, but for what is estimated.

    Args:
        problem: what is inferred.
        config: settings.
        recombination_factor: a first estimate; chains forget a bad one slowly.
        genotype_error: a first estimate, in place of the rate in the settings.
    """
    unknown = config.learn_genotype_error and config.genotype_error == 0
    told_error = FIRST_ERROR if unknown else config.genotype_error
    return World(
        recombination_factor=recombination_factor,
        genotype_error=told_error if genotype_error is None else genotype_error,
        log_sizes=np.full(problem.grid.num_levels - 1, np.log(problem.population_size)),
    )


def problem_in_world(told: ThreadingProblem, world: World) -> ThreadingProblem:
    """The problem with the parameters of a world in place of those told.

    Bins, and with them all graphs, stay as they are; shapes do too, so that nothing is compiled
    anew.

    Args:
        told: the problem with the recombination map that is told.
        world: the parameters.
    """
    factor = jnp.asarray(world.recombination_factor, dtype=float)
    error = jnp.asarray(world.genotype_error, dtype=float)
    intensities = level_intensities(world.log_sizes, np.asarray(told.grid.edges, np.float64))
    tables = kingman_tables(intensities, told.num_haplotypes)
    model = eqx.tree_at(
        lambda m: (m.mutation.genotype_error, m.kingman), told.model, (error, tables)
    )
    chunks = [scaled_recombination(chunk, factor) for chunk in told.chunks]
    return replace(told, chunks=chunks, model=model)


def update_world(
    key: PRNGKey,
    graphs: Sequence[RecombinationGraph],
    told: ThreadingProblem,
    world: World,
    config: InferConfig,
) -> World:
    """Draw the parameters that are learned, given the graphs of all chains.

    Args:
        key: random key.
        graphs: one batch of graphs per chunk, all haplotypes present.
        told: the problem with the recombination map that is told.
        world: the parameters so far.
        config: settings: which parameters are learned.
    """
    key_chain, key_factor, key_error, key_sizes = jax.random.split(key, 4)
    chain = int(jax.random.randint(key_chain, (), 0, graphs[0].moved.shape[0]))
    if config.learn_recombination:
        factors = draw_recombination_factor(key_factor, graph_crossings(graphs, told))
        world = replace(
            world,
            recombination_factor=float(factors[chain]),
            factor_draws=(*world.factor_draws, factors),
        )
    if config.learn_genotype_error:
        errors = draw_genotype_error(key_error, graphs, told)
        world = replace(
            world,
            genotype_error=float(errors[chain]),
            error_draws=(*world.error_draws, errors),
        )
    if config.demography_schedule != "told":
        demography = graph_demography(
            graphs, told.model, np.asarray(told.grid.edges), told.population_size
        )
        world = _update_sizes(key_sizes, demography, world, config, chain)
    return world


def _update_sizes(
    key: PRNGKey, demography: GraphDemography, world: World, config: InferConfig, chain: int
) -> World:
    mode = demography.most_probable(world.log_sizes)
    drawn = demography.draw(key, mode)
    updates = (*world.size_draws, drawn)
    if config.demography_schedule == "joint":
        return replace(world, log_sizes=drawn[chain], size_draws=updates)
    step = step_size(len(updates) - 1, config.sweeps)
    sizes = world.log_sizes + step * (mode - world.log_sizes)
    return replace(world, log_sizes=sizes, size_draws=updates)


def step_size(update: int, updates: int) -> float:
    """Step `a_t` of stochastic approximation: 1 in the first half of the updates, then `1 / k`.

    With `k` counted from the middle the value is the mean of all proposals since (Robbins & Monro
    1951; Delyon, Lavielle & Moulines 1999).

    Args:
        update: updates already made.
        updates: updates in all.
    """
    return 1.0 / max(update - updates // 2 + 1, 1)


_crossings = jax.jit(jax.vmap(crossings, in_axes=(0, None, None)))
_each_factor = jax.vmap(log_crossing_density, in_axes=(None, 0))
_crossing_density = jax.jit(jax.vmap(_each_factor))
_genotype_density = jax.jit(jax.vmap(log_genotype_density, in_axes=(0, None, None, 0)))
_draw_each = jax.jit(jax.vmap(draw_from_curve))


def graph_crossings(
    graphs: Sequence[RecombinationGraph], told: ThreadingProblem
) -> list[Crossings]:
    """Crossings of all chains, one batch per chunk.

    Args:
        graphs: one batch of graphs per chunk.
        told: the problem with the recombination map that is told.
    """
    return [
        _crossings(graph, chunk, told.model.times)
        for graph, chunk in zip(graphs, told.chunks, strict=True)
    ]


def draw_recombination_factor(key: PRNGKey, parts: Sequence[Crossings]) -> Draws:
    """Draw the recombination factor of every chain given its graph.

    The prior is `log f ~ N(0, LOG_FACTOR_SD^2)`.

    Args:
        key: random key.
        parts: crossings of all chains, one batch per chunk.
    """

    def log_density(log_factors: np.ndarray) -> np.ndarray:
        factors = jnp.asarray(np.exp(log_factors), dtype=float)
        curves = [np.asarray(_crossing_density(part, factors), np.float64) for part in parts]
        return np.sum(curves, 0) - 0.5 * (log_factors / LOG_FACTOR_SD) ** 2

    draws = parts[0].cut.shape[0]
    return _draw_logarithm(key, log_density, _FACTOR_RANGE, draws, zooms=3)


def draw_genotype_error(
    key: PRNGKey, graphs: Sequence[RecombinationGraph], told: ThreadingProblem
) -> Draws:
    """Draw the genotype-error rate of every chain given its graph.

    The prior is Beta(1, `ERROR_PRIOR_TRIALS`), on the logarithm `e (1 - e)^(trials - 1)`.

    Args:
        key: random key.
        graphs: one batch of graphs per chunk, all haplotypes present.
        told: the problem; its own genotype error is not used.
    """

    def log_density(log_errors: np.ndarray) -> np.ndarray:
        errors = np.exp(log_errors)
        on_device = jnp.asarray(errors, dtype=float)
        curves = [
            np.asarray(_genotype_density(graph, chunk, told.model, on_device), np.float64)
            for graph, chunk in zip(graphs, told.chunks, strict=True)
        ]
        return np.sum(curves, 0) + log_errors + (ERROR_PRIOR_TRIALS - 1) * np.log1p(-errors)

    draws = graphs[0].moved.shape[0]
    return _draw_logarithm(key, log_density, _ERROR_RANGE, draws, zooms=1)


def _draw_logarithm(
    key: PRNGKey, log_density: Curves, bounds: tuple[float, float], draws: int, zooms: int
) -> Draws:
    """Draw one positive number per chain from log densities of its logarithm."""
    lower, upper = np.log(bounds)
    start = np.tile(np.linspace(lower, upper, _GRID_POINTS), (draws, 1))
    grid, values = zoom_in(log_density, start, zooms=zooms)
    heights = values - values.max(axis=1, keepdims=True)
    on_device = (jnp.asarray(array, dtype=float) for array in (grid, heights))
    return np.exp(np.asarray(_draw_each(jax.random.split(key, draws), *on_device), np.float64))


def learned_parameters(world: World) -> dict[str, Estimate]:
    """Posterior of every parameter that was learned, by name.

    `recombination_factor`, `genotype_error`, and `population_size` with one entry for every level
    but the last.

    Args:
        world: after the last update.
    """
    draws = {
        "recombination_factor": world.factor_draws,
        "genotype_error": world.error_draws,
        "population_size": tuple(np.exp(sizes) for sizes in world.size_draws),
    }
    return {name: estimate(rows) for name, rows in draws.items() if rows}


def estimate(draws: Sequence[np.ndarray]) -> Estimate:
    """Posterior mean and interval of a positive parameter from its draws, first half left out.

    Args:
        draws: one row of draws, one per chain, for every update.

    Raises:
        ValueError: there are no draws.
    """
    if not draws:
        raise ValueError("no draws of this parameter; learn it, with one sweep or more")
    kept = np.concatenate(draws[len(draws) // 2 :])
    figures = np.exp(np.log(kept).mean(axis=0)), *np.quantile(kept, [0.025, 0.975], axis=0)
    return Estimate(*map(np.asarray, figures))
