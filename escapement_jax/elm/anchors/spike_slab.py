"""Variational spike-and-slab regression: a posterior over which effects exist, and how large."""

from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

MAX_SWEEPS = 200
TOLERANCE = 1e-4
START_INCLUSION = (0.5, 0.05)
START_SLAB_VARIANCE = 0.01
LARGEST_INCLUSION = (0.999, 0.5)
LEAST_EXPECTED_EFFECTS = 0.2


class SpikeSlab(eqx.Module):
    """Posterior means and inclusion probabilities of effects, and the fitted prior."""

    mean: Float[Array, "features traits"]
    variance: Float[Array, "features traits"]
    inclusion_probability: Float[Array, "features traits"]
    noise_variance: Float[Array, " traits"]
    prior_inclusion: Float[Array, "groups traits"]
    slab_variance: Float[Array, "groups traits"]
    iterations: Int[Array, " traits"]


class _State(NamedTuple):
    mean: Float[Array, " features"]
    product: Float[Array, " features"]
    inclusion: Float[Array, " features"]
    second_moment: Float[Array, " features"]
    noise: Float[Array, ""]
    prior: Float[Array, " groups"]
    slab: Float[Array, " groups"]
    change: Float[Array, ""]
    sweep: Int[Array, ""]


@partial(jax.jit, static_argnames="num_candidates")
def spike_and_slab(
    gram: Float[Array, "features features"],
    moments: Float[Array, "features traits"],
    sum_squares: Float[Array, " traits"],
    num_individuals: int | Int[Array, ""],
    group: Int[Array, " features"],
    num_candidates: tuple[int, ...],
) -> SpikeSlab:
    """Fit y = F b + e with b_k ~ pi_g N(0, v_g) + (1 - pi_g) delta_0 by coordinate ascent.

    With q(b_k) = a_k N(m_k, s_k) + (1 - a_k) delta_0 and everything else held,
    s_k = 1 / (d_k / s^2 + 1 / v), m_k = s_k r_k / s^2 with r_k the moment of the residual, and
    log a_k / (1 - a_k) = log pi / (1 - pi) + log(s_k / v) / 2 + m_k^2 / (2 s_k). The prior and the
    noise are set to their best values after every sweep. Effects with the strongest marginal moment
    come first, which decides between correlated features as stepwise selection would.

    Args:
        gram: F'F of centred features.
        moments: F'y.
        sum_squares: y'y of centred traits.
        num_individuals: number of individuals in these sums.
        group: prior of every feature; 0 is additive, others are sparse.
        num_candidates: how many effects every group would have had before any screening, so that
            screening on the same data cannot make effects look common.

    Source: Carbonetto & Stephens (2012), Bayesian Analysis 7; Logsdon et al. (2010).
    """
    scale = jnp.asarray(num_individuals, gram.dtype)
    gram = gram / scale
    counts = jnp.asarray(num_candidates, gram.dtype)
    fit = partial(_fit_trait, gram, group, counts, scale)
    result = lax.map(lambda trait: fit(*trait), (moments.T / scale, sum_squares / scale))
    return SpikeSlab(
        mean=result.mean.T,
        variance=(result.second_moment - result.mean**2).T,
        inclusion_probability=result.inclusion.T,
        noise_variance=result.noise,
        prior_inclusion=result.prior.T,
        slab_variance=result.slab.T,
        iterations=result.sweep,
    )


def _fit_trait(
    gram: Float[Array, "features features"],
    group: Int[Array, " features"],
    counts: Float[Array, " groups"],
    scale: Float[Array, ""],
    moment: Float[Array, " features"],
    trait_variance: Float[Array, ""],
) -> _State:
    diagonal = jnp.diagonal(gram)
    order = jnp.argsort(-jnp.abs(moment) / jnp.sqrt(diagonal))
    sparse = jnp.arange(counts.size) > 0
    zeros = jnp.zeros_like(moment)
    start = _State(
        mean=zeros,
        product=zeros,
        inclusion=zeros,
        second_moment=zeros,
        noise=0.7 * trait_variance,
        prior=_by_group(sparse, START_INCLUSION, gram.dtype),
        slab=jnp.full_like(counts, START_SLAB_VARIANCE) * trait_variance,
        change=jnp.full_like(trait_variance, jnp.inf),
        sweep=jnp.zeros((), jnp.int32),
    )

    def sweep(state: _State) -> _State:
        swept = _sweep(state, gram, diagonal, moment, group, order, scale)
        return _update_prior(
            swept, gram, diagonal, moment, trait_variance, group, counts, sparse
        )._replace(
            change=jnp.max(jnp.abs(swept.mean - state.mean)) / jnp.sqrt(swept.noise),
            sweep=state.sweep + 1,
        )

    def unfinished(state: _State) -> Bool[Array, ""]:
        return (state.sweep < MAX_SWEEPS) & (state.change > TOLERANCE)

    return lax.while_loop(unfinished, sweep, start)


