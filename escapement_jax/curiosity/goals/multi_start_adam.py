"""Gradient descent from many starts at once, with a growing horizon."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from escapement_jax.curiosity.goals.target import Target

FIRST, SECOND = 0.9, 0.999
"""Decay of the two moments of Adam (Kingma and Ba 2015)."""


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
    value_and_slope = jax.vmap(jax.value_and_grad(lambda u: target.loss(u, periods)))

    def body(carry: tuple, count: Array) -> tuple[tuple, None]:
        here, mean, square, best, least = carry
        value, slope = value_and_slope(here)
        closer = value < least
        best = jnp.where(closer[:, None], here, best)
        least = jnp.where(closer, value, least)
        slope = jnp.where(jnp.isfinite(slope), slope, 0)
        slope = slope / jnp.maximum(jnp.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
        mean = FIRST * mean + (1 - FIRST) * slope
        square = SECOND * square + (1 - SECOND) * jnp.square(slope)
        step = mean / (1 - FIRST**count) / (jnp.sqrt(square / (1 - SECOND**count)) + 1e-8)
        following = jnp.clip(here - learning_rate * step, 0, 1)
        return (following, mean, square, best, least), None

    nothing = jnp.zeros_like(unit)
    start = (unit, nothing, nothing, unit, jnp.full(unit.shape[0], jnp.inf, unit.dtype))
    counts = jnp.arange(1, num_steps + 1).astype(unit.dtype)
    (_, _, _, best, least), _ = lax.scan(body, start, counts)
    return best, least
