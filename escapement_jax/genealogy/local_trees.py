"""Local trees as level matrices: arrays of fixed shape, no pointers.

A tree of `n` haplotypes over `K` time levels is a chain of nested partitions, stored as the
symmetric matrix of levels at which pairs coalesce (-1 on the diagonal, `ABSENT` for a haplotype
that is not in the tree yet). The block of `j` at level `k` is `{i : tree[j, i] <= k}`; its
smallest member represents it. A position on the tree is (any haplotype below the branch, level).
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Int8

from escapement_jax.array_types import HaplotypeMask, LevelMatrix, Levels

ABSENT = 120
"""Level that stands for 'never': above every level of a grid."""


def merge_levels(tree: LevelMatrix) -> Int8[Array, " haplotypes"]:
    """Level at which each haplotype stops representing its block, `min_{i<j} tree[j, i]`.

    `ABSENT` for the first haplotype present, which represents the root block, and for absent ones.
    """
    earlier = jnp.tril(jnp.ones(tree.shape, bool), -1)
    return jnp.where(earlier, tree, ABSENT).min(-1)


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


def lineages_merged(
    tree: LevelMatrix, merged: Int8[Array, " haplotypes"], num_levels: int
) -> Int8[Array, "haplotypes levels"]:
    """How many lineages merge, within a level, into the block of each haplotype (1: none merge).

    `lambda[j, k] = 1 + #{i : i merges at level k and lies in the block of j at level k}`.
    """
    levels = jnp.arange(num_levels, dtype=jnp.int8)
    together = (tree <= merged[None, :]).astype(jnp.float32)
    merges_here = (merged[:, None] == levels[None, :]).astype(jnp.float32)
    counts = jnp.matmul(together, merges_here, precision=lax.Precision.HIGHEST)
    return 1 + counts.astype(jnp.int8)


def lineage_counts(
    tree_representatives: Bool[Array, "haplotypes levels"], present: HaplotypeMask
) -> tuple[Int[Array, " levels"], Int[Array, " levels"]]:
    """Numbers of lineages that enter and that leave each level."""
    leaving = tree_representatives.sum(0, dtype=jnp.int32)
    entering = jnp.concatenate([present.sum(dtype=jnp.int32)[None], leaving[:-1]])
    return entering, leaving


def attach(
    tree: LevelMatrix,
    present: HaplotypeMask,
    haplotype: Int[Array, ""],
    branch: Int[Array, ""],
    level: Int[Array, ""],
) -> LevelMatrix:
    """Add a haplotype to a tree: it joins the block of `branch` at `level`."""
    row = jnp.maximum(tree[branch], level.astype(jnp.int8))
    row = jnp.where(present, row, ABSENT).astype(jnp.int8).at[haplotype].set(-1)
    return tree.at[haplotype, :].set(row).at[:, haplotype].set(row)


def detach(tree: LevelMatrix, haplotype: Int[Array, ""]) -> LevelMatrix:
    """Take a haplotype out of a tree."""
    absent = jnp.full(tree.shape[:1], ABSENT, jnp.int8)
    return tree.at[haplotype, :].set(absent).at[:, haplotype].set(absent)
