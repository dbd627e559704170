"""A space of behaviours made of the user's own function."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.curiosity.behaviour.base import AbstractBehaviour, Observation, check_extent


class FunctionBehaviour(AbstractBehaviour):
    """Descriptors ``function(states [observed kept], step_size) -> [descriptors]``."""

    function: Callable[[Array, float], Array] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    low: tuple[float, ...] = eqx.field(static=True)
    high: tuple[float, ...] = eqx.field(static=True)

    def __check_init__(self) -> None:
        """Reject an empty goal space."""
        check_extent(self.low, self.high, self.names)

    def __call__(
        self,
        states: Float[Array, "observed kept"],
        final_state: Float[Array, " states"],
        step_size: float,
    ) -> Observation:
        """Describe one trajectory; it is found where all its descriptors are finite."""
        del final_state
        descriptor = self.function(states, step_size)
        if descriptor.shape != (len(self.names),):
            raise ValueError(
                f"the behaviour's function returned shape {descriptor.shape} for "
                f"{len(self.names)} names; return one number for each of {', '.join(self.names)}"
            )
        found = jnp.isfinite(descriptor).all()
        return Observation(descriptor, found, jnp.ones((), descriptor.dtype))

    def describe(self) -> dict[str, Any]:
        """Return the names and the extent."""
        name = getattr(self.function, "__name__", "function")
        return {
            "kind": name,
            "names": list(self.names),
            "low": list(self.low),
            "high": list(self.high),
        }
