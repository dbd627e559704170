"""Sudden displacements of the state: noise and pushes."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.interventions.base import AbstractIntervention


class Kicks(AbstractIntervention):
    """Adds amounts to the state before certain steps; a state never becomes negative by it.

    Attributes:
        steps: Steps in increasing order.
        amounts: What is added at each.
        batched: Whether the arrays have a leading axis for the members of a batch.
    """

    steps: Int[Array, "*batch kicks"]
    amounts: Float[Array, "*batch kicks states"]
    batched: bool = eqx.field(static=True, default=False)

    def before_step(
        self, step: Int[Array, ""], y: Float[Array, " states"], args: PyTree[Array]
    ) -> tuple[Float[Array, " states"], PyTree[Array]]:
        """Displace the state if this step is among those kicked."""
        now = step.astype(self.steps.dtype)
        place = jnp.minimum(jnp.searchsorted(self.steps, now), self.steps.shape[0] - 1)
        kicked = jnp.maximum(y + self.amounts[place].astype(y.dtype), jnp.minimum(y, 0))
        return jnp.where(self.steps[place] == now, kicked, y), args

    def after_step(
        self,
        step: Int[Array, ""],
        y: Float[Array, " states"],
        y_next: Float[Array, " states"],
        args: PyTree[Array],
    ) -> Float[Array, " states"]:
        """Leave the step as it is."""
        del step, y, args
        return y_next


def draw_noise(
    steps: Int[Array, " kicks"], scale: Float[Array, " states"], *, key: PRNGKey
) -> Kicks:
    """Draw normal noise with a standard deviation per state for given steps."""
    draws = jax.random.normal(key, (steps.shape[0], scale.shape[0]), scale.dtype)
    return Kicks(steps=steps, amounts=scale[None] * draws)


def draw_pushes(
    steps: Int[Array, " kicks"], reach: Float[Array, " states"], *, key: PRNGKey
) -> Kicks:
    """Draw pushes to the surface of the box `[-reach, reach]`, uniform on a face drawn at random.

    Every push changes one state by its whole reach, and the others by up to theirs.
    """
    key_inside, key_face, key_sign = jax.random.split(key, 3)
    shape = (steps.shape[0], reach.shape[0])
    inside = jax.random.uniform(key_inside, shape, reach.dtype, -1.0, 1.0)
    face = jax.random.randint(key_face, shape[:1], 0, shape[1])
    sign = jax.random.rademacher(key_sign, shape[:1], reach.dtype)
    on_face = jnp.arange(shape[1])[None] == face[:, None]
    return Kicks(steps=steps, amounts=jnp.where(on_face, sign[:, None], inside) * reach[None])
