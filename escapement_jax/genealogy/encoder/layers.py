"""Layers shared by the encoder and its heads."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey

_VARIANCE_FLOOR = 1e-5


class Dense(eqx.Module):
    """`h W + b` over the last axis; `W` from `U(-1, 1) / sqrt(inputs)`, or zero at the start."""

    weight: Float[Array, "inputs outputs"]
    shift: Float[Array, " outputs"]

    def __init__(self, inputs: int, outputs: int, *, key: PRNGKey | None) -> None:
        bound = inputs**-0.5
        shape = (inputs, outputs)
        self.weight = (
            jnp.zeros(shape)
            if key is None
            else jax.random.uniform(key, shape, minval=-bound, maxval=bound)
        )
        self.shift = jnp.zeros(outputs)

    def __call__(self, hidden: Float[Array, "*rows inputs"]) -> Float[Array, "*rows outputs"]:
        """Apply the map to every row."""
        mapped = hidden @ self.weight
        return mapped + self.shift.reshape((1,) * (mapped.ndim - 1) + self.shift.shape)


class LayerNorm(eqx.Module):
    """Zero mean and unit variance over the channels, then scale and shift (Ba et al. 2016)."""

    scale: Float[Array, " channels"]
    shift: Float[Array, " channels"]

    def __init__(self, channels: int) -> None:
        self.scale = jnp.ones(channels)
        self.shift = jnp.zeros(channels)

    def __call__(self, hidden: Float[Array, "*rows channels"]) -> Float[Array, "*rows channels"]:
        """Normalise every row."""
        centred = hidden - jnp.mean(hidden, axis=-1, keepdims=True)
        variance = jnp.mean(centred**2, axis=-1, keepdims=True)
        shape = (1,) * (hidden.ndim - 1) + self.scale.shape
        normal = centred * jax.lax.rsqrt(variance + _VARIANCE_FLOOR)
        return normal * self.scale.reshape(shape) + self.shift.reshape(shape)
