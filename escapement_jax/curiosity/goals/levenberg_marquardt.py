"""Least squares in a box with Jacobians by forward tangents."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from escapement_jax.curiosity.goals.horizon import schedule
from escapement_jax.curiosity.goals.target import Target

LONGEST_STEP = 0.15
FIRST_DAMPING = 1e-2


@eqx.filter_jit
def levenberg_marquardt(
    target: Target,
    unit: Float[Array, "batch parameters"],
    *,
    num_steps: int,
    periods: tuple[float, ...] = (float("inf"),),
) -> tuple[Float[Array, "batch parameters"], Float[Array, " batch"]]:
    """Minimise the distance to a target from several starts, inside the box.

    Each step solves ``(J^T J + damping diag(J^T J)) step = -J^T r`` over the parameters that are
    not held by a bound, and is taken if it helps; it costs one rollout per parameter and one more.

    Args:
        target: What is wanted.
        unit: Starts, in units of the box.
        num_steps: Number of steps.
        periods: Horizons, each for an equal part of the steps.

    Returns:
        Final parameters and their distances on the whole course.
    """
    horizons = schedule(num_steps, periods).astype(unit.dtype)

    def one(start: Array) -> tuple[Array, Array]:
        first = (start, jnp.asarray(FIRST_DAMPING, start.dtype))
        (end, _), _ = lax.scan(lambda c, h: (_step(target, *c, h), None), first, horizons)
        return end, target.loss(end)

    return jax.vmap(one)(unit)


def _step(target: Target, unit: Array, damping: Array, periods: Array) -> tuple[Array, Array]:
    def residuals(u: Array) -> tuple[Array, Array]:
        r = target.residuals(u, periods)
        return r, r

    jacobian, r = jax.jacfwd(residuals, has_aux=True)(unit)
    slope = jacobian.T @ r
    held = ((unit <= 0) & (slope > 0)) | ((unit >= 1) & (slope < 0))
    jacobian = jnp.where(held[None], 0, jacobian)
    gram = jacobian.T @ jacobian
    # Parameters in units of their own curvature keep the system solvable in single precision.
    floor = 1e-6 * jnp.max(jnp.diag(gram)) + 1e-12
    size = jnp.sqrt(jnp.maximum(jnp.diag(gram), floor))
    scaled = gram / (size[:, None] * size[None]) + damping * jnp.eye(unit.shape[0], dtype=r.dtype)
    step = -jnp.linalg.solve(scaled, jnp.where(held, 0, slope) / size) / size
    step = jnp.where(jnp.isfinite(step).all(), step, 0)
    step = step * jnp.minimum(1, LONGEST_STEP / (jnp.abs(step).max() + 1e-9))
    trial = jnp.clip(unit + step, 0, 1)
    # Not "less or equal": a trial that is not finite must not be taken.
    better = jnp.square(target.residuals(trial, periods)).sum() < jnp.square(r).sum()
    eased = jnp.where(better, jnp.maximum(damping / 5, 1e-6), jnp.minimum(damping * 8, 1e4))
    return jnp.where(better, trial, unit), eased
