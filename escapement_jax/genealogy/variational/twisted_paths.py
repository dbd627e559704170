"""Paths drawn from a twisted chain, their probabilities and weights."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, UInt32

from escapement_jax.array_types import PRNGKey
from escapement_jax.genealogy.copying.copying_model import (
    CopyingModel,
    has_others,
    initial_law,
    log_emission,
)
from escapement_jax.genealogy.copying.copying_tables import BinLaws, PairCounts
from escapement_jax.genealogy.encoder.potentials import Potentials
from escapement_jax.genealogy.variational.twisted_chain import (
    Bound,
    Message,
    first_normaliser,
    sampled_bound,
    twist,
)
from escapement_jax.numerics.relaxed_sampling import gumbel_softmax, straight_through
from escapement_jax.numerics.sampling import sample_index


class CopyingPath(eqx.Module):
    """What every haplotype copies along the genome, and where it stops copying.

    Attributes:
        parents: haplotype copied in each bin.
        levels: time level of the copy.
        breaks: whether the copy before ended on the way into the bin; False in the first.
    """

    parents: Int[Array, "*bins haplotypes"]
    levels: Int[Array, "*bins haplotypes"]
    breaks: Bool[Array, "*bins haplotypes"]


def sample_twisted_path(
    model: CopyingModel, potentials: Potentials, *, key: PRNGKey
) -> CopyingPath:
    """Draw one path of every haplotype from `q`, from left to right.

    Args:
        model: the copying model.
        potentials: of every bin.
        key: random key; `jax.vmap` over keys draws several.
    """
    num_bins, num_haplotypes = potentials.breaks.shape
    shape = (num_bins, 3, num_haplotypes)
    uniforms = jax.random.uniform(key, shape, dtype=model.times.dtype)
    draw = jax.vmap(_draw_state)

    def step(before: tuple, item: tuple) -> tuple[tuple, CopyingPath]:
        laws, states, breaks, uniform = item
        here = twist(model, laws, states, breaks)
        own = (jnp.arange(num_haplotypes), *before)
        staying = (1.0 - laws.recombination[before[1]]) * here.weights[own]
        broken = uniform[0] * here.normaliser[own] >= staying
        rows = model.reattachment[jnp.arange(num_haplotypes), before[1]] * here.landing
        fresh = draw(uniform[1:].T, rows, model.parent_prior[:, :, None] * here.weights)
        state = tuple(jnp.where(broken, new, old) for new, old in zip(fresh, before, strict=True))
        return state, CopyingPath(state[0], state[1], broken)

    laws = jax.tree.map(lambda leaf: leaf[0], model.bins)
    first = twist(model, laws, potentials.states[0], jnp.zeros_like(potentials.breaks[0]))
    joint = initial_law(model) * first.weights
    start = draw(uniforms[0, 1:].T, joint.sum(axis=1), joint)
    items = (model.bins, potentials.states, potentials.breaks, uniforms)
    _, rest = lax.scan(step, start, jax.tree.map(lambda leaf: leaf[1:], items))
    unbroken = CopyingPath(*start, jnp.zeros(num_haplotypes, bool))
    return jax.tree.map(lambda one, more: jnp.concatenate([one[None], more]), unbroken, rest)


def _draw_state(
    uniform: Float[Array, " 2"],
    level_weights: Float[Array, " levels"],
    joint: Float[Array, "parents levels"],
) -> tuple[Int[Array, ""], Int[Array, ""]]:
    level = sample_index(uniform[0], level_weights)
    return sample_index(uniform[1], joint[:, level]), level


def path_log_probabilities(
    model: CopyingModel, counts: PairCounts, potentials: Potentials, path: CopyingPath
) -> tuple[Float[Array, " haplotypes"], Float[Array, " haplotypes"]]:
    """`log p(D, path)` and `log q(path)` of every haplotype; all bins at once.

    The difference is the log weight of the path: its mean under `q` is the ELBO, and the mean of
    its exponential the evidence.

    Args:
        model: the copying model.
        counts: the data.
        potentials: of every bin.
        path: what is copied.
    """
    twists = jax.vmap(functools.partial(twist, model))(
        model.bins, potentials.states, potentials.breaks
    )
    here = jax.vmap(_at)(twists.log_weights, path.parents, path.levels)
    before = jax.vmap(_at)(twists.normaliser[1:], path.parents[:-1], path.levels[:-1])
    first = jax.tree.map(lambda leaf: leaf[0], twists)
    broken = path.breaks[1:]
    log_twist = jnp.sum(here, axis=0) - jnp.log(first_normaliser(model, first))
    log_twist += jnp.sum(jnp.where(broken, potentials.breaks[1:], 0.0) - jnp.log(before), axis=0)
    emissions = jax.vmap(functools.partial(log_emission, model))(model.bins, counts)
    log_data = jnp.sum(jax.vmap(_at)(emissions, path.parents, path.levels), axis=0)
    log_prior = _log_prior(model, path)
    real = has_others(model)
    log_joint = jnp.where(real, log_data + log_prior, 0.0)
    return log_joint, jnp.where(real, log_prior + log_twist, 0.0)


def _at(values: Message, parents: Int[Array, " n"], levels: Int[Array, " n"]) -> Array:
    return values[jnp.arange(values.shape[0]), parents, levels]


def _log_prior(model: CopyingModel, path: CopyingPath) -> Float[Array, " haplotypes"]:
    own = jnp.arange(path.parents.shape[1])
    first = jnp.log(initial_law(model)[own, path.parents[0], path.levels[0]])

    def one_bin(
        laws: BinLaws, before: CopyingPath, here: CopyingPath
    ) -> Float[Array, " haplotypes"]:
        ends = laws.recombination[before.levels]
        joined = model.parent_prior[own, here.parents]
        joined = joined * model.reattachment[own, before.levels, here.levels]
        # Both branches stay finite, or the one not taken would spoil the gradient.
        broken = jnp.where(here.breaks, ends * joined, 1.0)
        return jnp.where(here.breaks, jnp.log(broken), jnp.log1p(-ends))

    laws, here = jax.tree.map(lambda leaf: leaf[1:], (model.bins, path))
    before = jax.tree.map(lambda leaf: leaf[:-1], path)
    return first + jnp.sum(jax.vmap(one_bin)(laws, before, here), axis=0)


def straight_through_bound(
    model: CopyingModel,
    counts: PairCounts,
    potentials: Potentials,
    temperature: Float[Array, ""],
    *,
    key: PRNGKey,
) -> Bound:
    """Estimate the twisted bound along one straight-through Gumbel-softmax path.

    Its value is unbiased; its gradient is biased, the less so the lower the temperature.

    Args:
        model: the copying model.
        counts: the data.
        potentials: of every bin.
        temperature: of the relaxation.
        key: random key.
    """
    keys = jax.random.key_data(jax.random.split(key, potentials.breaks.shape[0]))

    def resample(probabilities: Message, key_data: UInt32[Array, "..."]) -> Message:
        key = jax.random.wrap_key_data(key_data)
        rows = probabilities.reshape(probabilities.shape[0], -1)
        possible = rows > 0
        logits = jnp.where(possible, jnp.log(jnp.where(possible, rows, 1.0)), -jnp.inf)
        soft = gumbel_softmax(logits, temperature, key=key)
        return straight_through(soft).reshape(probabilities.shape)

    return sampled_bound(model, counts, potentials, keys, resample)