def _sweep(
    state: _State,
    gram: Float[Array, "features features"],
    diagonal: Float[Array, " features"],
    moment: Float[Array, " features"],
    group: Int[Array, " features"],
    order: Int[Array, " features"],
    scale: Float[Array, ""],
) -> _State:
    """Update every effect once, strongest marginal moment first."""
    prior_log_odds = (jnp.log(state.prior) - jnp.log1p(-state.prior))[group]
    slab = state.slab[group]
    posterior_variance = 1 / (scale * diagonal / state.noise + 1 / slab)
    base_log_odds = prior_log_odds + 0.5 * jnp.log(posterior_variance / slab)
    gain = posterior_variance * scale / state.noise

    def update(place: Int[Array, ""], carry: tuple[Array, ...]) -> tuple[Array, ...]:
        mean, product, inclusion, second_moment = carry
        feature = order[place]
        old = mean[feature]
        slab_mean = gain[feature] * (moment[feature] - product[feature] + diagonal[feature] * old)
        log_odds = base_log_odds[feature] + 0.5 * slab_mean**2 / posterior_variance[feature]
        probability = jax.nn.sigmoid(log_odds)
        new = probability * slab_mean
        return (
            mean.at[feature].set(new),
            product + gram[feature] * (new - old),
            inclusion.at[feature].set(probability),
            second_moment.at[feature].set(
                probability * (slab_mean**2 + posterior_variance[feature])
            ),
        )

    # The product of the last sweep has gathered rounding errors: start from a fresh one.
    start = (state.mean, gram @ state.mean, state.inclusion, state.second_moment)
    mean, product, inclusion, second_moment = lax.fori_loop(0, order.size, update, start)
    return state._replace(
        mean=mean, product=product, inclusion=inclusion, second_moment=second_moment
    )


def _update_prior(
    state: _State,
    gram: Float[Array, "features features"],
    diagonal: Float[Array, " features"],
    moment: Float[Array, " features"],
    trait_variance: Float[Array, ""],
    group: Int[Array, " features"],
    counts: Float[Array, " groups"],
    sparse: Bool[Array, " groups"],
) -> _State:
    """Set noise, inclusion and slab variance to where the evidence bound is highest."""
    spread = jnp.sum(diagonal * (state.second_moment - state.mean**2))
    fitted = state.mean @ (gram @ state.mean - 2 * moment)
    # A floor far below any real noise keeps a perfect fit from dividing by zero.
    noise = jnp.maximum(trait_variance + fitted + spread, 1e-7 * trait_variance)
    num_groups = counts.size
    expected = jax.ops.segment_sum(state.inclusion, group, num_segments=num_groups)
    squares = jax.ops.segment_sum(state.second_moment, group, num_segments=num_groups)
    least = jnp.minimum(1e-4, LEAST_EXPECTED_EFFECTS / counts)
    prior = jnp.clip(expected / counts, least, _by_group(sparse, LARGEST_INCLUSION, gram.dtype))
    slab = jnp.maximum(squares / jnp.maximum(expected, 1e-8), 1e-8 * trait_variance)
    return state._replace(noise=noise, prior=prior, slab=slab)


def _by_group(
    sparse: Bool[Array, " groups"], values: tuple[float, float], dtype: jnp.dtype
) -> Float[Array, " groups"]:
    additive, other = (jnp.asarray(value, dtype) for value in values)
    return jnp.where(sparse, other, additive)
