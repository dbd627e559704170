"""Scaled messages, and scans over long chains that keep only the square root of their states."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, PyTree

Step = Callable[[Any, Any], tuple[Any, Any]]
Visit = Callable[[Any, Any, Any], tuple[Any, Any]]


def normalise(
    message: Float[Array, "*batch rows columns"],
) -> tuple[Float[Array, "*batch rows columns"], Float[Array, "*batch"]]:
    """Scale a message over its last two axes to sum to one, and return the log of its sum.

    A product of messages then never leaves the range of float32; the logs add up to its scale.

    Args:
        message: non-negative weights, some of them positive.

    Returns:
        The normalised message and the logarithm of its former sum.
    """
    total = jnp.sum(message, axis=(-2, -1), keepdims=True)
    return message / total, jnp.log(total[..., 0, 0])


def checkpointed_scan(step: Step, carry: PyTree, inputs: PyTree) -> tuple[PyTree, PyTree]:
    """Do what `lax.scan` does, with reverse-mode memory for about `2 sqrt(steps)` carries.

    The steps are run in chunks; the gradient stores the carry at each chunk's start and computes a
    chunk's inner carries again when it gets there (Chen et al. 2016, "Training deep nets with
    sublinear memory cost").

    Args:
        step: `(carry, input) -> (carry, output)`.
        carry: state before the first step.
        inputs: arrays with a common leading axis, one entry per step.

    Returns:
        The final carry and the stacked outputs.
    """
    chunks, taken, num_steps = _chunks(inputs)
    step = _skipping(step)

    @jax.checkpoint
    def run_chunk(carry: PyTree, chunk: PyTree) -> tuple[PyTree, PyTree]:
        return lax.scan(step, carry, chunk)

    carry, outputs = lax.scan(run_chunk, carry, (chunks, taken))
    return carry, _joined(outputs, num_steps)


def forward_backward_scan(
    step: Step, carry: PyTree, visit: Visit, message: PyTree, inputs: PyTree
) -> PyTree:
    """Run `step` forwards, then visit every step from last to first with its forward carry.

    Only the carries at the starts of about `sqrt(steps)` chunks are stored; those inside a chunk
    are computed again when the backward pass reaches it.

    Args:
        step: `(carry, input) -> (carry, output)`; the output is ignored.
        carry: state before the first step.
        visit: `(message, carry after the step, input) -> (message for the step before, output)`.
        message: message that reaches the last step from beyond it.
        inputs: arrays with a common leading axis, one entry per step.

    Returns:
        The outputs of the visits, stacked in the order of the steps.
    """
    chunks, taken, num_steps = _chunks(inputs)
    step = _skipping(step)

    def chunk_start(carry: PyTree, chunk: PyTree) -> tuple[PyTree, PyTree]:
        return lax.scan(step, carry, chunk)[0], carry

    def keep_carry(carry: PyTree, item: PyTree) -> tuple[PyTree, PyTree]:
        carry, _ = step(carry, item)
        return carry, carry

    def visit_one(message: PyTree, item: PyTree) -> tuple[PyTree, PyTree]:
        carry, (inputs_here, taken_here) = item
        changed, output = visit(message, carry, inputs_here)
        return _choose(taken_here, changed, message), output

    def visit_chunk(message: PyTree, item: PyTree) -> tuple[PyTree, PyTree]:
        start, chunk = item
        _, carries = lax.scan(keep_carry, start, chunk)
        return lax.scan(visit_one, message, (carries, chunk), reverse=True)

    _, starts = lax.scan(chunk_start, carry, (chunks, taken))
    _, outputs = lax.scan(visit_chunk, message, (starts, (chunks, taken)), reverse=True)
    return _joined(outputs, num_steps)


def _chunks(inputs: PyTree) -> tuple[PyTree, Bool[Array, "chunks size"], int]:
    """Inputs in rows of about sqrt(steps), padded at the end; which entries are real; how many."""
    num_steps = jax.tree.leaves(inputs)[0].shape[0]
    size = max(1, math.isqrt(num_steps))
    rows = -(-num_steps // size)

    def fold(array: Array) -> Array:
        widths = [(0, rows * size - num_steps)] + [(0, 0)] * (array.ndim - 1)
        return jnp.pad(array, widths).reshape(rows, size, *array.shape[1:])

    taken = (jnp.arange(rows * size) < num_steps).reshape(rows, size)
    return jax.tree.map(fold, inputs), taken, num_steps


def _joined(outputs: PyTree, num_steps: int) -> PyTree:
    def unfold(array: Array) -> Array:
        return array.reshape(-1, *array.shape[2:])[:num_steps]

    return jax.tree.map(unfold, outputs)


def _skipping(step: Step) -> Step:
    """The step, leaving the carry as it is where the input is padding."""

    def skipping_step(carry: PyTree, item: PyTree) -> tuple[PyTree, PyTree]:
        inputs_here, taken_here = item
        changed, output = step(carry, inputs_here)
        return _choose(taken_here, changed, carry), output

    return skipping_step


def _choose(condition: Bool[Array, ""], chosen: PyTree, otherwise: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), chosen, otherwise)
