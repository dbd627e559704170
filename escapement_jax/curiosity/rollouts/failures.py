"""Which members of a batch failed, and when: found by solving them again."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from escapement_jax.curiosity.rollouts.codes import RolloutCode
from escapement_jax.curiosity.rollouts.fixed_step import FixedStepRollout, batched_step
from escapement_jax.curiosity.rollouts.integrators import is_finite
from escapement_jax.curiosity.systems.base import AbstractSystem


class RolloutFailure(NamedTuple):
    """One member that failed.

    Attributes:
        index: Its row in the batch.
        code: What happened.
        time: Seconds into the rollout, NaN where the solver does not tell.
        parameters: Its parameters by name.
    """

    index: int
    code: RolloutCode
    time: float
    parameters: dict[str, float]

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value:.4g}" for name, value in self.parameters.items())
        when = "" if np.isnan(self.time) else f" at {self.time:g} s"
        return f"rollout {self.index} failed{when}: {self.code.explanation} ({values})"


def failures(
    system: AbstractSystem,
    rollout: FixedStepRollout,
    parameters: ArrayLike,
    codes: ArrayLike,
) -> list[RolloutFailure]:
    """Describe every failed member: its parameters and the first time that is not finite.

    Args:
        system: The family of equations.
        rollout: How they were solved; of solvers that adapt their step, the time is not known.
        parameters: Parameters of every member, one per row.
        codes: Code of every member.

    Returns:
        One entry per failed member, in order.
    """
    given, outcome = np.asarray(parameters), np.asarray(codes)
    failed = np.flatnonzero(outcome != RolloutCode.OK)
    times = np.full(failed.size, np.nan)
    if failed.size and isinstance(rollout, FixedStepRollout):
        times = np.asarray(_first_failing_time(system, rollout, jnp.asarray(given[failed])))
    return [
        RolloutFailure(
            int(i),
            RolloutCode(int(outcome[i])),
            float(time),
            dict(zip(system.parameter_names, given[i].tolist(), strict=True)),
        )
        for i, time in zip(failed, times, strict=True)
    ]


def _first_failing_time(
    system: AbstractSystem, rollout: FixedStepRollout, parameters: Float[Array, "batch parameters"]
) -> Float[Array, " batch"]:
    advance = batched_step(system, rollout.method, rollout.step_size)
    y, args = jax.vmap(system.unpack, in_axes=0, out_axes=-1)(parameters)

    def body(carry: tuple[Array, Array], step: Array) -> tuple[tuple[Array, Array], None]:
        y, alive = carry
        return (advance(step, y, args)[1], alive + is_finite(y).astype(alive.dtype)), None

    start = (y, jnp.zeros(parameters.shape[0], jnp.int32))
    (_, alive), _ = lax.scan(body, start, jnp.arange(rollout.num_steps + 1))
    return alive.astype(y.dtype) * rollout.step_size
