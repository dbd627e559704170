"""Steps from one frame to the next: Euler's, as in the source's data, or Runge and Kutta's."""

from collections.abc import Callable
from typing import Literal, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.homeostasis.model import MetabolicModel, State

Integrator = Literal["euler", "runge-kutta"]

Y = TypeVar("Y")


def step(
    field: Callable[[Y], Y],
    state: Y,
    interval: Float[Array, ""],
    *,
    method: Integrator,
    substeps: int = 1,
) -> Y:
    """Advance ``dy/dt = field(y)`` by one interval.

    Args:
        field: Any function of a pytree with a derivative of the same shape.
        state: Where to start.
        interval: Duration.
        method: "euler" takes one step ``y + dt field(y)``; "runge-kutta" the classical step of
            fourth order.
        substeps: Steps within the interval; Euler always takes one, as it is then the model itself
            and no approximation.

    Returns:
        The state after the interval.
    """
    if method == "euler":
        return _add(state, interval, field(state))
    for _ in range(substeps):
        state = _runge_kutta(field, state, interval / substeps)
    return state


def rollout(
    model: MetabolicModel,
    initial: State,
    times: Float[Array, " frames"],
    *,
    method: Integrator = "runge-kutta",
    substeps: int = 4,
) -> Float[Array, "frames metabolites"]:
    """Return the concentrations at each time, beginning with the initial ones.

    Euler's steps stop at concentration 0, as the source's simulator does.

    Args:
        model: The dynamics.
        initial: Concentrations at the first time.
        times: Increasing times.
        method: How to step.
        substeps: Steps within each interval.
    """

    def advance(state: State, interval: Float[Array, ""]) -> tuple[State, State]:
        state = step(model, state, interval, method=method, substeps=substeps)
        state = jnp.maximum(state, 0.0)
        return state, state

    _, later = jax.lax.scan(advance, initial, jnp.diff(times))
    return jnp.concatenate([initial[None], later])


def _add(state: Y, interval: Float[Array, ""], rate: Y) -> Y:
    return jax.tree.map(lambda value, change: value + interval * change, state, rate)


def _runge_kutta(field: Callable[[Y], Y], state: Y, interval: Float[Array, ""]) -> Y:
    first = field(state)
    second = field(_add(state, interval / 2, first))
    third = field(_add(state, interval / 2, second))
    last = field(_add(state, interval, third))
    mean = jax.tree.map(
        lambda a, b, c, d: (a + 2.0 * b + 2.0 * c + d) / 6.0, first, second, third, last
    )
    return _add(state, interval, mean)
