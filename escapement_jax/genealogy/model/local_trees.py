"""Local trees as level matrices: arrays of fixed shape, no pointers.

A tree of `n` haplotypes over `K` time levels is a chain of nested partitions, stored as the
symmetric matrix of levels at which pairs coalesce (-1 on the diagonal, `ABSENT` for a haplotype
that is not in the tree yet). The block of `j` at level `k` is `{i : tree[j, i] <= k}`; its
smallest member represents it. A position on the tree is (any haplotype below the branch, level).
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Int8, Shaped

from escapement_jax.array_types import HaplotypeMask, LevelMatrix, Levels

ABSENT = 120
"""Level that stands for 'never': above every level of a grid."""


def merge_levels(tree: LevelMatrix) -> Int8[Array, " haplotypes"]:
    """Level at which each haplotype stops representing its block, `min_{i<j} tree[j, i]`.

    `ABSENT` for the first haplotype present, which represents the root block, and for absent ones.
    """
    earlier = jnp.tril(jnp.ones(tree.shape, bool), -1)
    return jnp.where(earlier, tree, ABSENT).min(-1)


def merge_parents(
    tree: LevelMatrix, merged: Int8[Array, " haplotypes"]
) -> Int[Array, " haplotypes"]:
    """Representative of the block that each haplotype merges into at its merge level."""
    return jnp.argmax(tree <= merged[:, None], 1).astype(jnp.int32)


def representatives(
    merged: Int8[Array, " haplotypes"], present: HaplotypeMask, num_levels: int
) -> Bool[Array, "haplotypes levels"]:
    """Whether a haplotype represents a block that leaves the level (one per lineage)."""
    levels = jnp.arange(num_levels, dtype=jnp.int8)
    return (levels[None, :] < merged[:, None]) & present[:, None]


def root_level(merged: Int8[Array, " haplotypes"], present: HaplotypeMask) -> Int8[Array, ""]:
    """Level of the root, -1 for a tree of a single haplotype."""
    return jnp.where(present & (merged < ABSENT), merged, -1).max()


def tree_length(
    merged: Int8[Array, " haplotypes"], present: HaplotypeMask, times: Levels
) -> Float[Array, ""]:
    """Total branch length, `t_root + sum over the other haplotypes of t_{merge level}`.

    Args:
        merged: merge level of every haplotype.
        present: which haplotypes are in the tree.
        times: representative time of every level, generations.

    Returns:
        Length in generations; 0 for a single haplotype.
    """
    inner = present & (merged < ABSENT)
    heights = times[jnp.where(inner, merged, 0)]
    root = root_level(merged, present)
    root_height = jnp.where(root >= 0, times[jnp.maximum(root, 0)], 0.0)
    return root_height + jnp.where(inner, heights, 0.0).sum()


def spread_to_members(
    table: Shaped[Array, "haplotypes levels"],
    merged: Int8[Array, " haplotypes"],
    parents: Int[Array, " haplotypes"],
) -> Shaped[Array, "haplotypes levels"]:
    """Give every haplotype the entries of the representative of its block, level by level.

    A haplotype represents its block below its merge level and follows its parent from there on.
    Parents come before their children, so one pass in order does it.
    """
    levels = jnp.arange(table.shape[1], dtype=jnp.int8)

    def fill(filled, haplotype):
        follows = levels >= merged[haplotype]
        row = jnp.where(follows, filled[parents[haplotype]], filled[haplotype])
        return filled.at[haplotype].set(row), None

    filled, _ = lax.scan(fill, table, jnp.arange(table.shape[0], dtype=jnp.int32))
    return filled


def lineages_merged(
    tree: LevelMatrix, merged: Int8[Array, " haplotypes"], num_levels: int
) -> Int8[Array, "haplotypes levels"]:
    """How many lineages merge, within a level, into the block of each haplotype (1: none merge).

    `lambda[j, k] = 1 + #{i : i merges at level k and lies in the block of j at level k}`.
    """
    parents = merge_parents(tree, merged)
    shape = (tree.shape[0], num_levels)
    at_level = jnp.where(merged < ABSENT, merged, num_levels).astype(jnp.int32)
    own = jnp.ones(shape, jnp.int8).at[parents, at_level].add(1, mode="drop")
    return spread_to_members(own, merged, parents)


def lineage_counts(
    tree_representatives: Bool[Array, "haplotypes levels"], present: HaplotypeMask
) -> tuple[Int[Array, " levels"], Int[Array, " levels"]]:
    """Numbers of lineages that enter and that leave each level."""
    leaving = tree_representatives.sum(0, dtype=jnp.int32)
    entering = jnp.concatenate([present.sum(dtype=jnp.int32)[None], leaving[:-1]])
    return entering, leaving


def graft(
    forest: LevelMatrix,
    clade: HaplotypeMask,
    trunk: HaplotypeMask,
    branch: Int[Array, ""],
    level: Int[Array, ""],
) -> LevelMatrix:
    """Join the lineage above a clade to a tree: to the block of `branch` at `level`.

    Args:
        forest: level matrix in which clade and trunk never coalesce.
        clade: haplotypes below the lineage.
        trunk: haplotypes of the tree that it joins.
        branch: a haplotype below the branch that is joined.
        level: level at which it is joined.
    """
    row = jnp.maximum(forest[branch], level.astype(jnp.int8))
    joined = jnp.where(clade[:, None] & trunk[None, :], row[None, :], forest)
    return jnp.where(trunk[:, None] & clade[None, :], row[:, None], joined)


def separate(tree: LevelMatrix, clade: HaplotypeMask, trunk: HaplotypeMask) -> LevelMatrix:
    """Part a clade from the rest of a tree; the inverse of `graft`."""
    across = clade[:, None] & trunk[None, :]
    return jnp.where(across | across.T, jnp.int8(ABSENT), tree)


def detach(tree: LevelMatrix, haplotype: Int[Array, ""]) -> LevelMatrix:
    """Take a haplotype out of a tree."""
    absent = jnp.full(tree.shape[:1], ABSENT, jnp.int8)
    return tree.at[haplotype, :].set(absent).at[:, haplotype].set(absent)
