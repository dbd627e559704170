"""Rollouts with a fixed step: one fused kernel per step for the whole batch."""

import functools
from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, PyTree

from escapement_jax.curiosity.rollouts.base import AbstractRollout
from escapement_jax.curiosity.rollouts.codes import RolloutCode
from escapement_jax.curiosity.rollouts.integrators import STEPS, is_finite
from escapement_jax.curiosity.rollouts.trajectories import Trajectories
from escapement_jax.curiosity.systems.base import AbstractSystem


class FixedStepRollout(AbstractRollout):
    """Runge-Kutta 4 (default) or explicit Euler with a constant step.

    Times are counted in steps and never summed, so step k is at exactly ``k step_size``. The batch
    is the last axis of every array inside the loop, and only what is asked for leaves it.
    """

    num_steps: int = eqx.field(static=True, default=1000)
    step_size: float = eqx.field(static=True, default=0.1)
    num_kept: int = eqx.field(static=True, default=500)
    method: Literal["rk4", "euler"] = eqx.field(static=True, default="rk4")
    observed: tuple[int, ...] = eqx.field(static=True, default=(0,))

    def __check_init__(self) -> None:
        """Reject a horizon that cannot be run."""
        if not self.step_size > 0:
            raise ValueError(f"step_size is {self.step_size}; it must be above 0")
        if not 1 <= self.num_kept <= self.num_steps:
            raise ValueError(
                f"num_kept is {self.num_kept}; it must lie between 1 and num_steps "
                f"({self.num_steps})"
            )

    def __call__(
        self,
        system: AbstractSystem,
        parameters: Float[Array, "batch parameters"],
        intervention: PyTree | None = None,
    ) -> Trajectories:
        """Solve a batch.

        Args:
            system: The family of equations.
            parameters: One member of the family per row.
            intervention: What is done to the members on the way, by step index (`interventions`).

        Returns:
            The kept trajectories, with a code per member.

        Raises:
            ValueError: A state is to be observed that the system does not have.
        """
        if not all(0 <= i < system.num_states for i in self.observed):
            raise ValueError(
                f"observed is {self.observed}, but the system has states 0 to "
                f"{system.num_states - 1}"
            )
        advance = batched_step(system, self.method, self.step_size, intervention)
        y, args = jax.vmap(system.unpack, in_axes=0, out_axes=-1)(parameters)
        rows = jnp.array(self.observed)

        def silent(y: Array, step: Array) -> tuple[Array, None]:
            return advance(step, y, args)[1], None

        def kept(y: Array, step: Array) -> tuple[Array, Array]:
            seen, following = advance(step, y, args)
            return following, seen[rows]

        start = self.num_steps - self.num_kept
        y, _ = lax.scan(silent, y, jnp.arange(start))
        y, states = lax.scan(kept, y, jnp.arange(start, self.num_steps))
        # Nothing that is not finite becomes finite again, so the end tells of the whole course.
        fine = is_finite(y) & jnp.isfinite(states).all((0, 1))
        codes = jnp.where(fine, RolloutCode.OK, RolloutCode.NOT_FINITE).astype(jnp.int32)
        return Trajectories(states.swapaxes(0, 1), y, codes)

    def describe(self) -> dict[str, Any]:
        """Return every setting."""
        return {
            "kind": self.method,
            "num_steps": self.num_steps,
            "step_size": self.step_size,
            "num_kept": self.num_kept,
            "observed": list(self.observed),
        }


def batched_step(
    system: AbstractSystem,
    method: str,
    step_size: float,
    intervention: PyTree | None = None,
) -> Callable[[Array, Array, PyTree], tuple[Array, Array]]:
    """Return the map from (step, states, args) of a batch to its states (seen, following).

    Args:
        system: The family of equations.
        method: "rk4" or "euler".
        step_size: Seconds per step.
        intervention: What is done by step index: `before_step` changes the state that is seen and
            the arguments that hold during the step, `after_step` corrects where the step led.

    Returns:
        A function of an integer step, states [states batch] and arguments with the batch last.
    """

    def one(
        step: Int[Array, ""], y: Float[Array, " states"], args: PyTree, action: PyTree | None
    ) -> tuple[Array, Array]:
        seen, held = (y, args) if action is None else action.before_step(step, y, args)
        time = step.astype(y.dtype) * step_size
        field = functools.partial(_hold, system.vector_field, held)
        following = STEPS[method](field, time, seen, step_size)
        if action is not None:
            following = action.after_step(step, seen, following, held)
        return seen, following

    batched = intervention is not None and intervention.batched
    axes = (None, -1, -1, 0 if batched else None)
    over_batch = jax.vmap(one, in_axes=axes, out_axes=-1)
    return lambda step, y, args: over_batch(step, y, args, intervention)


def _hold(field: Any, args: PyTree, t: Array, y: Array) -> Array:
    return field(t, y, args)
