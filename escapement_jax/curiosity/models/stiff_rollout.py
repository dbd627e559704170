"""Rollouts of stiff systems: an adaptive implicit solver in double precision."""

from typing import Any, Literal

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, PyTree

from escapement_jax.curiosity.rollouts.base import AbstractRollout
from escapement_jax.curiosity.rollouts.codes import RolloutCode
from escapement_jax.curiosity.rollouts.trajectories import Trajectories
from escapement_jax.curiosity.systems.base import AbstractSystem

SOLVERS = {3: diffrax.Kvaerno3, 4: diffrax.Kvaerno4, 5: diffrax.Kvaerno5}


class StiffRollout(AbstractRollout):
    """Kvaerno's implicit Runge-Kutta methods (Kvaerno 2004) with adaptive steps.

    In single precision the step controller stalls on stiff systems, so it is refused. With an
    intervention the solver starts anew at every sample, since it must not step over a change.

    Attributes:
        num_steps: Number of samples from the start to the end.
        step_size: Seconds between two samples; the solver chooses its own steps.
        num_kept: How many of the last samples are kept.
        observed: Which states are kept.
        relative_tolerance: Relative error allowed per step.
        absolute_tolerance: Absolute error allowed per step.
        max_solver_steps: After so many steps a member is given up.
        order: Order of the method. The lowest needs the least time at the default tolerances.
    """

    num_steps: int = eqx.field(static=True, default=250)
    step_size: float = eqx.field(static=True, default=10.0)
    num_kept: int = eqx.field(static=True, default=250)
    observed: tuple[int, ...] = eqx.field(static=True, default=(0,))
    relative_tolerance: float = eqx.field(static=True, default=1e-4)
    absolute_tolerance: float = eqx.field(static=True, default=1e-6)
    max_solver_steps: int = eqx.field(static=True, default=4096)
    order: Literal[3, 4, 5] = eqx.field(static=True, default=3)

    def __check_init__(self) -> None:
        """Reject settings that cannot be run."""
        for name in ("step_size", "relative_tolerance", "absolute_tolerance", "max_solver_steps"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
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
        """Solve a batch; a member that fails has a code and does not disturb the others.

        Raises:
            ValueError: Double precision is off, or a state is observed that does not exist.
        """
        if jnp.result_type(float) != jnp.float64:
            raise ValueError(
                "stiff systems need double precision; set the environment variable "
                "JAX_ENABLE_X64=1, or enable it before the first array is made"
            )
        if not all(0 <= i < system.num_states for i in self.observed):
            raise ValueError(
                f"observed is {self.observed}, but the system has states 0 to "
                f"{system.num_states - 1}"
            )
        doubled = parameters.astype(jnp.float64)
        if intervention is None:
            solve = jax.vmap(lambda member: self._undisturbed(system, member), out_axes=-1)
            seen, end, codes = solve(doubled)
        else:
            axes = (0, 0 if intervention.batched else None)
            solve = jax.vmap(
                lambda member, action: self._disturbed(system, member, action), axes, -1
            )
            seen, end, codes = solve(doubled, intervention)
        # What is handed on has the precision that was asked for.
        kind = parameters.dtype
        return Trajectories(seen.astype(kind), end.astype(kind), codes)

    def describe(self) -> dict[str, Any]:
        """Return every setting."""
        return {
            "kind": "stiff",
            "num_steps": self.num_steps,
            "step_size": self.step_size,
            "num_kept": self.num_kept,
            "observed": list(self.observed),
            "relative_tolerance": self.relative_tolerance,
            "absolute_tolerance": self.absolute_tolerance,
            "max_solver_steps": self.max_solver_steps,
            "order": self.order,
        }

    def _undisturbed(
        self, system: AbstractSystem, member: Float[Array, " parameters"]
    ) -> tuple[Array, Array, Array]:
        y0, args = system.unpack(member)
        kept = jnp.arange(self.num_steps - self.num_kept, self.num_steps, dtype=member.dtype)
        saved = diffrax.SaveAt(
            subs=[
                diffrax.SubSaveAt(
                    ts=self.step_size * kept, fn=lambda t, y, args: y[jnp.array(self.observed)]
                ),
                diffrax.SubSaveAt(t1=True),
            ]
        )
        end = jnp.asarray(self.num_steps * self.step_size, member.dtype)
        solution = self._solve(system, jnp.zeros_like(end), end, y0, args, saved)
        assert solution.ys is not None
        seen, final = solution.ys
        return seen.T, final[0], _code(solution.result, final[0])

    def _disturbed(
        self, system: AbstractSystem, member: Float[Array, " parameters"], intervention: PyTree
    ) -> tuple[Array, Array, Array]:
        y0, args = system.unpack(member)
        observed = jnp.array(self.observed)

        def one_step(carry: tuple[Array, Array], step: Array):
            y, code = carry
            seen, held = intervention.before_step(step, y, args)
            start = step.astype(y.dtype) * self.step_size
            end = (step + 1).astype(y.dtype) * self.step_size
            solution = self._solve(system, start, end, seen, held, diffrax.SaveAt(t1=True))
            assert solution.ys is not None
            following = intervention.after_step(step, seen, solution.ys[0], held)
            worst = jnp.maximum(code, _code(solution.result, following))
            return (following, worst), seen[observed]

        start = (y0, jnp.asarray(RolloutCode.OK, jnp.int32))
        (final, code), seen = lax.scan(one_step, start, jnp.arange(self.num_steps))
        return seen[-self.num_kept :].T, final, code

    def _solve(
        self,
        system: AbstractSystem,
        start: Array,
        end: Array,
        y0: Array,
        args: PyTree,
        saved: diffrax.SaveAt,
    ) -> diffrax.Solution:
        return diffrax.diffeqsolve(
            diffrax.ODETerm(system.vector_field),  # pyright: ignore[reportArgumentType]
            SOLVERS[self.order](),
            start,
            end,
            None,
            y0,
            args,
            saveat=saved,
            stepsize_controller=diffrax.PIDController(
                rtol=self.relative_tolerance, atol=self.absolute_tolerance
            ),
            max_steps=self.max_solver_steps,
            throw=False,
        )


def _code(result: diffrax.RESULTS, final: Float[Array, " states"]) -> Array:
    used_up = result == diffrax.RESULTS.max_steps_reached
    fine = (result == diffrax.RESULTS.successful) & jnp.isfinite(final).all()
    code = jnp.where(used_up, RolloutCode.TOO_MANY_STEPS, RolloutCode.NOT_FINITE)
    return jnp.where(fine, RolloutCode.OK, code).astype(jnp.int32)
