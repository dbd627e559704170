"""Walls in state space that a trajectory bounces off, sticks to or is held away from."""

from typing import Literal, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.interventions.base import AbstractIntervention

Collision: TypeAlias = Literal["elastic", "sticky", "force_field"]


class Walls(AbstractIntervention):
    """Flat plates in the space of some states, each at right angles to one of its axes.

    A step crosses a plate if it changes sides inside the plate's edges. An *elastic* plate mirrors
    the end of the step, a *sticky* one lets the step not happen, and a *force field* takes away the
    part of the motion towards the plate, all of it at the plate and less with the distance from it
    (`a` across, `b` beyond its edges): a share `exp(-(a / s_a)^2 / 2 - (b / s_b)^2 / 2)`.

    Attributes:
        collision: What happens on contact.
        states: Which states span the space.
        normal: Axis, among those, that each plate is at right angles to.
        centre: Centre of each plate.
        half_width: Half the width of each plate along every axis; along its normal it is ignored.
        reach: How far the force field reaches across (`s_a`) and beyond the edges (`s_b`).
        batched: Whether the arrays have a leading axis for the members of a batch.
    """

    collision: Collision = eqx.field(static=True)
    states: tuple[int, ...] = eqx.field(static=True)
    normal: Int[Array, "*batch walls"]
    centre: Float[Array, "*batch walls axes"]
    half_width: Float[Array, "*batch walls axes"]
    reach: Float[Array, "*batch walls 2"]
    batched: bool = eqx.field(static=True, default=False)

    def before_step(
        self, step: Int[Array, ""], y: Float[Array, " states"], args: PyTree[Array]
    ) -> tuple[Float[Array, " states"], PyTree[Array]]:
        """Leave state and arguments as they are."""
        del step
        return y, args

    def after_step(
        self,
        step: Int[Array, ""],
        y: Float[Array, " states"],
        y_next: Float[Array, " states"],
        args: PyTree[Array],
    ) -> Float[Array, " states"]:
        """Let the step collide with every wall in turn."""
        del step, args
        places = np.array(self.states)
        here, there = y[places], y_next[places]
        collide = _COLLISIONS[self.collision]
        for wall in range(self.normal.shape[0]):
            plate = self.normal[wall], self.centre[wall], self.half_width[wall], self.reach[wall]
            there = collide(here, there, *plate)
        return y_next.at[places].set(there)


def draw_walls(
    course: Float[Array, "states steps"],
    *,
    collision: Collision,
    states: tuple[int, ...],
    num_walls: int,
    length: float,
    key: PRNGKey,
) -> Walls:
    """Put walls across an undisturbed course, at places where it passes.

    A wall is centred on the course where it has travelled a share between 10 % and 90 % of its
    whole way, drawn uniformly, and lies at right angles to an axis drawn at random.

    Args:
        course: Every state at every step of the undisturbed rollout.
        collision: What happens on contact.
        states: Which states span the space of the walls; two or more.
        num_walls: Number of walls.
        length: Width of a wall as a share of the extent of the course along each axis.
        key: Random key.
    """
    path = course[np.array(states)]
    extent = path.max(axis=1) - path.min(axis=1)
    travelled = jnp.cumsum(jnp.linalg.norm(jnp.diff(path, axis=1), axis=0))
    key_place, key_axis = jax.random.split(key)
    share = jax.random.uniform(key_place, (num_walls,), path.dtype, 0.1, 0.9)
    at = jnp.minimum(jnp.searchsorted(travelled, share * travelled[-1]), path.shape[1] - 2)
    # Halfway through a step, so that the course meets the wall and does not start on it.
    centre = 0.5 * (path[:, at] + path[:, at + 1]).T
    return Walls(
        collision=collision,
        states=states,
        normal=jax.random.randint(key_axis, (num_walls,), 0, len(states)),
        centre=centre,
        half_width=jnp.broadcast_to((0.5 * length * extent)[None], centre.shape),
        reach=jnp.broadcast_to(
            jnp.array([[1e-2, 1e-4]], path.dtype) * extent.max(), (num_walls, 2)
        ),
    )


def _crosses(
    here: Float[Array, " axes"],
    there: Float[Array, " axes"],
    normal: Int[Array, ""],
    centre: Float[Array, " axes"],
    half_width: Float[Array, " axes"],
) -> Bool[Array, ""]:
    """Return whether a step crosses a plate inside its edges."""
    before, after = here[normal] - centre[normal], there[normal] - centre[normal]
    changes_sides = before * after < 0
    share = jnp.where(changes_sides, before / jnp.where(changes_sides, before - after, 1), 0)
    beyond = jnp.abs(here + share * (there - here) - centre) > half_width
    across = jnp.arange(centre.shape[0]) != normal
    return changes_sides & ~(beyond & across).any()


def _bounce(here, there, normal, centre, half_width, reach):
    del reach
    hit = _crosses(here, there, normal, centre, half_width)
    mirrored = there.at[normal].set(2 * centre[normal] - there[normal])
    return jnp.where(hit, mirrored, there)


def _stick(here, there, normal, centre, half_width, reach):
    del reach
    # Going part of the way would end on the wall, by rounding, and the next step would pass it.
    return jnp.where(_crosses(here, there, normal, centre, half_width), here, there)


def _hold_off(here, there, normal, centre, half_width, reach):
    # A step that crosses comes as close as can be, however far its ends are from the plate.
    before, after = here[normal] - centre[normal], there[normal] - centre[normal]
    distance = jnp.where(before * after < 0, 0, jnp.minimum(jnp.abs(before), jnp.abs(after)))
    off_edge = jnp.maximum(jnp.abs(here - centre) - half_width, 0)
    beyond = jnp.where(jnp.arange(centre.shape[0]) == normal, 0, off_edge).max()
    held = jnp.exp(-0.5 * ((distance / reach[0]) ** 2 + (beyond / reach[1]) ** 2))
    approaches = before * (after - before) < 0
    slowed = here[normal] + (1 - held) * (there[normal] - here[normal])
    return there.at[normal].set(jnp.where(approaches, slowed, there[normal]))


_COLLISIONS = {"elastic": _bounce, "sticky": _stick, "force_field": _hold_off}
