"""Potentials from the copying model itself: what the genome further right says of a state.

`beta_l(z) = p(data right of bin l | z_l = z)` obeys `beta_{l-1} = P_l (e_l beta_l)` with `P_l` the
transition into bin `l`. With `psi_l = log e_l + log beta_l` the twisted chain is the posterior. In
the coarse look-ahead bins are merged in groups: a genome of `B` bins takes `B / group` steps one
after another, the rest is done for all bins at once, and at most one break is seen per group.

Everything here is relative: the largest potential of a bin and haplotype is 0.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from escapement_jax.genealogy.copying.copying_model import CopyingModel, log_emission
from escapement_jax.genealogy.copying.copying_tables import PairCounts
from escapement_jax.genealogy.encoder.potentials import StatePotentials

_Message = Float[Array, "haplotypes parents levels"]


def relative(
    potentials: Float[Array, "*batch haplotypes parents levels"], model: CopyingModel
) -> Float[Array, "*batch haplotypes parents levels"]:
    """Shift potentials so that the largest of each bin and haplotype is 0; 0 for no parents."""
    allowed = jnp.broadcast_to(model.parent_prior[:, :, None] > 0, potentials.shape[-3:])
    allowed = allowed.reshape((1,) * (potentials.ndim - 3) + allowed.shape)
    possible = jnp.where(allowed, potentials, -jnp.inf)
    return jnp.where(allowed, potentials - jnp.max(possible, axis=(-2, -1), keepdims=True), 0.0)


@jax.jit
def emission_potentials(model: CopyingModel, counts: PairCounts) -> StatePotentials:
    """`log e_l`: the twisted chain is then the filter, which does not look ahead.

    Args:
        model: the copying model.
        counts: the data.
    """
    emissions = jax.vmap(functools.partial(log_emission, model))(model.bins, counts)
    return relative(emissions, model)


@jax.jit
def exact_look_ahead(model: CopyingModel, counts: PairCounts) -> StatePotentials:
    """`log beta_l` of every bin, by the backward recursion; add `emission_potentials` to get `psi`.

    Args:
        model: the copying model.
        counts: the data.
    """
    return _backward(model, emission_potentials(model, counts), model.bins.recombination)


@functools.partial(jax.jit, static_argnames="group")
def coarse_look_ahead(model: CopyingModel, counts: PairCounts, *, group: int) -> StatePotentials:
    """`log beta_l` as if at most one break fell into the rest of each group of bins.

    Args:
        model: the copying model.
        counts: the data.
        group: number of bins merged; 1 is `exact_look_ahead`.

    Returns:
        Potentials of every bin, without its own emission.

    Raises:
        ValueError: fewer than one bin per group.
    """
    if group < 1:
        raise ValueError(f"a group of {group} bins is empty; give 1 or more")
    emissions = emission_potentials(model, counts)
    num_bins = emissions.shape[0]
    groups = -(-num_bins // group)
    # Padding at the right end: bins without data or recombination.
    emissions = _grouped(emissions, groups, group)
    staying = _grouped(jnp.log1p(-model.bins.recombination), groups, group)
    recombination = -jnp.expm1(jnp.sum(staying, axis=1))
    beyond = _backward(model, jnp.sum(emissions, axis=1), recombination)
    rest = _sum_after(emissions) + beyond[:, None]
    ends = -jnp.expm1(_sum_after(staying))
    per_bin = jax.vmap(jax.vmap(functools.partial(_pulled_back, model)))(ends, rest)
    return relative(per_bin.reshape(-1, *per_bin.shape[2:])[:num_bins], model)


def _backward(
    model: CopyingModel,
    emissions: Float[Array, "steps haplotypes parents levels"],
    recombination: Float[Array, "steps levels"],
) -> Float[Array, "steps haplotypes parents levels"]:
    def step(beyond: _Message, item: tuple) -> tuple[_Message, _Message]:
        emission, ends = item
        return relative(_pulled_back(model, ends, emission + beyond), model), beyond

    last = jnp.zeros_like(emissions[0])
    _, messages = lax.scan(step, last, (emissions, recombination), reverse=True)
    return messages


def _pulled_back(
    model: CopyingModel, ends: Float[Array, " levels"], log_message: _Message
) -> _Message:
    """Log of `(1 - b) m + b M U m`, for a transition that ends the copy with probability `b`."""
    allowed = model.parent_prior[:, :, None] > 0
    largest = jnp.max(jnp.where(allowed, log_message, -jnp.inf), axis=(1, 2), keepdims=True)
    message = jnp.exp(jnp.minimum(log_message - largest, 0.0))
    landed = jnp.einsum("ij,iju->iu", model.parent_prior, message)
    moved = jnp.einsum("itu,iu->it", model.reattachment, landed)
    tiny = float(jnp.finfo(message.dtype).tiny)
    pulled = (1.0 - ends[None, None]) * message + ends[None, None] * moved[:, None]
    return jnp.log(jnp.maximum(pulled, tiny)) + largest


def _grouped(values: Float[Array, "bins ..."], groups: int, group: int) -> Array:
    widths = [(0, groups * group - values.shape[0])] + [(0, 0)] * (values.ndim - 1)
    return jnp.pad(values, widths).reshape(groups, group, *values.shape[1:])


def _sum_after(values: Float[Array, "groups group ..."]) -> Array:
    """Sum over the bins of the group that come after each one."""
    return jnp.cumsum(values[:, ::-1], axis=1)[:, ::-1] - values
