"""What every way of solving a system offers to a search."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, PyTree

from escapement_jax.curiosity.rollouts.trajectories import Trajectories
from escapement_jax.curiosity.systems.base import AbstractSystem


class AbstractRollout(eqx.Module):
    """A solver with its horizon; what it keeps is sampled every `step_size` seconds.

    Attributes:
        num_steps: Number of samples from the start to the end.
        step_size: Seconds between two samples.
        num_kept: How many of the last samples are kept.
        observed: Which states are kept.
    """

    num_steps: eqx.AbstractVar[int]
    step_size: eqx.AbstractVar[float]
    num_kept: eqx.AbstractVar[int]
    observed: eqx.AbstractVar[tuple[int, ...]]

    @abstractmethod
    def __call__(
        self,
        system: AbstractSystem,
        parameters: Float[Array, "batch parameters"],
        intervention: PyTree | None = None,
    ) -> Trajectories:
        """Solve one system for every row of parameters."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return the settings that its results depend on, as JSON can hold them."""
