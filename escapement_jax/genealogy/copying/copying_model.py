"""The copying model: each haplotype is a mosaic of the others, copied at coalescence times.

Along the genome, haplotype `i` copies a parent haplotype `j` with which it coalesces in time level
`t`. Between bins the copying ends with probability `b_t = 1 - exp(-2 r t)`; the haplotype then
joins its relatives anew, with a uniform parent and a level from the sequentially Markov law:

    p(z_1) = U(j) entry(t),    p(z_l | z_{l-1}) = (1 - b_t) 1[z_l = z_{l-1}] + b_t M(t, t') U(j').

In the sequential order haplotype `i` copies `0 .. i-1`, and the product of the conditionals is a
normalised law of all haplotypes given the first one (Li & Stephens 2003, with times). In the
leave-one-out order it copies any other one: a composite likelihood, whose parent is the closest
relative. New states are drawn from a rank-one law in `j`, so a bin costs `O(n T + T^2)` per
haplotype.

A missing allele of the copying haplotype is integrated out. Where only the parent's allele is
missing it says nothing, and either allele of the copy has probability one half.
"""

import functools
from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.genealogy.copying.copying_tables import (
    BinLaws,
    PairCounts,
    Trunk,
    bin_laws,
    trunk_laws,
)
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.time_grid import TimeGrid
from escapement_jax.numerics.hidden_markov import (
    checkpointed_scan,
    forward_backward_scan,
    normalise,
)
from escapement_jax.numerics.sampling import sample_index

Order = Literal["sequential", "leave_one_out"]
_Message = Float[Array, "haplotypes parents levels"]


class CopyingModel(eqx.Module):
    """The probabilities of the copying model.

    Attributes:
        times: representative time of each level, in generations.
        parent_prior: probability `U` of each parent; the first haplotype of the sequential order,
            which has none, is given itself and is informed by no data.
        entry: law of the level in the first bin.
        reattachment: law `M` of the level after a recombination, rows by the level before.
        bins: what depends on the bin.
    """

    times: Float[Array, " levels"]
    parent_prior: Float[Array, "haplotypes haplotypes"]
    entry: Float[Array, "haplotypes levels"]
    reattachment: Float[Array, "haplotypes levels levels"]
    bins: BinLaws


def copying_model(
    num_haplotypes: int,
    population_size: PiecewiseConstant,
    grid: TimeGrid,
    *,
    mutation_rate: Float[Array, " bins"],
    recombination_distance: Float[Array, " bins"],
    order: Order = "sequential",
    trunk: Trunk = "wedding_cake",
    genotype_error: float = 0.0,
) -> CopyingModel:
    """Build the copying model from rates; differentiable in the population sizes.

    Args:
        num_haplotypes: number of haplotypes, at least 2.
        population_size: diploid size through time.
        grid: time levels.
        mutation_rate: allele changes per base pair per generation in each bin.
        recombination_distance: expected recombinations per generation on the way from the bin
            before into each bin; the first entry is ignored. Keep the others positive in single
            precision: across a distance of 0, states more than about 87 nats behind the best one
            are raised to that level.
        order: "sequential" for a joint law, "leave_one_out" for closest relatives.
        trunk: "static" or "wedding_cake", what becomes of the others back in time.
        genotype_error: probability that a called allele at a site is the other one.

    Returns:
        The model.

    Raises:
        ValueError: fewer than two haplotypes, a mutation rate that is not positive, a negative
            recombination distance, or an error rate outside [0, 0.5).
    """
    if num_haplotypes < 2:
        raise ValueError(f"copying needs at least 2 haplotypes, got {num_haplotypes}")
    if not 0 <= genotype_error < 0.5:
        raise ValueError(f"genotype_error must lie in [0, 0.5), got {genotype_error}")
    _require_at_least("mutation_rate", mutation_rate, float(np.finfo(np.float32).tiny))
    _require_at_least("recombination_distance", recombination_distance, 0.0)

    others = np.full(num_haplotypes, num_haplotypes - 1)
    allowed = ~np.eye(num_haplotypes, dtype=bool)
    if order == "sequential":
        others = np.maximum(np.arange(num_haplotypes), 1)
        allowed = np.tri(num_haplotypes, k=-1, dtype=bool)
        allowed[0, 0] = True
    dtype = grid.times.dtype
    trunk_lineages = jnp.asarray(others, dtype)
    entry, reattachment = trunk_laws(population_size, grid, trunk_lineages, trunk=trunk)
    return CopyingModel(
        times=grid.times,
        parent_prior=jnp.asarray(allowed / allowed.sum(axis=1, keepdims=True), dtype),
        entry=entry,
        reattachment=reattachment,
        bins=bin_laws(grid, mutation_rate, recombination_distance, genotype_error),
    )


def _require_at_least(name: str, values: Float[Array, " bins"], least: float) -> None:
    if isinstance(values, Tracer):
        return
    sound = np.asarray(values) >= least
    if not sound.all():
        worst = int(np.argmin(sound))
        raise ValueError(
            f"{name} must be {'positive' if least > 0 else 'zero or more'} in every bin; "
            f"bin {worst} has {values[worst]}"
        )


