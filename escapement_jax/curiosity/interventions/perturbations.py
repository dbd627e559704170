"""Perturbations drawn at random, each for one undisturbed course."""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.interventions.base import AbstractIntervention
from escapement_jax.curiosity.interventions.kicks import draw_noise, draw_pushes
from escapement_jax.curiosity.interventions.walls import Collision, draw_walls
from escapement_jax.curiosity.systems.box import Box


class AbstractPerturbation(eqx.Module):
    """A kind of disturbance and its strength, relative to the course that it disturbs."""

    @abstractmethod
    def draw(
        self,
        parameters: Float[Array, " parameters"],
        course: Float[Array, "states steps"],
        box: Box,
        *,
        step_size: float,
        key: PRNGKey,
    ) -> tuple[Float[Array, " parameters"], AbstractIntervention | None]:
        """Draw a disturbance: parameters to start from, and what is done on the way.

        Args:
            parameters: Those of the undisturbed rollout.
            course: Every state at every step of the undisturbed rollout.
            box: The box of the parameters.
            step_size: Seconds per step.
            key: Random key.
        """


class Noise(AbstractPerturbation):
    """Normal noise on every state at regular times.

    Attributes:
        scale: Standard deviation as a share of each state's range along the course.
        period: Seconds between two disturbances; the first comes after one period.
    """

    scale: float = eqx.field(static=True, default=0.1)
    period: float = eqx.field(static=True, default=1.0)

    def draw(
        self,
        parameters: Float[Array, " parameters"],
        course: Float[Array, "states steps"],
        box: Box,
        *,
        step_size: float,
        key: PRNGKey,
    ) -> tuple[Float[Array, " parameters"], AbstractIntervention | None]:
        """Draw noise for every period of the course."""
        del box
        every = max(round(self.period / step_size), 1)
        steps = jnp.arange(every, course.shape[1], every, jnp.int32)
        return parameters, draw_noise(steps, self.scale * _extent(course), key=key)


class Push(AbstractPerturbation):
    """A few sudden pushes at times drawn uniformly.

    Attributes:
        magnitude: Reach of a push as a share of each state's range along the course.
        number: Number of pushes.
    """

    magnitude: float = eqx.field(static=True, default=0.1)
    number: int = eqx.field(static=True, default=1)

    def draw(
        self,
        parameters: Float[Array, " parameters"],
        course: Float[Array, "states steps"],
        box: Box,
        *,
        step_size: float,
        key: PRNGKey,
    ) -> tuple[Float[Array, " parameters"], AbstractIntervention | None]:
        """Draw pushes in the first half of the course, so that the rest can answer."""
        del box, step_size
        key_time, key_push = jax.random.split(key)
        half = max(course.shape[1] // 2, 2)
        steps = jnp.sort(jax.random.randint(key_time, (self.number,), 1, half, jnp.int32))
        return parameters, draw_pushes(steps, self.magnitude * _extent(course), key=key_push)


class Wall(AbstractPerturbation):
    """Walls across the course.

    Attributes:
        length: Width of a wall as a share of the course's extent.
        number: Number of walls.
        collision: What happens on contact.
        states: Which states span the space of the walls.
    """

    length: float = eqx.field(static=True, default=0.1)
    number: int = eqx.field(static=True, default=1)
    collision: Collision = eqx.field(static=True, default="elastic")
    states: tuple[int, ...] = eqx.field(static=True, default=(0, 1))

    def draw(
        self,
        parameters: Float[Array, " parameters"],
        course: Float[Array, "states steps"],
        box: Box,
        *,
        step_size: float,
        key: PRNGKey,
    ) -> tuple[Float[Array, " parameters"], AbstractIntervention | None]:
        """Draw walls where the course passes."""
        del box, step_size
        walls = draw_walls(
            course,
            collision=self.collision,
            states=self.states,
            num_walls=self.number,
            length=self.length,
            key=key,
        )
        return parameters, walls


class ParameterNoise(AbstractPerturbation):
    """Normal noise on every parameter that is free: the robustness that builders ask for.

    Attributes:
        scale: Standard deviation as a share of the width of the box.
    """

    scale: float = eqx.field(static=True, default=0.01)

    def draw(
        self,
        parameters: Float[Array, " parameters"],
        course: Float[Array, "states steps"],
        box: Box,
        *,
        step_size: float,
        key: PRNGKey,
    ) -> tuple[Float[Array, " parameters"], AbstractIntervention | None]:
        """Draw other parameters, kept inside the box."""
        del course, step_size
        noise = jax.random.normal(key, parameters.shape, parameters.dtype)
        width = box.extent.astype(parameters.dtype)
        return box.clip(parameters + self.scale * width * noise), None


def _extent(course: Float[Array, "states steps"]) -> Float[Array, " states"]:
    return course.max(axis=1) - course.min(axis=1)
