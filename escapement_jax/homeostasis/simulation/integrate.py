"""Trajectories of a system: Euler steps as published, or an adaptive solver."""

import math
from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

VectorField = Callable[[Float[Array, " metabolites"]], Float[Array, " metabolites"]]

MAX_STEPS = 200_000
EXPLICIT_STABILITY = 3.3
"""Steps of Tsit5 are stable up to about this over the fastest decay rate."""
STIFF_STEPS = 20_000
"""More steps than this for stability alone, and the implicit solver is cheaper."""


class Trajectory(eqx.Module):
    """The states of one trajectory, and whether the solver got to its end.

    Frames that were not reached are NaN.
    """

    concentrations: Float[Array, "frames metabolites"]
    outcome: diffrax.RESULTS

    @property
    def succeeded(self) -> Array:
        """Whether the solver got to the end with finite states."""
        return (self.outcome == diffrax.RESULTS.successful) & jnp.all(
            jnp.isfinite(self.concentrations)
        )


def euler_trajectory(
    vector_field: VectorField,
    start: Float[Array, " metabolites"],
    *,
    time_step: float | Float[Array, ""],
    factors: Float[Array, "steps metabolites"],
    disturbances: Float[Array, "steps metabolites"],
) -> Float[Array, "steps+1 metabolites"]:
    """Take explicit Euler steps, clamped at zero: ``c <- max(s max(c + dt f(c), 0) + e, 0)``.

    Args:
        vector_field: ``dc/dt``.
        start: First state.
        time_step: ``dt``.
        factors: Step perturbations ``s`` after every step, 1 for none.
        disturbances: Process noise ``e`` of every step.
    """

    def step(state: Array, disturbed: tuple[Array, Array]) -> tuple[Array, Array]:
        factor, disturbance = disturbed
        moved = jnp.maximum(state + time_step * vector_field(state), 0.0)
        return jnp.maximum(factor * moved + disturbance, 0.0), state

    last, states = jax.lax.scan(step, start, (factors, disturbances))
    return jnp.concatenate([states, last[None]])


def solved_trajectory(
    vector_field: VectorField,
    start: Float[Array, " metabolites"],
    times: Float[Array, " frames"],
    *,
    solver: diffrax.AbstractAdaptiveSolver,
    relative_tolerance: float,
    absolute_tolerance: float,
) -> Trajectory:
    """Solve ``dc/dt = f(c)`` from the first time on, with adaptive steps.

    A solver that gives up leaves NaN behind and says why; it never stops the others of a batch.

    Args:
        vector_field: ``dc/dt``.
        start: State at the first time.
        times: Rising times of the frames.
        solver: Such as ``diffrax.Tsit5()``.
        relative_tolerance: Of the step size control.
        absolute_tolerance: Of the step size control, in units of concentration.
    """
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda time, state, context: vector_field(state)),
        solver,
        t0=times[0],
        t1=times[-1],
        dt0=None,
        y0=start,
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(rtol=relative_tolerance, atol=absolute_tolerance),
        max_steps=MAX_STEPS,
        adjoint=diffrax.ForwardMode(),
        throw=False,
    )
    states = jnp.asarray(solution.ys)
    return Trajectory(jnp.where(jnp.isfinite(states), states, jnp.nan), solution.result)


def is_stiff(
    vector_field: VectorField, states: Float[Array, "states metabolites"], duration: float
) -> bool:
    """Probe whether stability alone would cost an explicit solver too many steps.

    The fastest decay rate ``rho`` is the most negative real part of an eigenvalue of the Jacobian
    in any of the states; an explicit solver takes at least ``rho duration / 3.3`` steps.

    Args:
        vector_field: ``dc/dt``.
        states: Where to probe.
        duration: Length of the trajectory in units of time.
    """
    jacobians = np.asarray(jax.jit(jax.vmap(jax.jacfwd(vector_field)))(states))
    finite = jacobians[np.isfinite(jacobians).all(axis=(1, 2))]
    fastest = max((-np.linalg.eigvals(jacobian).real.min() for jacobian in finite), default=0.0)
    return bool(fastest * duration / EXPLICIT_STABILITY > STIFF_STEPS)


def explain_failure(trajectory: Trajectory, times: np.ndarray, *, name: str) -> str:
    """Say which trajectory failed, when, why, and what to try.

    Args:
        trajectory: One that did not succeed.
        times: Of its frames.
        name: What to call it.
    """
    reached = np.isfinite(np.asarray(trajectory.concentrations)).all(axis=1)
    last = float(times[reached.sum() - 1]) if reached.any() else math.nan
    message = diffrax.RESULTS[trajectory.outcome]  # pyright: ignore[reportInvalidTypeArguments]
    reason = " ".join(str(message).split()).split(". ")[0] or "states are not finite"
    return (
        f"{name} stopped after time {last:g} ({reason.rstrip('.')}); choose a shorter span, looser "
        "tolerances, the integrator kvaerno5, or slower rates"
    )
