"""A long optimisation as one compiled chunk of steps, run again and again.

The host looks in between chunks only: it shows progress, keeps state and records, and may stop.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int, PyTree

from escapement_jax.training.keeper import Keeper
from escapement_jax.training.named_arrays import pack_tree, unpack_tree

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
    compiled: bool = True,
    keeper: Keeper | None = None,
    section: str = "training",
) -> tuple[PyTree, PyTree]:
    """Repeat a step; compiles once, whatever the number of steps.

    Args:
        step: `(data, state, index of the step) -> (state, record)`, with records of arrays.
        data: what stays the same.
        state: before the first step.
        num_steps: most steps to take.
        chunk_size: steps between two looks from the host.
        after_chunk: called with the number of steps taken and all records so far; stops if true.
        compiled: whether chunks are compiled; steps that talk to other processes cannot be.
        keeper: takes state and records after every chunk, and brings those to go on from, bit for
            bit.
        section: what the keeper calls them.

    Returns:
        The last state, and the records of all steps taken, stacked.

    Raises:
        ValueError: no step, or an empty chunk.
    """
    if num_steps < 1 or chunk_size < 1:
        raise ValueError(f"{num_steps} steps in chunks of {chunk_size}: give at least 1 of each")
    keeper, kept, taken = keeper or Keeper(), [], 0
    if (arrays := keeper.kept(section)) is not None:
        state, records = unpack_tree(_like_kept(step, data, state), arrays)
        kept, taken = [records], len(jax.tree.leaves(records)[0])
    run = _chunk if compiled else _chunk_on_host
    while True:
        if taken and after_chunk is not None and after_chunk(taken, _joined(kept)):
            break
        if taken == num_steps:
            break
        state, records = run(step, data, state, jnp.asarray([taken, num_steps]), chunk_size)
        count = min(chunk_size, num_steps - taken)
        kept = [
            *kept,
            jax.tree.map(lambda record, count=count: np.asarray(record)[:count], records),
        ]
        taken += count
        pack = partial(lambda state, kept: pack_tree((state, _joined(kept))), state, kept)
        keeper.offer(section, f"{section}: {taken:,} of {num_steps:,} steps", pack)
    return state, _joined(kept)


def _like_kept(step: Step, data: PyTree, state: PyTree) -> tuple[PyTree, PyTree]:
    """A state and records of the kind that a step makes."""
    shapes = eqx.filter_eval_shape(lambda: step(data, state, jnp.asarray(0))[1])
    return state, jax.tree.map(lambda one: np.zeros((0, *one.shape), one.dtype), shapes)


def _chunk_on_host(
    step: Step, data: PyTree, state: PyTree, bounds: Int[Array, " 2"], size: int
) -> tuple[PyTree, PyTree]:
    records = []
    for index in range(int(bounds[0]), min(int(bounds[0]) + size, int(bounds[1]))):
        state, record = step(data, state, jnp.asarray(index))
        records.append(record)
    return state, jax.tree.map(lambda *each: np.stack(each), *records)


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
