"""A scanned training loop, in chunks between which progress is shown."""

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree
from tqdm import tqdm

from escapement_jax.array_types import PRNGKey

State = TypeVar("State")
Step = Callable[[Any, Any, Int[Array, ""], PRNGKey], tuple[Any, Array]]
"""From state, context, number of the step and key to the next state and its losses."""

NUM_CHUNKS = 20


def train(
    step: Step,
    state: State,
    context: PyTree,
    num_steps: int,
    *,
    key: PRNGKey,
    bar: tqdm | None = None,
) -> tuple[State, Float[np.ndarray, "*trials chunks"]]:
    """Take training steps.

    It compiles once for each step function and each set of shapes, so give functions that live as
    long as the program, and everything that changes in the context.

    Args:
        step: One step.
        state: The first state.
        context: Data and settings.
        num_steps: Number of steps, rounded up to chunks of equal size.
        key: Random key.
        bar: Progress bar to advance by steps.

    Returns:
        The last state, and the mean losses of every chunk.
    """
    size = max(1, -(-num_steps // NUM_CHUNKS))
    means = []
    for index in range(-(-num_steps // size)):
        # Optax raises floats to the power of integer counts, which strict promotion refuses.
        with jax.numpy_dtype_promotion("standard"):
            state, losses = _chunk(step, size, state, context, jnp.asarray(index * size), key)
        means.append(np.asarray(losses))
        if bar is not None:
            bar.update(size)
    return state, np.stack(means, axis=-1)


@eqx.filter_jit
def _chunk(
    step: Step, size: int, state: PyTree, context: PyTree, first: Int[Array, ""], key: PRNGKey
) -> tuple[PyTree, Array]:
    dynamic, static = eqx.partition(state, eqx.is_array)

    def body(carry: PyTree, number: Int[Array, ""]) -> tuple[PyTree, Array]:
        combined = eqx.combine(carry, static)
        after, losses = step(combined, context, number, jax.random.fold_in(key, number))
        return eqx.filter(after, eqx.is_array), losses

    after, losses = jax.lax.scan(body, dynamic, first + jnp.arange(size))
    return eqx.combine(after, static), losses.mean(axis=0)
