"""Gradients of expectations over discrete draws, `d/d phi E_q[f]`, from draws of `q_phi`.

An estimate is the gradient, by automatic differentiation, of a *surrogate*, a number without a
meaning of its own. With `stop` for a constant under differentiation, and `f` that may depend on
`phi` itself, as a log weight `log p - log q` does, the gradients of

    score function   stop(f - c) log q + f
    VIMCO            sum_k stop(L - L_{-k}) log q_k + L
    RELAX            stop(f - c(z')) log q + c(z) - c(z') + f

are unbiased; straight-through draws (`relaxed_sampling`) are not, but vary less.
"""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.lax import stop_gradient
from jaxtyping import Array, Float, PyTree

from escapement_jax.array_types import PRNGKey
from escapement_jax.numerics.relaxed_sampling import perturbed_logits_given_draw

Logits = Float[Array, "variables outcomes"]
Value = Callable[[Logits, Logits], Float[Array, ""]]
Control = Callable[[PyTree, Logits], Float[Array, ""]]


def score_function_surrogate(
    value: Float[Array, "*draws"],
    log_probability: Float[Array, "*draws"],
    baseline: Float[Array, "*draws"],
) -> Float[Array, "*draws"]:
    """Score-function estimator with a baseline (Williams 1992; NVIL, Mnih & Gregor 2014).

    Args:
        value: `f` at each draw.
        log_probability: `log q` of each draw.
        baseline: `c`, anything that does not depend on the draw itself.

    Returns:
        The surrogate, `stop(f - c) log q + f`.
    """
    return stop_gradient(value - baseline) * log_probability + value


def mean_of_others(values: Float[Array, "draws ..."]) -> Float[Array, "draws ..."]:
    """Return the mean over all draws but each, a baseline that knows nothing of it; 0 for one draw.

    Args:
        values: at independent draws.
    """
    return (jnp.sum(values, axis=0, keepdims=True) - values) / max(values.shape[0] - 1, 1)


class Baseline(eqx.Module):
    """The learned baseline of NVIL: expected value from a summary of the data, `w2 relu(W1 h)`.

    It is fitted to the values by least squares (`squared_error`), beside what it serves.
    """

    inner: Float[Array, "inputs units"]
    inner_shift: Float[Array, " units"]
    outer: Float[Array, " units"]
    level: Float[Array, ""]

    def __init__(self, inputs: int, units: int, *, key: PRNGKey) -> None:
        bound = inputs**-0.5
        shape = (inputs, units)
        self.inner = jax.random.uniform(key, shape, minval=-bound, maxval=bound)
        self.inner_shift = jnp.zeros(units)
        self.outer = jnp.zeros(units)
        self.level = jnp.zeros(())

    def __call__(self, summary: Float[Array, " inputs"]) -> Float[Array, ""]:
        """Return the value to expect."""
        hidden = jax.nn.relu(summary @ self.inner + self.inner_shift)
        return hidden @ self.outer + self.level

    def squared_error(
        self, summary: Float[Array, " inputs"], values: Float[Array, " draws"]
    ) -> Float[Array, ""]:
        """Return the mean squared error of the baseline, which touches nothing but itself."""
        return jnp.mean((stop_gradient(values) - self(stop_gradient(summary))) ** 2)


def vimco_surrogate(
    log_weights: Float[Array, " draws"], log_probabilities: Float[Array, " draws"]
) -> Float[Array, ""]:
    """Estimator for the bound of several draws, `L = log (1/K) sum_k w_k` (Mnih & Rezende 2016).

    Draw `k` is held against `L_{-k}`, in which `w_k` is the geometric mean of the other weights.

    Args:
        log_weights: `log p(D, z_k) - log q(z_k)` of at least two independent draws.
        log_probabilities: `log q(z_k)`.

    Returns:
        The surrogate; its gradient is unbiased for that of `E[L]`, not of the ELBO.

    Raises:
        ValueError: fewer than two draws.
    """
    count = log_weights.shape[0]
    if count < 2:
        raise ValueError(f"VIMCO compares draws with each other; give 2 or more, not {count}")
    geometric_mean = mean_of_others(log_weights)
    itself = jnp.eye(count, dtype=bool)
    replaced = jnp.where(itself, geometric_mean[:, None], log_weights[None, :])
    without = jax.nn.logsumexp(replaced, axis=1)
    together = jax.nn.logsumexp(log_weights)
    signals = stop_gradient(together - without)
    return jnp.sum(signals * log_probabilities) + together - math.log(count)


def relax_gradient(
    value: Value, control: Control, parameters: PyTree, logits: Logits, *, key: PRNGKey
) -> Logits:
    """RELAX (Grathwohl et al. 2018) for independent categorical variables.

    The largest of `z = log q + Gumbel noise` is the draw, `z'` is drawn from the law of `z` given
    the draw, and the control variate `c` is any differentiable function of such numbers.

    Args:
        value: `f(one-hot draw, logits)`.
        control: `c(parameters, z)`.
        parameters: of the control variate; `relax_variance_gradient` improves them.
        logits: of `q`.
        key: random key.

    Returns:
        An unbiased estimate of the gradient of `E_q[f]` in the logits.
    """
    noise_key, again_key = jax.random.split(key)
    noise = jax.random.gumbel(noise_key, logits.shape, logits.dtype)
    keys = jax.random.split(again_key, logits.shape[0])
    drawn = jnp.argmax(jax.nn.log_softmax(logits) + noise, axis=-1)
    draw = jax.nn.one_hot(drawn, logits.shape[-1], dtype=logits.dtype)

    def again(logits: Logits) -> Logits:
        redraw = jax.vmap(lambda row, index, key: perturbed_logits_given_draw(row, index, key=key))
        return redraw(logits, drawn, keys)

    signal = value(draw, logits) - control(parameters, again(logits))

    def surrogate(logits: Logits) -> Float[Array, ""]:
        log_q = jax.nn.log_softmax(logits)
        difference = control(parameters, log_q + noise) - control(parameters, again(logits))
        return signal * jnp.sum(draw * log_q) + difference + value(draw, logits)

    return jax.grad(surrogate)(logits)


def relax_variance_gradient(
    value: Value, control: Control, parameters: PyTree, logits: Logits, *, key: PRNGKey
) -> PyTree:
    """Estimate the gradient, in the control's parameters, of the variance of the RELAX estimate.

    The mean of the estimate does not depend on them, so it is that of the squared norm.

    Args:
        value: as in `relax_gradient`.
        control: as there.
        parameters: of the control variate.
        logits: of `q`.
        key: random key.

    Returns:
        A gradient with the structure of the parameters.
    """

    def squared_norm(parameters: PyTree) -> Float[Array, ""]:
        return jnp.sum(relax_gradient(value, control, parameters, logits, key=key) ** 2)

    return jax.grad(squared_norm)(parameters)
