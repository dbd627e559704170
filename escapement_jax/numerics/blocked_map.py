"""A map over the rows in use of a table of fixed size."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int

Row = TypeVar("Row")


def blocked_map(
    function: Callable[[Int[Array, ""]], Row],
    size: int,
    used: Int[Array, ""] | None,
    *,
    block_size: int,
) -> Row:
    """Stack `function(row)` over the first `used` of `size` rows, block by block.

    Shapes are those of all rows; work is done for the rows in use only, rounded up to blocks. The
    number in use must not differ between the members of a batch, or every member pays for all.

    Args:
        function: maps a row number (any up to the rounded size) to arrays.
        size: number of rows of the result, rounded up to blocks.
        used: rows that are needed; None for all, which can be differentiated in reverse.
        block_size: rows computed at once.

    Returns:
        The results with rows in front, zero beyond the blocks in use.
    """
    num_blocks = -(-size // block_size)
    rows = jnp.arange(block_size, dtype=jnp.int32)
    block = jax.eval_shape(jax.vmap(function), rows)
    empty = jax.tree.map(
        lambda leaf: jnp.zeros((num_blocks * block_size, *leaf.shape[1:]), leaf.dtype), block
    )

    def fill(index: Int[Array, ""], table: Row) -> Row:
        start = index * block_size
        values = jax.vmap(function)(start + rows)
        return jax.tree.map(
            lambda all_rows, some: lax.dynamic_update_slice_in_dim(all_rows, some, start, 0),
            table,
            values,
        )

    last = num_blocks if used is None else jnp.minimum(-(-used // block_size), num_blocks)
    return lax.fori_loop(0, last, fill, empty)
