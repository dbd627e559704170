"""Starting a circuit on its own orbit, at the phase of the target."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.curiosity.goals.target import Target

SEARCHED = 0.3
"""Share of the course, from its middle on, in which the maximum is looked for."""


@eqx.filter_jit
def align(
    target: Target, unit: Float[Array, "batch parameters"]
) -> tuple[Float[Array, "batch parameters"], Float[Array, " batch"]]:
    """Move initial states to where each orbit has its maximum; costs one rollout per member.

    A target that starts at its maximum is then met in phase, and the transient is gone. The loss
    after the move is foretold from the rest of the same rollout.

    Args:
        target: What is wanted; its course starts at a maximum.
        unit: Parameters in units of the box.

    Returns:
        Aligned parameters, and the root mean square distance they can expect.
    """
    return jax.lax.map(lambda one: _align_one(target, one), unit, batch_size=64)


def _align_one(target: Target, unit: Array) -> tuple[Array, Array]:
    number = target.course.shape[0]
    states = target.states(unit)
    half = number // 2
    observed = states[:, target.rollout.observed[0]]
    at = half + jnp.argmax(observed[half : half + max(round(SEARCHED * number), 1)])
    box, n = target.system.box, target.system.num_states
    moved = jnp.concatenate([states[at], box.from_unit(unit)[n:]])
    place = jnp.arange(number) - at
    rest = (place >= 0).astype(observed.dtype)
    wanted = target.course[jnp.maximum(place, 0)]
    square = (jnp.square(observed - wanted) * rest).sum() / rest.sum()
    return jnp.clip(box.to_unit(box.clip(moved)), 0, 1), jnp.sqrt(square)
