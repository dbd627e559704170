"""The twisted chain: a copying model whose transitions are reweighted by potentials.

With a break `b`, a state `z = (j, t)` per bin and potentials `psi`, `c`, haplotype by haplotype,

    q(b_l, z_l | z_{l-1}) = p(b_l, z_l | z_{l-1}) exp(psi_l(z_l) + c_l b_l) / Z_l(z_{l-1}).

Its bound is exact, by the forward recursion of `q`, at the cost of the evidence itself:

    ELBO = sum_l E_q[log e_l(z_l) - psi_l(z_l) - c_l b_l + log Z_l(z_{l-1})] <= log p(D),

with equality where `psi_l = log e_l + log beta_l` up to constants and `c = 0`: the family holds the
exact posterior. Any potentials give a bound; good ones look ahead.
"""

import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, PyTree

from escapement_jax.genealogy.copying.copying_model import (
    CopyingModel,
    has_others,
    initial_law,
    log_emission,
)
from escapement_jax.genealogy.copying.copying_tables import BinLaws, PairCounts
from escapement_jax.genealogy.encoder.potentials import Potentials, StatePotentials
from escapement_jax.numerics.hidden_markov import checkpointed_scan

Message = Float[Array, "haplotypes parents levels"]
PerHaplotype = Float[Array, " haplotypes"]


class Bound(eqx.Module):
    """An evidence lower bound and what it is made of, for every haplotype; natural logarithms.

    Attributes:
        mutation: `E_q[log p(D | z)]`.
        coalescent: `E_q` of the log probability of the first state and of all states after breaks.
        breakpoint: `E_q` of the log probability of breaking or not.
        entropy: `H(q)`.
    """

    mutation: Float[Array, "*haplotypes"]
    coalescent: Float[Array, "*haplotypes"]
    breakpoint: Float[Array, "*haplotypes"]
    entropy: Float[Array, "*haplotypes"]

    @property
    def elbo(self) -> Float[Array, "*haplotypes"]:
        """The bound: the sum of its terms."""
        return self.mutation + self.coalescent + self.breakpoint + self.entropy


class Twist(eqx.Module):
    """One bin of a twisted chain.

    Attributes:
        log_weights: potentials relative to the largest allowed one, not below what the
            floating-point type can exponentiate: those the chain really uses.
        weights: their exponentials `g`, 0 where there is no parent.
        landing: `sum_j U(j) g(j, t)`.
        ending: `exp(c) sum_t' M(t, t') landing(t')`, the weight of a break.
        normaliser: `Z / exp(largest)`, by the state before.
    """

    log_weights: Message
    weights: Message
    landing: Float[Array, "haplotypes levels"]
    ending: Float[Array, "haplotypes levels"]
    normaliser: Message


def twist(model: CopyingModel, laws: BinLaws, states: Message, breaks: PerHaplotype) -> Twist:
    """Prepare the transition into one bin.

    Args:
        model: the copying model.
        laws: those of the bin.
        states: `psi` of the bin.
        breaks: `c` of the bin.
    """
    allowed = model.parent_prior[:, :, None] > 0
    largest = lax.stop_gradient(jnp.max(jnp.where(allowed, states, -jnp.inf), axis=(1, 2)))
    floor = 0.9 * float(np.log(np.finfo(states.dtype).tiny))
    log_weights = jnp.where(allowed, jnp.maximum(states - largest[:, None, None], floor), 0.0)
    weights = jnp.where(allowed, jnp.exp(log_weights), 0.0)
    landing = jnp.einsum("ij,iju->iu", model.parent_prior, weights)
    ending = jnp.exp(breaks)[:, None] * jnp.einsum("itu,iu->it", model.reattachment, landing)
    ends = laws.recombination[None, None, :]
    normaliser = (1.0 - ends) * weights + ends * ending[:, None, :]
    return Twist(log_weights, weights, landing, ending, jnp.where(allowed, normaliser, 1.0))


def first_normaliser(model: CopyingModel, first: Twist) -> PerHaplotype:
    """`Z_1` of every haplotype: the mean weight of the first state."""
    return jnp.sum(initial_law(model) * first.weights, axis=(1, 2))


def twisted_bound(model: CopyingModel, counts: PairCounts, potentials: Potentials) -> Bound:
    """Evidence lower bound of the twisted chain, exactly, in `O(n T + T^2)` per bin and haplotype.

    Args:
        model: the copying model.
        counts: the data.
        potentials: of every bin; any numbers will do.

    Returns:
        The bound on `log_evidence(model, counts)`, and its terms.
    """
    bound, _ = _run(model, counts, potentials, _keep, jnp.zeros(counts.observed.shape[0]))
    return bound


def twisted_marginals(
    model: CopyingModel, counts: PairCounts, potentials: Potentials
) -> tuple[StatePotentials, Float[Array, "bins haplotypes"]]:
    """Probabilities under `q` of every state, and of a break on the way into every bin.

    At the exact potentials they are those of the posterior.

    Args:
        model: the copying model.
        counts: the data.
        potentials: of every bin.
    """
    none = jnp.zeros(counts.observed.shape[0])
    return _run(model, counts, potentials, _keep, none)[1]


