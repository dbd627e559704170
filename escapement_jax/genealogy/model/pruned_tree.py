"""A local tree from which one lineage has been pruned above a floor.

The lineage is the ancestor of the haplotypes in `clade`, which have all coalesced below the level
`floor`. Pruning cuts it there: below the floor everything stays, from the floor on the clade no
longer belongs to the tree of the others, the trunk. With floor 0 the clade is a single haplotype
and its whole branch is pruned.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int8

from escapement_jax.array_types import HaplotypeMask, LevelMatrix
from escapement_jax.genealogy.model.local_trees import lineage_counts, merge_levels, representatives


class PrunedTree(eqx.Module):
    """The trunk and the clade below the pruned lineage, side by side.

    Attributes:
        forest: level matrix; members of the clade never coalesce with others.
        clade: haplotypes below the pruned lineage.
        present: haplotypes in the tree, the clade included.
        floor: the lowest level at which the lineage may join the trunk.
    """

    forest: LevelMatrix
    clade: HaplotypeMask
    present: HaplotypeMask
    floor: Int[Array, ""]

    @property
    def trunk(self) -> HaplotypeMask:
        """Haplotypes of the trunk."""
        return self.present & ~self.clade

    @property
    def has_trunk(self) -> Bool[Array, ""]:
        """Whether the trunk has a lineage: false below a floor above the root."""
        return self.trunk.any()


class ForestCounts(eqx.Module):
    """Numbers of lineages that enter and leave every level.

    Attributes:
        entering: of the trunk; below the floor, of the trunk and the clade.
        leaving: likewise.
        entering_with: with the pruned lineage, which never joins, as one more.
        leaving_with: likewise.
        merged: level at which each haplotype stops representing its block.
    """

    entering: Int[Array, " levels"]
    leaving: Int[Array, " levels"]
    entering_with: Int[Array, " levels"]
    leaving_with: Int[Array, " levels"]
    merged: Int8[Array, " haplotypes"]


def forest_counts(pruned: PrunedTree, num_levels: int) -> ForestCounts:
    """Count the lineages of a pruned tree, with and without the pruned one."""
    merged = merge_levels(pruned.forest)
    is_lineage = representatives(merged, pruned.present, num_levels)
    entering, leaving = lineage_counts(is_lineage, pruned.present)
    apart = (jnp.arange(num_levels, dtype=jnp.int32) >= pruned.floor).astype(jnp.int32)
    return ForestCounts(entering - apart, leaving - apart, entering, leaving, merged)
