"""A long optimisation as one compiled chunk of steps, run again and again.

The host looks in between chunks only: it shows progress, keeps the records and may stop.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int, PyTree

Step = Callable[[Any, Any, Int[Array, ""]], tuple[Any, Any]]
AfterChunk = Callable[[int, PyTree], bool]


def run_in_chunks(
    step: Step,
    data: PyTree,
    state: PyTree,
    *,
    num_steps: int,
    chunk_size: int,
    after_chunk: AfterChunk | None = None,
) -> tuple[PyTree, PyTree]:
    """Repeat a step; compiles once, whatever the number of steps.

    Args:
        step: `(data, state, index of the step) -> (state, record)`, with records of arrays.
        data: what stays the same.
        state: before the first step.
        num_steps: most steps to take.
        chunk_size: steps between two looks from the host.
        after_chunk: called with the number of steps taken and all records so far; stops if true.

    Returns:
        The last state, and the records of all steps taken, stacked.

    Raises:
        ValueError: no step, or an empty chunk.
    """
    if num_steps < 1 or chunk_size < 1:
        raise ValueError(f"{num_steps} steps in chunks of {chunk_size}: give at least 1 of each")
    kept: list[PyTree] = []
    for start in range(0, num_steps, chunk_size):
        bounds = jnp.asarray([start, num_steps])
        state, records = _chunk(step, data, state, bounds, chunk_size)
        taken = min(chunk_size, num_steps - start)
        kept.append(jax.tree.map(lambda record, count=taken: np.asarray(record)[:count], records))
        if after_chunk is not None and after_chunk(start + taken, _joined(kept)):
            break
    return state, _joined(kept)


@eqx.filter_jit
def _chunk(
    step: Step, data: PyTree, state: PyTree, bounds: Int[Array, " 2"], size: int
) -> tuple[PyTree, PyTree]:
    arrays, rest = eqx.partition(state, eqx.is_array)

    def one(arrays: PyTree, index: Int[Array, ""]) -> tuple[PyTree, PyTree]:
        after, record = step(data, eqx.combine(arrays, rest), index)
        return eqx.filter(after, eqx.is_array), record

    def maybe(arrays: PyTree, index: Int[Array, ""]) -> tuple[PyTree, PyTree]:
        blank = jax.tree.map(
            lambda shape: jnp.zeros(shape.shape, shape.dtype), jax.eval_shape(one, arrays, index)[1]
        )
        return lax.cond(
            index < bounds[1], one, lambda arrays, index: (arrays, blank), arrays, index
        )

    arrays, records = lax.scan(maybe, arrays, bounds[0] + jnp.arange(size))
    return eqx.combine(arrays, rest), records


def _joined(records: list[PyTree]) -> PyTree:
    return jax.tree.map(lambda *parts: np.concatenate(parts), *records)
