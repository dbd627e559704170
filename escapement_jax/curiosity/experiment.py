"""One experiment: parameters in, an observed behaviour out."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Inexact, Int, PyTree

from escapement_jax.curiosity.behaviour.base import AbstractBehaviour
from escapement_jax.curiosity.rollouts.base import AbstractRollout
from escapement_jax.curiosity.rollouts.codes import RolloutCode
from escapement_jax.curiosity.systems.base import AbstractSystem


class Observations(eqx.Module):
    """What was seen of a batch of rollouts.

    Attributes:
        descriptors: Coordinates in the space of behaviours; 0 for rollouts that failed.
        found: Which show the behaviour that is looked for.
        quality: How well, in [0, 1].
        codes: `RolloutCode` of every member.
        embedding: Coordinates in a larger goal space, if the behaviour has one.
    """

    descriptors: Float[Array, "batch descriptors"]
    found: Bool[Array, " batch"]
    quality: Float[Array, " batch"]
    codes: Int[Array, " batch"]
    embedding: Inexact[Array, "batch embedding"] | None = None


class Experiment(eqx.Module):
    """A system, how it is solved, what is done to it, and what is looked at.

    Attributes:
        system: The family of equations.
        rollout: The solver and its horizon.
        behaviour: What is seen of a trajectory.
        intervention: What is done on the way, the same to every member.
    """

    system: AbstractSystem
    rollout: AbstractRollout
    behaviour: AbstractBehaviour
    intervention: PyTree | None = None

    def __call__(self, parameters: Float[Array, "batch parameters"]) -> Observations:
        """Solve and observe a batch; a member that fails is not found and says why."""
        seen = self.rollout(self.system, parameters, self.intervention)
        look = jax.vmap(self.behaviour, in_axes=(-1, -1, None))
        observed = look(seen.states, seen.final_state, self.rollout.step_size)
        fine = seen.codes == RolloutCode.OK
        embedding = observed.embedding
        return Observations(
            jnp.where(fine[:, None], observed.descriptor, 0),
            fine & observed.found,
            jnp.where(fine, observed.quality, 0),
            seen.codes,
            None if embedding is None else jnp.where(fine[:, None], embedding, 0),
        )

    def describe(self) -> dict[str, Any]:
        """Return what tells this experiment from others, as JSON can hold it."""
        action = self.intervention
        return {
            "system": self.system.describe(),
            "rollout": self.rollout.describe(),
            "behaviour": self.behaviour.describe(),
            "intervention": None if action is None else repr(action),
        }
