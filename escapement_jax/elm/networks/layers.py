"""Bias-free layers that act linearly once their gates are known."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey

NORM_FLOOR = 1e-6


class Linear(eqx.Module):
    """`h W` with `W` drawn from U(-1/sqrt(inputs), 1/sqrt(inputs)), PyTorch's default."""

    weight: Float[Array, "inputs outputs"]

    def __init__(self, inputs: int, outputs: int, *, key: PRNGKey) -> None:
        bound = inputs**-0.5
        shape = (inputs, outputs)
        self.weight = jax.random.uniform(key, shape, jnp.float32, minval=-bound, maxval=bound)

    def __call__(self, hidden: Float[Array, "*rows inputs"]) -> Float[Array, "*rows outputs"]:
        """Return `h W`."""
        return hidden @ self.weight


def held(value: Float[Array, "..."], detach: bool) -> Float[Array, "..."]:
    """Return the value, as a constant under differentiation if `detach`."""
    return jax.lax.stop_gradient(value) if detach else value


def gate(
    activation: Callable[[Float[Array, "..."]], Float[Array, "..."]],
    argument: Float[Array, "..."],
    *,
    detach: bool,
) -> Float[Array, "..."]:
    """Return `phi(z)`, detached as the gate `phi(z) / z` times `z`; needs `phi(0) = 0`."""
    if not detach:
        return activation(argument)
    # At z = 0 any finite gate gives phi(0) = 0.
    safe = jnp.where(argument == 0, 1.0, argument)
    return jax.lax.stop_gradient(activation(safe) / safe) * argument


class RootMeanSquareNorm(eqx.Module):
    """`s * h / sqrt(mean(h^2) + floor)` (Zhang and Sennrich 2019)."""

    scale: Float[Array, " units"]

    def __init__(self, units: int) -> None:
        self.scale = jnp.ones(units, jnp.float32)

    def __call__(
        self, hidden: Float[Array, " units"], *, detach: bool = False
    ) -> Float[Array, " units"]:
        """Return the normalised vector, its norm held if `detach`."""
        inverse = jax.lax.rsqrt(jnp.mean(hidden**2) + NORM_FLOOR)
        return self.scale * held(inverse, detach) * hidden


class GatedLinear(eqx.Module):
    """`silu(G h) * (V h)`, a gated linear unit (Shazeer 2020)."""

    gate: Linear
    value: Linear

    def __init__(self, inputs: int, outputs: int, *, key: PRNGKey) -> None:
        gate_key, value_key = jax.random.split(key)
        self.gate = Linear(inputs, outputs, key=gate_key)
        self.value = Linear(inputs, outputs, key=value_key)

    def __call__(
        self, hidden: Float[Array, " inputs"], *, detach: bool = False
    ) -> Float[Array, " outputs"]:
        """Return the gated values, the gate held if `detach`."""
        return held(jax.nn.silu(self.gate(hidden)), detach) * self.value(hidden)


class SoftmaxAttention(eqx.Module):
    """`softmax(Q h (K h)' / sqrt(units)) V h` over a set of tokens (Vaswani et al. 2017)."""

    query: Linear
    key: Linear
    value: Linear

    def __init__(self, units: int, *, key: PRNGKey) -> None:
        query_key, key_key, value_key = jax.random.split(key, 3)
        self.query = Linear(units, units, key=query_key)
        self.key = Linear(units, units, key=key_key)
        self.value = Linear(units, units, key=value_key)

    def __call__(
        self, tokens: Float[Array, "tokens units"], *, detach: bool = False
    ) -> Float[Array, "tokens units"]:
        """Return the mixed tokens, the attention held if `detach`."""
        scores = self.query(tokens) @ self.key(tokens).T
        attention = jax.nn.softmax(scores * tokens.shape[1] ** -0.5, axis=-1)
        return held(attention, detach) @ self.value(tokens)
