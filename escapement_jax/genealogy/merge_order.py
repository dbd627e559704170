"""A level matrix read as a sequence of binary mergers, oldest last.

Each haplotype but the first represents a lineage that merges exactly once, at its merge level,
into the lineage represented by the smallest member of the merged block. Taken in the order of
levels these mergers build the tree; several mergers in one level are mergers at zero distance.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int8

from escapement_jax.array_types import LevelMatrix
from escapement_jax.genealogy.local_trees import ABSENT, merge_levels


class MergeOrder(eqx.Module):
    """Mergers of a tree in the order of time.

    Nodes are numbered as leaves `0 .. n-1`, then merger `e` as `n + e`. There are as many entries
    as haplotypes; those beyond the tree's mergers are not in use.

    Attributes:
        child: representative of the lineage that ends.
        parent: representative of the lineage that goes on.
        level: level of the merger (0 where not in use).
        used: whether the entry is a merger.
        node: node at the lower end of the branch on which each (haplotype, level) lies.
    """

    child: Int[Array, " haplotypes"]
    parent: Int[Array, " haplotypes"]
    level: Int[Array, " haplotypes"]
    used: Bool[Array, " haplotypes"]
    node: Int[Array, "haplotypes levels"]


def merge_order(tree: LevelMatrix, num_levels: int) -> MergeOrder:
    """Sort the mergers of a tree by level.

    Args:
        tree: level matrix.
        num_levels: number of time levels.
    """
    merged = merge_levels(tree)
    parents = jnp.argmax(tree <= merged[:, None], 1).astype(jnp.int32)
    child = jnp.argsort(merged).astype(jnp.int32)
    sorted_levels = merged[child]
    used = sorted_levels < ABSENT
    parent = parents[child]
    return MergeOrder(
        child=child,
        parent=parent,
        level=jnp.where(used, sorted_levels, 0).astype(jnp.int32),
        used=used,
        node=_nodes_below(tree, parent, sorted_levels, num_levels),
    )


def _nodes_below(
    tree: LevelMatrix,
    parent: Int[Array, " haplotypes"],
    levels: Int8[Array, " haplotypes"],
    num_levels: int,
) -> Int[Array, "haplotypes levels"]:
    """Last merger at or below each level that each haplotype takes part in, else its own leaf."""
    size = tree.shape[0]
    takes_part = (tree[:, parent] <= levels[None, :]) & (levels < ABSENT)[None, :]
    number = jnp.where(takes_part, jnp.arange(size, dtype=jnp.int32)[None, :] + size, -1)
    grid = jnp.arange(num_levels, dtype=jnp.int8)
    reached = levels[None, :] <= grid[:, None]
    last = jnp.where(reached[None], number[:, None, :], -1).max(-1)
    return jnp.where(last < 0, jnp.arange(size, dtype=jnp.int32)[:, None], last)
