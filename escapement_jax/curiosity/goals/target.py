"""How far a rollout is from a wanted time course."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from escapement_jax.curiosity.behaviour.feasibility import Sinusoid
from escapement_jax.curiosity.rollouts.fixed_step import FixedStepRollout
from escapement_jax.curiosity.rollouts.integrators import STEPS
from escapement_jax.curiosity.systems.base import AbstractSystem

PUBLISHED_SAMPLES = 10_000


class Target(eqx.Module):
    """A wanted course of the first observed state of a system.

    Parameters are in units of the box throughout, so that one step size suits them all.

    Attributes:
        system: The family of equations.
        rollout: Fixed steps; the course is compared at every one of them.
        course: Wanted values.
        period: Seconds of one cycle; horizons are counted in it.
    """

    system: AbstractSystem
    rollout: FixedStepRollout
    course: Float[Array, " times"]
    period: Float[Array, ""]

    def states(self, unit: Float[Array, " parameters"]) -> Float[Array, "times states"]:
        """Solve one member and return all of its course; differentiable both ways."""
        y0, args = self.system.unpack(self.system.box.from_unit(unit))
        h = self.rollout.step_size

        def body(y: Array, step: Array) -> tuple[Array, Array]:
            time = step.astype(y.dtype) * h
            advance = STEPS[self.rollout.method]
            return advance(lambda t, y: self.system.vector_field(t, y, args), time, y, h), y

        return lax.scan(body, y0, jnp.arange(self.rollout.num_steps))[1]

    def residuals(
        self, unit: Float[Array, " parameters"], periods: Float[Array, ""]
    ) -> Float[Array, " times"]:
        """Return the differences within a horizon, scaled so that their squares sum to the mean.

        Args:
            unit: Parameters in units of the box.
            periods: Horizon in periods of the target; infinity takes all.

        Returns:
            Weighted differences; 0 beyond the horizon.
        """
        number = self.course.shape[0]
        times = jnp.arange(number).astype(self.course.dtype) * self.rollout.step_size
        weight = (times <= periods * self.period).astype(self.course.dtype)
        seen = self.states(unit)[:, self.rollout.observed[0]]
        return (seen - self.course) * weight * jax.lax.rsqrt(weight.sum())

    def loss(
        self, unit: Float[Array, " parameters"], periods: Float[Array, ""] | float = jnp.inf
    ) -> Float[Array, ""]:
        """Return the root mean square distance, with gradient 0 where it vanishes."""
        square = jnp.square(self.residuals(unit, jnp.asarray(periods, self.course.dtype))).sum()
        return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)


def sinusoid_target(system: AbstractSystem, rollout: FixedStepRollout, wanted: Sinusoid) -> Target:
    """Make the target ``A cos(2 pi f t) + b`` from the start of the rollout on."""
    times = np.arange(rollout.num_steps) * rollout.step_size
    course = wanted.amplitude * np.cos(2 * np.pi * wanted.frequency * times) + wanted.offset
    kind = system.box.low.dtype
    return Target(
        system, rollout, jnp.asarray(course, kind), jnp.asarray(1 / wanted.frequency, kind)
    )


def published_loss(root_mean_square: float) -> float:
    """Return the published loss L, the root of the sum of squares over 10,000 samples."""
    return root_mean_square * PUBLISHED_SAMPLES**0.5
