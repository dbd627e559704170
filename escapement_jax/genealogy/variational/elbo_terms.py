"""Terms of an evidence lower bound, as functions of times, breaks and variational parameters.

For latent variables `z` with law `p`, data `D` and a variational law `q`,

    ELBO = E_q[log p(D | z)] + E_q[log p(z)] + H(q) <= log p(D).

The first two are the likelihood of a pair and the laws of coalescence times and breaks; the
entropies belong to the log-normal, Bernoulli and categorical laws of which `q` may be made.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.genealogy.demography.size_models import SizeModel
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.time_grid import TimeGrid
from escapement_jax.genealogy.model.mutation_model import change_probability

_HALF_LOG_TWO_PI_E = 0.5 * math.log(2.0 * math.pi * math.e)


def mutation_log_likelihood(
    differences: Float[Array, "*shape"],
    bases: Float[Array, "*shape"],
    time: Float[Array, "*shape"],
    mutation_rate: Float[Array, ""],
) -> Float[Array, "*shape"]:
    """Log probability of the bases at which a pair differs, `m log p + (s - m) log(1 - p)`.

    With `p = (1 - exp(-4 mu t)) / 2`, two-state symmetric mutation over the `2 t` generations that
    part the pair.

    Args:
        differences: number `m` of bases that differ.
        bases: number `s` of bases that are compared.
        time: coalescence time `t`, generations.
        mutation_rate: `mu`, allele changes per base and generation.
    """
    differ = change_probability(2.0 * mutation_rate * time)
    return differences * jnp.log(differ) + (bases - differences) * jnp.log1p(-differ)


def coalescent_log_prior(
    time: Float[Array, "*shape"], population_size: PiecewiseConstant, lineages: float = 1.0
) -> Float[Array, "*shape"]:
    """Log density of the time at which a lineage joins one of `k` others.

    `log k / (2 N(t)) - k int_0^t ds / (2 N(s))` (Kingman 1982).

    Args:
        time: generations.
        population_size: diploid size through time: constant, piecewise, or `sizes_of_model`.
        lineages: number `k` of others, constant in time.
    """
    rate = lineages / (2.0 * population_size.size_at(time))
    return jnp.log(rate) - lineages * population_size.coalescent_intensity(time)


def sizes_of_model(
    model: SizeModel, parameters: Float[Array, " parameters"], grid: TimeGrid
) -> PiecewiseConstant:
    """Population size of a size model (constant, random walk, Gaussian process or spline).

    Args:
        model: how the size is written.
        parameters: its parameters.
        grid: time levels, within which the size is constant.

    Returns:
        One epoch per level.
    """
    return PiecewiseConstant(grid.edges, jnp.exp(model.log_sizes(parameters)))


def breakpoint_log_prior(
    breaks: Float[Array, "*shape"],
    time: Float[Array, "*shape"],
    recombination_distance: Float[Array, "*shape"],
) -> Float[Array, "*shape"]:
    """Log probability of a break between two sites, `b log(1 - e^{-2 r t}) - (1 - b) 2 r t`.

    Linear in `b`, so it is also the mean for a break of probability `b`.

    Args:
        breaks: `b`, 1 where the pair parts by recombination and 0 elsewhere.
        time: coalescence time of the pair, generations.
        recombination_distance: `r`, expected recombinations per generation between the sites.
    """
    expected = 2.0 * recombination_distance * time
    return breaks * jnp.log(-jnp.expm1(-expected)) - (1.0 - breaks) * expected


def lognormal_entropy(
    log_mean: Float[Array, "*shape"], log_deviation: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Differential entropy of `exp(m + s N(0, 1))`, `m + log s + log(2 pi e) / 2`, in nats.

    Args:
        log_mean: mean `m` of the logarithm.
        log_deviation: log of the standard deviation `s` of the logarithm.
    """
    return log_mean + log_deviation + _HALF_LOG_TWO_PI_E


def bernoulli_entropy(logits: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Entropy of a yes-no variable, `softplus(x) - x sigmoid(x)` of its log odds `x`, in nats."""
    return jax.nn.softplus(logits) - logits * jax.nn.sigmoid(logits)


def categorical_entropy(logits: Float[Array, "*shape outcomes"]) -> Float[Array, "*shape"]:
    """Entropy of `softmax(logits)`, in nats; outcomes of logit minus infinity count nothing."""
    log_probabilities = jax.nn.log_softmax(logits, axis=-1)
    possible = jnp.isfinite(logits)
    finite = jnp.where(possible, log_probabilities, 0.0)
    return -jnp.sum(jnp.where(possible, jnp.exp(finite), 0.0) * finite, axis=-1)
