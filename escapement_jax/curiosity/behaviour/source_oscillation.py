"""Oscillators as the published code counts them (AutoDiscJax, `is_periodic`)."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from escapement_jax.curiosity.behaviour.base import AbstractBehaviour, Observation, check_extent
from escapement_jax.curiosity.behaviour.oscillation import DESCRIPTOR_NAMES

THRESHOLD_PER_SAMPLE = 40.0 / 5000


def is_periodic(
    signal: Float[Array, "*batch times"], step_size: float
) -> tuple[Bool[Array, "*batch"], Float[Array, "*batch 3"], Complex[Array, "*batch bins"]]:
    """Classify signals by the largest bin of their spectrum, as published.

    With ``S = |rfft(x)|``, the constant and the highest bin left out, a signal is periodic if
    ``max S > 40`` for 5,000 samples (in proportion for others) and the largest is not the first.
    The rule lets damped and drifting signals pass, and counts frequencies in whole bins.

    Args:
        signal: Samples at equal steps.
        step_size: Seconds between samples.

    Returns:
        Whether each is periodic; its offset, amplitude and frequency; the spectrum.
    """
    number = signal.shape[-1]
    spectrum = jnp.fft.rfft(signal, axis=-1)
    heights = jnp.abs(spectrum)[..., 1 : number // 2]
    peak = jnp.argmax(heights, -1)
    periodic = (heights.max(-1) > THRESHOLD_PER_SAMPLE * number) & (peak > 0)
    top, bottom = signal.max(-1), signal.min(-1)
    frequency = (peak + 1).astype(signal.dtype) / (number * step_size)
    descriptor = jnp.stack([(top + bottom) / 2, top - bottom, frequency], -1)
    return periodic, descriptor, spectrum


class SourceOscillation(AbstractBehaviour):
    """The published descriptors, with the complex spectrum as goal space.

    Attributes:
        num_bins: How many bins of the spectrum make the goal space; None takes all, as published,
            and 0 none.
    """

    names: tuple[str, ...] = eqx.field(static=True, default=DESCRIPTOR_NAMES)
    low: tuple[float, ...] = eqx.field(static=True, default=(0.0, 0.0, 0.0))
    high: tuple[float, ...] = eqx.field(static=True, default=(1.0, 1.0, 1.2))
    num_bins: int | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        """Reject an empty goal space."""
        check_extent(self.low, self.high, self.names)

    def __call__(
        self,
        states: Float[Array, "observed kept"],
        final_state: Float[Array, " states"],
        step_size: float,
    ) -> Observation:
        """Describe one trajectory; the quality is the swing, at most 1."""
        del final_state
        periodic, descriptor, spectrum = is_periodic(states[0], step_size)
        quality = jnp.clip(descriptor[1], 0, 1)
        embedding = None if self.num_bins == 0 else spectrum[: self.num_bins]
        return Observation(descriptor, periodic, quality, embedding)

    def describe(self) -> dict[str, Any]:
        """Return the extent and the size of the goal space."""
        return {
            "kind": "source oscillation",
            "low": list(self.low),
            "high": list(self.high),
            "num_bins": self.num_bins,
        }
