"""How a trajectory becomes a point in the space of behaviours."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
from jaxtyping import Array, Bool, Float, Inexact


class Observation(eqx.Module):
    """What was seen of a trajectory; in a batch every array has a leading axis.

    Attributes:
        descriptor: Coordinates in the space of behaviours.
        found: Whether it shows the behaviour that is looked for at all.
        quality: How well, in [0, 1].
        embedding: Coordinates in a larger goal space, where a search asks for one.
    """

    descriptor: Float[Array, "*batch descriptors"]
    found: Bool[Array, "*batch"]
    quality: Float[Array, "*batch"]
    embedding: Inexact[Array, "*batch embedding"] | None = None


class AbstractBehaviour(eqx.Module):
    """A space of behaviours with a fixed extent.

    Attributes:
        names: Name of every descriptor, with its unit.
        low: Lower ends of the extent.
        high: Upper ends of the extent.
    """

    names: eqx.AbstractVar[tuple[str, ...]]
    low: eqx.AbstractVar[tuple[float, ...]]
    high: eqx.AbstractVar[tuple[float, ...]]

    @abstractmethod
    def __call__(
        self,
        states: Float[Array, "observed kept"],
        final_state: Float[Array, " states"],
        step_size: float,
    ) -> Observation:
        """Describe one trajectory, sampled every `step_size` seconds."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return what the descriptors depend on, as JSON can hold it."""


def check_extent(low: tuple[float, ...], high: tuple[float, ...], names: tuple[str, ...]) -> None:
    """Check that a space of behaviours is not empty.

    Raises:
        ValueError: there is no descriptor, or one whose lower end is not below its upper end.
    """
    if not names:
        raise ValueError("the goal space is empty; give at least one descriptor")
    if not len(low) == len(high) == len(names):
        raise ValueError(
            f"the goal space has {len(names)} descriptors but {len(low)} lower and {len(high)} "
            "upper ends; give one of each"
        )
    for name, bottom, top in zip(names, low, high, strict=True):
        if not bottom < top:
            raise ValueError(
                f"the goal space is empty along {name}: its extent is [{bottom}, {top}]; give a "
                "lower end below the upper end"
            )
