"""Set, add to and clamp states and constants over intervals of steps."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, PyTree

from escapement_jax.curiosity.interventions.base import AbstractIntervention
from escapement_jax.curiosity.systems.base import AbstractSystem

Kind: TypeAlias = Literal["set", "add", "clamp"]
Quantity: TypeAlias = Literal["states", "constants"]


class Change(AbstractIntervention):
    """Changes some quantities at every step from `first` to `last`, both included.

    A change of a state acts on the state itself: "add" adds at every step of the interval. A
    change of a constant holds while the interval lasts, and the old value returns with its end.

    Attributes:
        kind: "set" to `low`, "add" `low`, or "clamp" between `low` and `high`.
        on: Whether the places count states, or the arguments of the field laid out as one vector.
        places: Which quantities.
        first: First step of every quantity.
        last: Last step of every quantity.
        low: Value, amount or lower bound.
        high: Upper bound.
        batched: Whether the arrays have a leading axis for the members of a batch.
    """

    kind: Kind = eqx.field(static=True)
    on: Quantity = eqx.field(static=True)
    places: tuple[int, ...] = eqx.field(static=True)
    first: Int[Array, "*batch places"]
    last: Int[Array, "*batch places"]
    low: Float[Array, "*batch places"]
    high: Float[Array, "*batch places"]
    batched: bool = eqx.field(static=True, default=False)

    def before_step(
        self, step: Int[Array, ""], y: Float[Array, " states"], args: PyTree[Array]
    ) -> tuple[Float[Array, " states"], PyTree[Array]]:
        """Change the states or the arguments."""
        if self.on == "states":
            return self._changed(step, y), args
        constants, restore = ravel_pytree(args)
        return y, restore(self._changed(step, constants))

    def after_step(
        self,
        step: Int[Array, ""],
        y: Float[Array, " states"],
        y_next: Float[Array, " states"],
        args: PyTree[Array],
    ) -> Float[Array, " states"]:
        """Leave the step as it is."""
        del step, y, args
        return y_next

    def _changed(
        self, step: Int[Array, ""], values: Float[Array, " values"]
    ) -> Float[Array, " values"]:
        places = np.array(self.places)
        old, low, high = values[places], self.low.astype(values.dtype), self.high
        new = {
            "set": low,
            "add": old + low,
            "clamp": jnp.clip(old, low, high.astype(values.dtype)),
        }[self.kind]
        now = step.astype(self.first.dtype)
        active = (now >= self.first) & (now <= self.last)
        return values.at[places].set(jnp.where(active, new, old))


def set_values(
    system: AbstractSystem,
    values: Mapping[str, float],
    *,
    between: tuple[float, float],
    step_size: float,
) -> AbstractIntervention:
    """Hold quantities at given values during an interval.

    Args:
        system: The system that has the quantities.
        values: Value by the name of a state or a constant; not both kinds at once.
        between: Begin and end of the interval in seconds; steps that start in it are acted on.
        step_size: Seconds per step of the rollout.

    Raises:
        ValueError: A name is not known, states and constants are mixed, or no step starts in the
            interval.
    """
    bounds = {name: (value, value) for name, value in values.items()}
    return _change(system, "set", bounds, between, step_size)


def add_values(
    system: AbstractSystem,
    amounts: Mapping[str, float],
    *,
    between: tuple[float, float],
    step_size: float,
) -> AbstractIntervention:
    """Add amounts: to states at every step of an interval, to constants while it lasts.

    See `set_values` for the arguments and errors.
    """
    bounds = {name: (amount, amount) for name, amount in amounts.items()}
    return _change(system, "add", bounds, between, step_size)


def clamp_values(
    system: AbstractSystem,
    bounds: Mapping[str, tuple[float, float]],
    *,
    between: tuple[float, float],
    step_size: float,
) -> AbstractIntervention:
    """Keep quantities between bounds during an interval.

    See `set_values` for the other arguments and errors.
    """
    for name, (low, high) in bounds.items():
        if not low <= high:
            raise ValueError(f"the bounds of {name} are [{low}, {high}]; give the lower one first")
    return _change(system, "clamp", bounds, between, step_size)


def steps_between(between: tuple[float, float], step_size: float) -> tuple[int, int]:
    """Return the first and last step that start in an interval, both ends included.

    Raises:
        ValueError: No step does.
    """
    # A begin of 0.3 s at steps of 0.1 s is step 3, though 0.3 / 0.1 is 2.9999999999999996.
    slack = 1e-6
    first = int(np.ceil(between[0] / step_size - slack))
    last = int(np.floor(between[1] / step_size + slack))
    if last < max(first, 0):
        raise ValueError(
            f"no step of {step_size} s starts between {between[0]} and {between[1]} s; give a "
            "longer interval, begin first"
        )
    return first, last


def argument_names(system: AbstractSystem) -> tuple[str, ...]:
    """Return the names of the field's arguments in the order in which they are laid out."""
    named = getattr(system, "argument_names", None)
    return named or system.parameter_names[system.num_states :]


def _change(
    system: AbstractSystem,
    kind: Kind,
    bounds: Mapping[str, tuple[float, float]],
    between: tuple[float, float],
    step_size: float,
) -> Change:
    on, places = _find(system, tuple(bounds))
    first, last = steps_between(between, step_size)
    low, high = np.array(list(bounds.values()), dtype=float).T
    return Change(
        kind=kind,
        on=on,
        places=places,
        first=jnp.full(len(places), first, jnp.int32),
        last=jnp.full(len(places), last, jnp.int32),
        low=jnp.asarray(low),
        high=jnp.asarray(high),
    )


def _find(system: AbstractSystem, names: tuple[str, ...]) -> tuple[Quantity, tuple[int, ...]]:
    kinds: dict[Quantity, tuple[str, ...]] = {
        "states": system.state_names,
        "constants": argument_names(system),
    }
    for kind, known in kinds.items():
        if names and all(name in known for name in names):
            return kind, tuple(map(known.index, names))
    strange = [name for name in names if not any(name in known for known in kinds.values())]
    if strange:
        listed = ", ".join((*kinds["states"], *kinds["constants"]))
        raise ValueError(f"the system has no {strange[0]}; it has {listed}")
    raise ValueError("name at least one quantity, and either states or constants, not both")
