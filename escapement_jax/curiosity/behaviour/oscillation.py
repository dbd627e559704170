"""Sustained oscillations: offset, amplitude and frequency of the first observed state."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from escapement_jax.curiosity.behaviour.base import AbstractBehaviour, Observation, check_extent
from escapement_jax.curiosity.behaviour.crossings import extremes, upward_crossings

DESCRIPTOR_NAMES = ("offset", "amplitude", "frequency_hz")
LEAST_AMPLITUDE = 0.032
"""Peak to peak; the published threshold of 40 on a spectrum of 5,000 samples is 2 x 40 / 2,500."""

LEVELS = (0.25, 0.5, 0.75)


class Oscillating(NamedTuple):
    """What `measure_oscillation` finds.

    Attributes:
        periodic: Whether the signal is a sustained, regular oscillation.
        offset: Mean of the largest and the smallest value.
        amplitude: Largest minus smallest value.
        frequency: Cycles per second; 0 where the signal is not periodic.
        drift: Change of the extremes between the two halves, relative to the amplitude.
    """

    periodic: Bool[Array, ""]
    offset: Float[Array, ""]
    amplitude: Float[Array, ""]
    frequency: Float[Array, ""]
    drift: Float[Array, ""]


def measure_oscillation(
    signal: Float[Array, " times"],
    step_size: float,
    *,
    least_amplitude: float = LEAST_AMPLITUDE,
    most_drift: float = 0.05,
) -> Oscillating:
    """Measure a sustained oscillation, whatever the length of the window.

    A signal is periodic if its swing is large enough, the extremes of both halves of the window
    agree, and it rises through a level at evenly spaced times, at least three of them (two full
    periods). Of the levels at 1/4, 1/2 and 3/4 of the swing, the one crossed least often counts,
    so that a cycle with two bumps is not taken for two cycles.

    Args:
        signal: Samples at equal steps.
        step_size: Seconds between samples.
        least_amplitude: Smallest swing, peak to peak, in the unit of the signal.
        most_drift: Largest change of the extremes between the halves, relative to the swing.

    Returns:
        Descriptors, with an interpolated period.
    """
    half = signal.shape[0] // 2
    bottoms, tops = zip(extremes(signal[:half]), extremes(signal[-half:]), strict=True)
    top, bottom = jnp.maximum(*tops), jnp.minimum(*bottoms)
    amplitude = top - bottom
    change = jnp.maximum(jnp.abs(tops[0] - tops[1]), jnp.abs(bottoms[0] - bottoms[1]))
    drift = change / jnp.maximum(amplitude, least_amplitude)
    levels = bottom + amplitude * jnp.array(LEVELS, signal.dtype)
    found = upward_crossings(signal, levels)
    fewest = jnp.argmin(found.number)
    number, period = found.number[fewest], found.period[fewest]
    periodic = (amplitude > least_amplitude) & (drift < most_drift)
    periodic = periodic & (number >= 3) & found.regular[fewest]
    frequency = jnp.where(periodic, 1 / (jnp.where(periodic, period, 1) * step_size), 0)
    return Oscillating(periodic, (top + bottom) / 2, amplitude, frequency, drift)


class Oscillation(AbstractBehaviour):
    """Sustained oscillations of the first observed state (see `measure_oscillation`)."""

    names: tuple[str, ...] = eqx.field(static=True, default=DESCRIPTOR_NAMES)
    low: tuple[float, ...] = eqx.field(static=True, default=(0.0, 0.0, 0.0))
    high: tuple[float, ...] = eqx.field(static=True, default=(1.0, 1.0, 1.2))
    least_amplitude: float = eqx.field(static=True, default=LEAST_AMPLITUDE)

    def __check_init__(self) -> None:
        """Reject an empty goal space."""
        check_extent(self.low, self.high, self.names)

    def __call__(
        self,
        states: Float[Array, "observed kept"],
        final_state: Float[Array, " states"],
        step_size: float,
    ) -> Observation:
        """Describe one trajectory; the quality is 1 minus the drift of the extremes."""
        del final_state
        seen = measure_oscillation(states[0], step_size, least_amplitude=self.least_amplitude)
        descriptor = jnp.stack([seen.offset, seen.amplitude, seen.frequency])
        return Observation(descriptor, seen.periodic, jnp.clip(1 - seen.drift, 0, 1))

    def describe(self) -> dict[str, Any]:
        """Return the extent and the threshold."""
        return {
            "kind": "oscillation",
            "low": list(self.low),
            "high": list(self.high),
            "least_amplitude": self.least_amplitude,
        }
