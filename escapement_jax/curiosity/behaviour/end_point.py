"""Where a trajectory ends: the goal space of the first published tutorial."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.curiosity.behaviour.base import AbstractBehaviour, Observation, check_extent
from escapement_jax.curiosity.behaviour.regimes import peak_to_peak


class EndPoint(AbstractBehaviour):
    """The last values of the observed states; found wherever they are finite."""

    low: tuple[float, ...] = eqx.field(static=True)
    high: tuple[float, ...] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)

    def __init__(
        self,
        low: tuple[float, ...],
        high: tuple[float, ...],
        names: tuple[str, ...] | None = None,
    ) -> None:
        """Choose the extent of the plane of end points.

        Args:
            low: Lower end for every observed state.
            high: Upper end for every observed state.
            names: Default: end_0, end_1, ...

        Raises:
            ValueError: The extent is empty.
        """
        self.low, self.high = tuple(low), tuple(high)
        self.names = names or tuple(f"end_{i}" for i in range(len(self.low)))
        check_extent(self.low, self.high, self.names)

    def __call__(
        self,
        states: Float[Array, "observed kept"],
        final_state: Float[Array, " states"],
        step_size: float,
    ) -> Observation:
        """Describe one trajectory; the quality is how much of its extent it rests in at the end."""
        del final_state, step_size
        end = states[:, -1]
        width = jnp.array(self.high, end.dtype) - jnp.array(self.low, end.dtype)
        quarter = max(states.shape[-1] // 4, 1)
        unrest = (peak_to_peak(states[:, -quarter:]) / width).max()
        return Observation(end, jnp.isfinite(end).all(), jnp.clip(1 - unrest, 0, 1))

    def describe(self) -> dict[str, Any]:
        """Return the extent."""
        return {"kind": "end point", "low": list(self.low), "high": list(self.high)}
