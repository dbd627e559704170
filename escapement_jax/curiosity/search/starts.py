"""The first parameters of a search."""

from abc import abstractmethod

import equinox as eqx
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.systems.base import AbstractSystem


class AbstractStart(eqx.Module):
    """How the first parameters are chosen."""

    @abstractmethod
    def __call__(
        self, system: AbstractSystem, number: int, *, key: PRNGKey
    ) -> Float[Array, "number parameters"]:
        """Return that many parameter vectors."""


class RandomStart(AbstractStart):
    """Uniform draws from the box."""

    def __call__(
        self, system: AbstractSystem, number: int, *, key: PRNGKey
    ) -> Float[Array, "number parameters"]:
        """Draw uniformly."""
        return system.box.sample(number, key=key)