@jax.jit
def log_evidence(model: CopyingModel, counts: PairCounts) -> Float[Array, " haplotypes"]:
    """Log probability of each haplotype given those it may copy.

    In the sequential order the sum is the log probability of all haplotypes given the first (whose
    own entry is 0), exactly; its gradient needs memory for `2 sqrt(bins)` messages only.

    Args:
        model: the copying model.
        counts: the data.

    Returns:
        Natural logarithms.
    """
    step = functools.partial(_forward_step, model)
    _, log_masses = checkpointed_scan(step, initial_law(model), (model.bins, counts))
    return jnp.where(has_others(model), jnp.sum(log_masses, axis=0), 0.0)


@functools.partial(jax.jit, static_argnames="levels_only")
def posterior_marginals(
    model: CopyingModel, counts: PairCounts, *, levels_only: bool = False
) -> Float[Array, "bins haplotypes parents levels"] | Float[Array, "bins haplotypes levels"]:
    """Posterior probability of each parent and level in every bin, by forward-backward.

    Args:
        model: the copying model.
        counts: the data.
        levels_only: sum over the parents within the scan, which saves most of the memory.

    Returns:
        Probabilities that sum to one for each bin and haplotype. The first haplotype of the
        sequential order copies no one; its row repeats its prior.
    """

    def visit(
        message: _Message, forward: _Message, item: tuple[BinLaws, PairCounts]
    ) -> tuple[_Message, Array]:
        posterior, _ = normalise(forward * message)
        emission, _ = _emission(model, *item)
        before = pull_back(model, item[0], emission * message)
        return before, posterior.sum(axis=1) if levels_only else posterior

    step = functools.partial(_forward_step, model)
    start = initial_law(model)
    inputs = (model.bins, counts)
    return forward_backward_scan(step, start, visit, jnp.ones_like(start), inputs)


def expected_tmrca(model: CopyingModel, counts: PairCounts) -> Float[Array, "bins haplotypes"]:
    """Posterior mean of the coalescence time with the copied relative.

    Args:
        model: the copying model; in the leave-one-out order the relative is the closest one.
        counts: the data.

    Returns:
        Generations, for every bin and haplotype.
    """
    return posterior_marginals(model, counts, levels_only=True) @ model.times


@functools.partial(jax.jit, static_argnames="num_draws")
def sample_paths(
    model: CopyingModel, counts: PairCounts, *, num_draws: int = 1, key: PRNGKey
) -> tuple[Int[Array, "draws bins haplotypes"], Int[Array, "draws bins haplotypes"]]:
    """Draw copying paths from their posterior, by forward filtering and backward sampling.

    Args:
        model: the copying model.
        counts: the data.
        num_draws: number of independent paths of every haplotype.
        key: random key.

    Returns:
        The parents and the levels copied along the genome.
    """
    num_bins, num_haplotypes = counts.observed.shape
    num_levels = model.times.shape[0]
    shape = (num_bins, num_draws, 2, num_haplotypes)
    uniforms = jax.random.uniform(key, shape, dtype=model.times.dtype)

    def draw_one(
        message: _Message,
        forward: _Message,
        laws: BinLaws,
        uniform: Float[Array, "two haplotypes"],
    ) -> tuple[_Message, tuple[Int[Array, " haplotypes"], Int[Array, " haplotypes"]]]:
        weights = forward * message
        parents = jax.vmap(sample_index)(uniform[0], weights.sum(axis=2))
        rows = weights[jnp.arange(num_haplotypes), parents]
        levels = jax.vmap(sample_index)(uniform[1], rows)
        is_parent = jax.nn.one_hot(parents, num_haplotypes, dtype=weights.dtype)
        is_level = jax.nn.one_hot(levels, num_levels, dtype=weights.dtype)
        chosen = is_parent[:, :, None] * is_level[:, None, :]
        return pull_back(model, laws, chosen), (parents, levels)

    def visit(
        messages: Float[Array, "draws haplotypes parents levels"], forward: _Message, item: tuple
    ) -> tuple:
        (laws, _), uniform = item
        draw = jax.vmap(draw_one, in_axes=(0, None, None, 0))
        return draw(messages, forward, laws, uniform)

    def step(forward: _Message, item: tuple) -> tuple:
        return _forward_step(model, forward, item[0])

    start = initial_law(model)
    messages = jnp.broadcast_to(jnp.ones_like(start)[None], (num_draws, *start.shape))
    inputs = ((model.bins, counts), uniforms)
    paths = forward_backward_scan(step, start, visit, messages, inputs)
    parents, levels = (jnp.swapaxes(path, 0, 1) for path in paths)
    return parents, levels


class PopulationSizeFit(eqx.Module):
    """A population size fitted to the evidence.

    Attributes:
        population_size: the sizes after the last step.
        objective: log evidence plus log prior (up to a constant) before each step.
    """

    population_size: PiecewiseConstant
    objective: Float[Array, " steps"]


