"""A system made of the user's own function ``f(t, y, args)``."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from escapement_jax.curiosity.systems.base import AbstractSystem
from escapement_jax.curiosity.systems.box import Box


class VectorFieldSystem(AbstractSystem):
    """Any field in diffrax's form, with a vector of constants as its `args`."""

    field: Callable[[Array, Array, Array], Array] = eqx.field(static=True)
    state_names: tuple[str, ...] = eqx.field(static=True)
    parameter_names: tuple[str, ...] = eqx.field(static=True)
    box: Box
    name: str = eqx.field(static=True)

    def __init__(
        self,
        field: Callable[[Array, Array, Array], Array],
        *,
        state_low: ArrayLike,
        state_high: ArrayLike,
        low: ArrayLike = (),
        high: ArrayLike = (),
        state_names: Sequence[str] | None = None,
        constant_names: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        """Wrap a field ``f(t, y, args) -> dy/dt``.

        Args:
            field: Pure function of the time, the state and the vector of constants.
            state_low: Lower bounds of the initial state.
            state_high: Upper bounds of the initial state.
            low: Lower bounds of the constants.
            high: Upper bounds of the constants.
            state_names: Default: y0, y1, ...
            constant_names: Default: c0, c1, ...
            name: Tells histories of this system from those of others; default: the function's.

        Raises:
            ValueError: Bounds are reversed, or names and bounds differ in number.
        """
        sides = [np.asarray(side, dtype=float) for side in (state_low, state_high, low, high)]
        states, constants = sides[0].size, sides[2].size
        self.state_names = _names("state_names", state_names, "y", states)
        constant = _names("constant_names", constant_names, "c", constants)
        self.parameter_names = self.state_names + constant
        self.box = Box.of(
            np.concatenate([sides[0], sides[2]]), np.concatenate([sides[1], sides[3]])
        )
        self.field = field
        self.name = name or getattr(field, "__name__", type(field).__name__)

    def unpack(
        self, parameters: Float[Array, " parameters"]
    ) -> tuple[Float[Array, " states"], Float[Array, " constants"]]:
        """Split a parameter vector into the initial state and the constants."""
        return parameters[: self.num_states], parameters[self.num_states :]

    def vector_field(
        self, t: Float[Array, ""], y: Float[Array, " states"], args: Float[Array, " constants"]
    ) -> Float[Array, " states"]:
        """Return the user's ``f(t, y, args)``."""
        return self.field(t, y, args)

    def describe(self) -> dict[str, Any]:
        """Return the name, the parameter names and the bounds."""
        return {
            "kind": self.name,
            "parameters": list(self.parameter_names),
            "low": np.asarray(self.box.low, np.float32).tolist(),
            "high": np.asarray(self.box.high, np.float32).tolist(),
        }


def _names(argument: str, given: Sequence[str] | None, letter: str, number: int) -> tuple[str, ...]:
    names = tuple(given) if given is not None else tuple(f"{letter}{i}" for i in range(number))
    if len(names) != number:
        raise ValueError(f"{argument} has {len(names)} names for {number} bounds; give one each")
    return names
