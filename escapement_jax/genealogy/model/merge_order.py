"""A level matrix read as a sequence of binary mergers, oldest last.

Each haplotype but the first represents a lineage that merges exactly once, at its merge level,
into the lineage represented by the smallest member of the merged block. Taken in the order of
levels these mergers build the tree; several mergers in one level are mergers at zero distance.
"""

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int, Int8

from escapement_jax.array_types import LevelMatrix
from escapement_jax.genealogy.model.local_trees import (
    ABSENT,
    merge_levels,
    merge_parents,
    spread_to_members,
)


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
    parents = merge_parents(tree, merged)
    child = jnp.argsort(merged).astype(jnp.int32)
    level = merged[child].astype(jnp.int32)
    used = level < ABSENT
    return MergeOrder(
        child=child,
        parent=parents[child],
        level=jnp.where(used, level, 0),
        used=used,
        node=_nodes_below(parents[child], level, merged, parents, num_levels),
    )


def _nodes_below(
    parent: Int[Array, " haplotypes"],
    level: Int[Array, " haplotypes"],
    merged: Int8[Array, " haplotypes"],
    parents: Int[Array, " haplotypes"],
    num_levels: int,
) -> Int[Array, "haplotypes levels"]:
    """Last merger at or below each level that each block has gone through, else its only leaf."""
    size = parent.shape[0]
    haplotypes = jnp.arange(size, dtype=jnp.int32)
    leaves = jnp.broadcast_to(haplotypes[:, None], (size, num_levels))
    mergers = leaves.at[parent, level].max(size + haplotypes, mode="drop")
    return spread_to_members(lax.cummax(mergers, axis=1), merged, parents)