def fit_population_size(
    initial: PiecewiseConstant,
    build: Callable[[PiecewiseConstant], CopyingModel],
    counts: PairCounts,
    *,
    steps: int = 60,
    learning_rate: float = 0.2,
    smoothing: float = 0.5,
) -> PopulationSizeFit:
    """Maximise the evidence in the log sizes of the epochs, under a random-walk prior.

    The steps of log size between adjacent epochs are a priori normal with mean 0 and standard
    deviation `smoothing`. Adam (Kingma & Ba 2015) with a learning rate that falls linearly to 0.

    Args:
        initial: epochs and sizes to start from.
        build: the copying model of given sizes, on a grid and with rates that stay fixed.
        counts: the data.
        steps: number of gradient steps.
        learning_rate: first step of each log size.
        smoothing: standard deviation of the prior steps.

    Returns:
        The fitted sizes and the objective along the way.
    """

    def objective(log_sizes: Float[Array, " epochs"]) -> Float[Array, ""]:
        model = build(PiecewiseConstant(initial.breakpoints, jnp.exp(log_sizes)))
        prior = -0.5 * jnp.sum((jnp.diff(log_sizes) / smoothing) ** 2)
        return jnp.sum(log_evidence(model, counts)) + prior

    def step(state: tuple, index: Float[Array, ""]) -> tuple:
        log_sizes, mean, square = state
        value, slope = jax.value_and_grad(objective)(log_sizes)
        mean = 0.9 * mean + 0.1 * slope
        square = 0.95 * square + 0.05 * slope**2
        direction = mean / (1.0 - 0.9**index) / (jnp.sqrt(square / (1.0 - 0.95**index)) + 1e-8)
        rate = learning_rate * (1.0 - (index - 1.0) / steps)
        return (log_sizes + rate * direction, mean, square), value

    log_sizes = jnp.log(initial.sizes)
    indices = jnp.arange(1, steps + 1, dtype=log_sizes.dtype)
    start = (log_sizes, jnp.zeros_like(log_sizes), jnp.zeros_like(log_sizes))
    (log_sizes, _, _), values = jax.jit(functools.partial(lax.scan, step))(start, indices)
    sizes = PiecewiseConstant(initial.breakpoints, jnp.exp(log_sizes))
    return PopulationSizeFit(sizes, values)


def initial_law(model: CopyingModel) -> _Message:
    """Probability of every state in the first bin."""
    return model.parent_prior[:, :, None] * model.entry[:, None, :]


def has_others(model: CopyingModel) -> Bool[Array, " haplotypes"]:
    """Whether a haplotype has others to copy; only the first of the sequence has none."""
    return jnp.diagonal(model.parent_prior) == 0


def log_emission(model: CopyingModel, laws: BinLaws, counts: PairCounts) -> _Message:
    """Log probability of one bin's data in every state; 0 for a haplotype that has no others."""
    per_site = counts.compared[:, :, None] * laws.log_agree[None, None, :]
    per_site += counts.differences[:, :, None] * (laws.log_differ - laws.log_agree)[None, None, :]
    unmatched = (counts.observed[:, None] - counts.compared)[:, :, None]
    per_base = (counts.invariant_bases * laws.log_unchanged)[None, None, :]
    log_emission = per_site - float(np.log(2.0)) * unmatched + per_base
    return jnp.where(has_others(model)[:, None, None], log_emission, 0.0)


def _emission(
    model: CopyingModel, laws: BinLaws, counts: PairCounts
) -> tuple[_Message, Float[Array, " haplotypes"]]:
    """Probability of a bin's data in every state, relative to its largest, and the log of that."""
    allowed = model.parent_prior[:, :, None] > 0
    log_likelihood = jnp.where(allowed, log_emission(model, laws, counts), -jnp.inf)
    scale = lax.stop_gradient(jnp.max(log_likelihood, axis=(1, 2)))
    return jnp.exp(log_likelihood - scale[:, None, None]), scale


def _forward_step(
    model: CopyingModel, forward: _Message, item: tuple[BinLaws, PairCounts]
) -> tuple[_Message, Float[Array, " haplotypes"]]:
    """Filtered state probabilities of the next bin, and the log probability of its data."""
    laws, counts = item
    ends = forward * laws.recombination[None, None, :]
    landed = jnp.einsum("it,itu->iu", ends.sum(axis=1), model.reattachment)
    predicted = forward - ends + model.parent_prior[:, :, None] * landed[:, None, :]
    emission, scale = _emission(model, laws, counts)
    # The floor matters only where nothing recombines and every state left has underflowed.
    floor = float(jnp.finfo(predicted.dtype).tiny)
    forward, log_mass = normalise((predicted + floor) * emission)
    return forward, log_mass + scale


def pull_back(model: CopyingModel, laws: BinLaws, message: _Message) -> _Message:
    """Expectation of a message over the next state, for every state before it, scaled to 1."""
    landed = jnp.einsum("ij,iju->iu", model.parent_prior, message)
    moved = jnp.einsum("itu,iu->it", model.reattachment, landed)
    ends = laws.recombination[None, None, :]
    before = (1.0 - ends) * message + ends * moved[:, None, :]
    return before / jnp.max(before, axis=(1, 2), keepdims=True)
