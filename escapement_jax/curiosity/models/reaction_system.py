"""A reaction network, such as one read from SBML, as a system to explore."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.curiosity.systems.base import AbstractSystem
from escapement_jax.curiosity.systems.box import Box
from escapement_jax.numerics.reaction_network import Quantities, ReactionNetwork

Ranges = Mapping[str, tuple[float, float]]


class ReactionArguments(eqx.Module):
    """What stays during a rollout unless an intervention changes it.

    Attributes:
        constants: Value of every constant of the network.
        rate_factors: Factor on the rate of every reaction: 0 stops it, 1 leaves it.
    """

    constants: Float[Array, " constants"]
    rate_factors: Float[Array, " reactions"]


class ReactionSystem(AbstractSystem):
    """``dx/dt = f(t, x, c)`` of a reaction network, for ranges of initial values and constants.

    Parameters are all initial states, then the constants that may vary. `argument_names` lists
    what interventions may change: every constant, and the rate of every reaction by its name.
    """

    network: ReactionNetwork = eqx.field(static=True)
    state_names: tuple[str, ...] = eqx.field(static=True)
    parameter_names: tuple[str, ...] = eqx.field(static=True)
    argument_names: tuple[str, ...] = eqx.field(static=True)
    box: Box
    defaults: Float[Array, " constants"]
    varied: tuple[int, ...] = eqx.field(static=True)
    derivative: Quantities = eqx.field(static=True)

    def __init__(self, network: ReactionNetwork, *, states: Ranges, constants: Ranges) -> None:
        """Choose what may vary; everything else stays as the model has it.

        Args:
            network: The model.
            states: Bounds of initial values, by state.
            constants: Bounds of constants, by name.

        Raises:
            ValueError: A name is not in the model, or bounds are reversed.
        """
        _check_names("state", states, network.states)
        _check_names("constant", constants, network.constants)
        self.network = network
        self.defaults = network.default_constants()
        start = np.asarray(network.initial_state(self.defaults))
        ranges = [
            states.get(name, (value, value))
            for name, value in zip(network.states, start.tolist(), strict=True)
        ]
        self.varied = tuple(network.constants.index(name) for name in constants)
        self.box = Box.of(*np.array([*ranges, *constants.values()], dtype=float).T)
        self.state_names = network.states
        self.parameter_names = (*network.states, *constants)
        self.argument_names = (*network.constants, *network.reactions)
        self.derivative = network.with_rate_factors().derivative()

    def unpack(
        self, parameters: Float[Array, " parameters"]
    ) -> tuple[Float[Array, " states"], ReactionArguments]:
        """Split a parameter vector into the initial state and all constants."""
        start, varied = parameters[: self.num_states], parameters[self.num_states :]
        constants = self.defaults.astype(parameters.dtype)
        constants = constants.at[np.array(self.varied, dtype=int)].set(varied)
        factors = jnp.ones(len(self.network.reactions), parameters.dtype)
        return start, ReactionArguments(constants, factors)

    def vector_field(
        self, t: Float[Array, ""], y: Float[Array, " states"], args: ReactionArguments
    ) -> Float[Array, " states"]:
        """Return the derivative that the network states."""
        return self.derivative(t, y, jnp.concatenate([args.constants, args.rate_factors]))

    def describe(self) -> dict[str, Any]:
        """Return the name of the model, the parameter names and the bounds."""
        return {
            "kind": "reaction network",
            "model": self.network.name,
            "parameters": list(self.parameter_names),
            "low": np.asarray(self.box.low, np.float32).tolist(),
            "high": np.asarray(self.box.high, np.float32).tolist(),
        }


def _check_names(kind: str, ranges: Ranges, known: tuple[str, ...]) -> None:
    for name, (low, high) in ranges.items():
        if name not in known:
            raise ValueError(f"the model has no {kind} {name}; it has {', '.join(known)}")
        if not low <= high:
            raise ValueError(f"the range of {name} is [{low}, {high}]; give the lower end first")
