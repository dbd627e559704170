"""Gradient descent from many starts at once, with a growing horizon."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float

from escapement_jax.curiosity.goals.target import Target


class Stage(NamedTuple):
    """A round of descent.

    Attributes:
        num_starts: How many go on, the best of the round before.
        num_steps: Steps of each.
        periods: Horizon, in periods of the target; infinity takes the whole course.
    """

    num_starts: int
    num_steps: int
    periods: float


FIVE_THOUSAND = (
    Stage(96, 16, 2.5),
    Stage(32, 40, 6.0),
    Stage(16, 60, 12.0),
    Stage(8, 150, float("inf")),
)
"""Rounds that spend 4,976 rollouts."""


def multi_start_adam(
    target: Target,
    unit: Float[Array, "batch parameters"],
    *,
    stages: tuple[Stage, ...] = FIVE_THOUSAND,
    learning_rate: float = 0.01,
) -> tuple[Float[Array, "kept parameters"], Float[Array, " kept"]]:
    """Minimise the distance to a target by Adam from many starts, projected on the box.

    The horizon grows from round to round, and those that match the shorter one best go on.
    Gradients are scaled to length one: where a circuit is about to oscillate they are huge.

    Args:
        target: What is wanted.
        unit: Starts, in units of the box.
        stages: Rounds; every step of a start costs one rollout and its gradient.
        learning_rate: Step size, in units of the box.

    Returns:
        The best parameters each start of the last round has seen, and their distances on the
        whole course.

    Raises:
        ValueError: There are fewer starts than the first round wants.
    """
    if unit.shape[0] < stages[0].num_starts:
        raise ValueError(
            f"{unit.shape[0]} starts are given, the first round wants {stages[0].num_starts}"
        )
    losses = jnp.zeros(unit.shape[0], unit.dtype)
    for stage in stages:
        unit = unit[jnp.argsort(losses)[: stage.num_starts]]
        unit, losses = _descend(target, unit, stage.num_steps, stage.periods, learning_rate)
    return unit, jax.vmap(target.loss)(unit)


@eqx.filter_jit
def _descend(
    target: Target,
    unit: Float[Array, "batch parameters"],
    num_steps: int,
    periods: float,
    learning_rate: float,
) -> tuple[Float[Array, "batch parameters"], Float[Array, " batch"]]:
    optimiser = optax.adam(learning_rate)
    value_and_slope = jax.vmap(jax.value_and_grad(lambda u: target.loss(u, periods)))

    def body(carry: tuple, _: None) -> tuple[tuple, None]:
        here, memory, best, least = carry
        value, slope = value_and_slope(here)
        closer = value < least
        best = jnp.where(closer[:, None], here, best)
        least = jnp.where(closer, value, least)
        slope = jnp.where(jnp.isfinite(slope), slope, 0)
        length = jnp.linalg.norm(slope, axis=1, keepdims=True)
        change, memory = optimiser.update(slope / jnp.maximum(length, 1e-9), memory, here)
        return (jnp.clip(optax.apply_updates(here, change), 0, 1), memory, best, least), None

    start = (unit, optimiser.init(unit), unit, jnp.full(unit.shape[0], jnp.inf, unit.dtype))
    (_, _, best, least), _ = lax.scan(body, start, None, length=num_steps)
    return best, least