def sampled_bound(
    model: CopyingModel,
    counts: PairCounts,
    potentials: Potentials,
    inputs: PyTree,
    resample: Callable[[Message, PyTree], Message],
) -> Bound:
    """The bound's integrand along one path: every bin's law is replaced by a draw from it.

    `E` over the next state is still exact in `Z`; only the state that is left is drawn.

    Args:
        model: the copying model.
        counts: the data.
        potentials: of every bin.
        inputs: what `resample` needs, one entry per bin.
        resample: turns probabilities of states into a (relaxed) one-hot draw.

    Returns:
        Terms whose sum is an unbiased estimate of the bound, if draws are one-hot.
    """
    return _run(model, counts, potentials, resample, inputs)[0]


def _keep(probabilities: Message, inputs: PyTree) -> Message:
    del inputs
    return probabilities


def _run(
    model: CopyingModel,
    counts: PairCounts,
    potentials: Potentials,
    resample: Callable[[Message, PyTree], Message],
    inputs: PyTree,
) -> tuple[Bound, tuple[StatePotentials, Float[Array, "bins haplotypes"]]]:
    items = (model.bins, counts, potentials, inputs)
    first_item = jax.tree.map(lambda leaf: leaf[0], items)
    later_items = jax.tree.map(lambda leaf: leaf[1:], items)
    start, first_terms = _first(model, first_item, resample)
    step = functools.partial(_step, model, resample=resample)
    _, (terms, states, breaks) = checkpointed_scan(step, start, later_items)
    total = jax.tree.map(lambda one, rest: one + jnp.sum(rest, axis=0), first_terms, terms)
    real = has_others(model)
    bound = jax.tree.map(lambda term: jnp.where(real, term, 0.0), total)
    states = jnp.concatenate([start[None], states])
    return bound, (states, jnp.concatenate([jnp.zeros_like(breaks[:1]), breaks]))


def _first(
    model: CopyingModel, item: tuple, resample: Callable[[Message, PyTree], Message]
) -> tuple[Message, Bound]:
    laws, counts, potentials, inputs = item
    here = twist(model, laws, potentials.states, jnp.zeros_like(potentials.breaks))
    law = initial_law(model)
    normaliser = first_normaliser(model, here)
    probabilities = resample(law * here.weights / normaliser[:, None, None], inputs)
    prior = _mean(probabilities, _safe_log(law))
    mutation = _mean(probabilities, log_emission(model, laws, counts))
    minus_log_q = jnp.log(normaliser) - _mean(probabilities, here.log_weights)
    terms = Bound(mutation, prior, jnp.zeros_like(prior), minus_log_q - prior)
    return probabilities, terms


def _step(
    model: CopyingModel,
    before: Message,
    item: tuple,
    *,
    resample: Callable[[Message, PyTree], Message],
) -> tuple[Message, tuple[Bound, Message, PerHaplotype]]:
    laws, counts, potentials, inputs = item
    here = twist(model, laws, potentials.states, potentials.breaks)
    ends = laws.recombination[None, None, :]
    share = before / here.normaliser
    stay = share * (1.0 - ends) * here.weights
    leave = jnp.exp(potentials.breaks)[:, None] * jnp.sum(share * ends, axis=1)
    arrive = jnp.einsum("it,itu->iu", leave, model.reattachment)
    join = model.parent_prior[:, :, None] * here.weights * arrive[:, None, :]
    probabilities = resample(stay + join, inputs)

    broken = jnp.sum(join, axis=(1, 2))
    log_level = jnp.einsum("it,itu,iu->i", leave, _xlogx(model.reattachment), here.landing)
    log_parent = _mean(join, _safe_log(model.parent_prior)[:, :, None])
    coalescent = log_level + log_parent
    left = (leave * here.ending) * jnp.exp(-potentials.breaks)[:, None]
    breakpoint = jnp.sum(left * _safe_log(laws.recombination)[None], axis=1)
    breakpoint += _mean(stay, _log_staying(ends))
    minus_log_ratio = _mean(before, jnp.log(here.normaliser)) - potentials.breaks * broken
    minus_log_ratio -= _mean(probabilities, here.log_weights)
    mutation = _mean(probabilities, log_emission(model, laws, counts))
    entropy = minus_log_ratio - coalescent - breakpoint
    terms = Bound(mutation, coalescent, breakpoint, entropy)
    return probabilities, (terms, probabilities, broken)


def _mean(probabilities: Message, values: Float[Array, "..."]) -> PerHaplotype:
    return jnp.sum(probabilities * values, axis=(1, 2))


def _log_staying(ends: Float[Array, "..."]) -> Float[Array, "..."]:
    """`log(1 - b)`, and 0 where the copy is sure to end."""
    return jnp.where(ends < 1.0, jnp.log1p(-jnp.where(ends < 1.0, ends, 0.0)), 0.0)


def _safe_log(values: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Logarithm, and 0 where the value is 0 and its weight is too."""
    return jnp.where(values > 0, jnp.log(jnp.where(values > 0, values, 1.0)), 0.0)


def _xlogx(values: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return values * _safe_log(values)
