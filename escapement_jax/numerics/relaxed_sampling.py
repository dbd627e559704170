"""Continuous relaxations of discrete draws, so that gradients can pass through them.

With Gumbel noise `g_k = -log(-log u_k)` the largest of `logits_k + g_k` is a draw from the
categorical law (the Gumbel-max trick); a softmax in place of the largest makes it differentiable
(Jang, Gu & Poole 2017; Maddison, Mnih & Teh 2017). A temperature is always an array: it may change
at every step without a new compilation.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from escapement_jax.array_types import PRNGKey

MAX_TEMPERATURE = 1.0
MIN_TEMPERATURE = 0.1


def gumbel_softmax(
    logits: Float[Array, "*batch outcomes"], temperature: Float[Array, ""], *, key: PRNGKey
) -> Float[Array, "*batch outcomes"]:
    """Draw from the relaxed categorical law, `softmax((logits + g) / T)`.

    As `T -> 0` it becomes a one-hot draw with probabilities `softmax(logits)`, as `T -> inf` the
    uniform vector. An outcome of logit minus infinity keeps weight 0.

    Args:
        logits: unnormalised log probabilities.
        temperature: `T`, positive.
        key: random key.

    Returns:
        Vectors that sum to one.
    """
    noise = jax.random.gumbel(key, logits.shape, logits.dtype)
    return jax.nn.softmax((logits + noise) / temperature, axis=-1)


def straight_through(soft: Float[Array, "*batch outcomes"]) -> Float[Array, "*batch outcomes"]:
    """Return the one-hot vector of the largest entry, with the gradient of the soft vector.

    `onehot(argmax y) + y - stop(y)` (Bengio, Leonard & Courville 2013): the value is a draw from
    the discrete law, so what it enters is unbiased; the gradient is not.
    """
    hard = jax.nn.one_hot(jnp.argmax(soft, axis=-1), soft.shape[-1], dtype=soft.dtype)
    return hard + soft - jax.lax.stop_gradient(soft)


def gumbel_sigmoid(
    logits: Float[Array, "*shape"], temperature: Float[Array, ""], *, key: PRNGKey
) -> Float[Array, "*shape"]:
    """Draw from the relaxed Bernoulli law, `sigmoid((logit + e) / T)` with logistic noise `e`.

    A value above one half has probability `sigmoid(logit)` at every temperature.

    Args:
        logits: log odds.
        temperature: `T`, positive.
        key: random key.

    Returns:
        Numbers in (0, 1).
    """
    noise = jax.random.logistic(key, logits.shape, logits.dtype)
    return jax.nn.sigmoid((logits + noise) / temperature)


def straight_through_sigmoid(soft: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Return 1 where a relaxed Bernoulli draw exceeds one half and 0 elsewhere, gradient kept."""
    return (soft > 0.5).astype(soft.dtype) + soft - jax.lax.stop_gradient(soft)


def perturbed_logits_given_draw(
    logits: Float[Array, " outcomes"], drawn: Int[Array, ""], *, key: PRNGKey
) -> Float[Array, " outcomes"]:
    """Draw `logits + g` given that its largest entry is the one drawn.

    With `p = softmax(logits)` and uniform `v`: `-log(-log v_k)` for the entry `k` drawn, and
    `-log(-log v_i / p_i - log v_k)` for the others, all up to the log normaliser of the logits
    (Tucker et al. 2017, appendix C).

    Args:
        logits: unnormalised log probabilities.
        drawn: the outcome.
        key: random key.

    Returns:
        Perturbed normalised logits, a differentiable function of the logits.
    """
    log_probabilities = jax.nn.log_softmax(logits)
    exponentials = jax.random.exponential(key, logits.shape, logits.dtype)
    others = -jnp.log(exponentials * jnp.exp(-log_probabilities) + exponentials[drawn])
    is_drawn = jnp.arange(logits.shape[0]) == drawn
    return jnp.where(is_drawn, -jnp.log(exponentials[drawn]), others)


def annealed_temperature(
    step: Int[Array, ""] | Float[Array, ""],
    num_steps: int,
    *,
    maximum: float = MAX_TEMPERATURE,
    minimum: float = MIN_TEMPERATURE,
) -> Float[Array, ""]:
    """Lower the temperature exponentially, `T_max (T_min / T_max)^(step / num_steps)`.

    Args:
        step: step of the optimisation, from 0; beyond `num_steps` the temperature stays.
        num_steps: step at which `T_min` is reached.
        maximum: temperature of step 0.
        minimum: temperature of the last step.

    Returns:
        The temperature, in the default floating-point type.
    """
    share = jnp.clip(jnp.asarray(step, dtype=float) / max(num_steps, 1), 0.0, 1.0)
    return maximum * (minimum / maximum) ** share
