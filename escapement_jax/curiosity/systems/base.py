"""What every system offers to a search."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, PyTree

from escapement_jax.curiosity.systems.box import Box


class AbstractSystem(eqx.Module):
    """A family of ordinary differential equations ``dy/dt = f(t, y, args)``, indexed by parameters.

    A parameter vector is the initial state followed by the constants of the field. What may not
    vary (a missing edge, a known constant, the sign of an edge) is said by the box alone.

    Attributes:
        state_names: Name of every state variable.
        parameter_names: Name of every parameter, initial states first.
        box: Bounds of the parameters.
    """

    state_names: eqx.AbstractVar[tuple[str, ...]]
    parameter_names: eqx.AbstractVar[tuple[str, ...]]
    box: eqx.AbstractVar[Box]

    @property
    def num_states(self) -> int:
        """Number of state variables."""
        return len(self.state_names)

    @abstractmethod
    def unpack(
        self, parameters: Float[Array, " parameters"]
    ) -> tuple[Float[Array, " states"], PyTree[Array]]:
        """Split a parameter vector into the initial state and the arguments of the field."""

    @abstractmethod
    def vector_field(
        self, t: Float[Array, ""], y: Float[Array, " states"], args: PyTree[Array]
    ) -> Float[Array, " states"]:
        """Return ``dy/dt``."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return what tells this system from others, in words and numbers that JSON can hold."""
