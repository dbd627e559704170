"""Whether a signal rests, settles, or goes one way."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def is_steady(
    signal: Float[Array, "*batch times"],
    start: Float[Array, "*batch"],
    *,
    tolerance: float = 0.02,
    floor: float = 1e-6,
) -> Bool[Array, "*batch"]:
    """Whether a signal stays at its last value, compared with how far it has come.

    ``max_t |x_t - x_T| < max(tolerance |x_0 - x_T|, floor)``, the settling rule of control theory.

    Args:
        signal: The window that is looked at.
        start: The signal at the start of the rollout, before the window.
        tolerance: Allowed fraction of the way.
        floor: Allowed distance in any case.

    Returns:
        True where the signal is steady.
    """
    last = signal[..., -1]
    wander = jnp.abs(signal - last[..., None]).max(-1)
    return wander < jnp.maximum(tolerance * jnp.abs(start - last), floor)


def is_converging(
    signal: Float[Array, "*batch times"], *, ratio: float = 0.5
) -> Bool[Array, "*batch"]:
    """Whether a signal moves less at its end: range of the last quarter / of the first < ratio."""
    quarter = max(signal.shape[-1] // 4, 1)
    return peak_to_peak(signal[..., -quarter:]) < ratio * peak_to_peak(signal[..., :quarter])


def is_monotone(signal: Float[Array, "*batch times"]) -> Bool[Array, "*batch"]:
    """Whether a signal never turns: all its steps have one sign (rests count as either)."""
    steps = jnp.diff(signal, axis=-1)
    return (steps >= 0).all(-1) | (steps <= 0).all(-1)


def peak_to_peak(signal: Float[Array, "*batch times"]) -> Float[Array, "*batch"]:
    """Return the largest minus the smallest value."""
    return signal.max(-1) - signal.min(-1)
