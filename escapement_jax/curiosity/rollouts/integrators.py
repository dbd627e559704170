"""One step of an explicit solver."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Field = Callable[[Float[Array, ""], Float[Array, " *shape"]], Float[Array, " *shape"]]


def euler_step(
    field: Field, t: Float[Array, ""], y: Float[Array, "*shape"], step_size: float
) -> Float[Array, "*shape"]:
    """Return ``y + h f(t, y)``."""
    return y + step_size * field(t, y)


def runge_kutta_step(
    field: Field, t: Float[Array, ""], y: Float[Array, "*shape"], step_size: float
) -> Float[Array, "*shape"]:
    """Return one step of the classical fourth-order Runge-Kutta method (Kutta 1901)."""
    half = step_size / 2
    k1 = field(t, y)
    k2 = field(t + half, y + half * k1)
    k3 = field(t + half, y + half * k2)
    k4 = field(t + step_size, y + step_size * k3)
    return y + step_size / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


STEPS = {"rk4": runge_kutta_step, "euler": euler_step}
"""Every fixed-step method by the name it has in configurations."""


def is_finite(y: Float[Array, "states batch"]) -> Bool[Array, " batch"]:
    """Return which members of a batch are finite in every state."""
    return jnp.isfinite(y).all(0)
