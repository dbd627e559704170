"""One recombination record: what was cut, where it went, and with what probability.

A record `(s, r)` between tree `T` and `T'` says that lineage `s` was cut in the piece below level
`r`. Its copy `s*` enters level `r` together with all lineages of `T` and re-coalesces by Kingman's
conditional law. `T'` is `T` with `s` replaced by `s*`. When `T' = T` the record is silent: `s*`
joined either its own old branch or the block that `s` itself joins; these ways are summed, so that

    q(T' | T, s, r) = sum_m S(r -> m) v_m join_m,
    v_m = (lambda_Y + 1) [m = k'] + 2 [r <= m < K_s] (silent only),

with `S` the survival of the copy, `K_s` the level at which `s` coalesces in `T` and `k'` in `T'`.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int8

from escapement_jax.array_types import HaplotypeMask, LevelMatrix, Levels
from escapement_jax.genealogy.model.coalescent import log_survival
from escapement_jax.genealogy.model.local_trees import (
    ABSENT,
    lineage_counts,
    merge_levels,
    representatives,
)
from escapement_jax.genealogy.model.threading_model import ThreadingModel


class Record(eqx.Module):
    """Geometry and probability of one record.

    Attributes:
        lineage: members of the lineage that was cut.
        cut_level: `r`.
        old_level: `K_s`, level at which it coalesced before the cut.
        new_level: `k'`, level at which it coalesces after.
        sibling: an outside haplotype below the branch that it left.
        target: an outside haplotype below the branch that it joined.
        silent: whether the tree is unchanged.
        survival: `S(r -> m)` on entering every level (1 below `r`).
        join_weights: `v_m`.
        terms: the terms of `q`, zero below `r`.
        target_lineages: `lambda_Y`, lineages of the old tree that merge into the target block.
    """

    lineage: HaplotypeMask
    cut_level: Int[Array, ""]
    old_level: Int[Array, ""]
    new_level: Int[Array, ""]
    sibling: Int[Array, ""]
    target: Int[Array, ""]
    silent: Bool[Array, ""]
    survival: Levels
    join_weights: Levels
    terms: Levels
    target_lineages: Float[Array, ""]

    @property
    def probability(self) -> Float[Array, ""]:
        """`q(T' | T, s, r)`, kept positive."""
        return jnp.maximum(self.terms.sum(), 1e-30)


def level_tables(
    table: Float[Array, "levels counts counts"],
    entering: Int[Array, " levels"],
    leaving: Int[Array, " levels"],
) -> Levels:
    """Entries of a Kingman table for the lineage counts of one tree."""
    return table[jnp.arange(table.shape[0], dtype=jnp.int32), entering, leaving]


def read_record(
    before: LevelMatrix,
    after: LevelMatrix,
    moved: Int[Array, ""],
    cut_level: Int[Array, ""],
    present: HaplotypeMask,
    model: ThreadingModel,
) -> Record:
    """Read a record off the trees on its two sides.

    Args:
        before: tree on the left of the boundary.
        after: tree on the right.
        moved: a haplotype below the lineage that was cut.
        cut_level: `r`, the level above the piece that was cut.
        present: haplotypes in the graph.
        model: the law.
    """
    lineage = present & (before[moved] < cut_level.astype(jnp.int8))
    others = present & ~lineage
    distance_before = jnp.where(others, before[moved], ABSENT)
    distance_after = jnp.where(others, after[moved], ABSENT)
    merged = merge_levels(before)
    counts = lineage_counts(representatives(merged, present, model.num_levels), present)
    geometry = describe_move(
        lineage, distance_before, distance_after, before, after, present, model.num_levels
    )
    return weigh_move(geometry, cut_level, counts, model)


class Move(eqx.Module):
    """Geometry of a record: `Record` without the levels' tables."""

    lineage: HaplotypeMask
    old_level: Int[Array, ""]
    new_level: Int[Array, ""]
    sibling: Int[Array, ""]
    target: Int[Array, ""]
    silent: Bool[Array, ""]
    target_lineages: Int[Array, ""]


def describe_move(
    lineage: HaplotypeMask,
    distance_before: Int8[Array, " haplotypes"],
    distance_after: Int8[Array, " haplotypes"],
    before: LevelMatrix,
    after: LevelMatrix,
    present: HaplotypeMask,
    num_levels: int,
) -> Move:
    """Read where a lineage was and where it went.

    Args:
        lineage: members of the lineage that was cut.
        distance_before: level at which it coalesced with each other haplotype; `ABSENT` for those
            that do not count.
        distance_after: the same after the cut.
        before: tree on the left of the boundary.
        after: tree on the right.
        present: haplotypes of the tree on the left.
        num_levels: number of time levels.
    """
    last = num_levels - 1
    old_level = jnp.minimum(distance_before.min(), last).astype(jnp.int32)
    new_level = jnp.minimum(distance_after.min(), last).astype(jnp.int32)
    sibling = jnp.argmin(distance_before).astype(jnp.int32)
    target = jnp.argmin(distance_after).astype(jnp.int32)
    joined = new_level.astype(jnp.int8)
    enters_level = present & (joined <= merge_levels(before))
    return Move(
        lineage=lineage,
        old_level=old_level,
        new_level=new_level,
        sibling=sibling,
        target=target,
        silent=(old_level == new_level) & (after[sibling, target] <= joined),
        target_lineages=((before[target] <= joined) & enters_level).sum(dtype=jnp.int32),
    )


def weigh_move(
    move: Move,
    cut_level: Int[Array, ""],
    counts: tuple[Int[Array, " levels"], Int[Array, " levels"]],
    model: ThreadingModel,
) -> Record:
    """Give a move its probability.

    Args:
        move: where the lineage was and where it went.
        cut_level: `r`.
        counts: lineages of the tree on the left that enter and leave every level.
        model: the law.
    """
    levels = jnp.arange(model.num_levels, dtype=jnp.int32)
    entering, leaving = counts
    log_surviving = log_survival(level_tables(model.kingman.stay, entering, leaving))
    survival = jnp.exp(jnp.minimum(log_surviving - log_surviving[cut_level], 0.0))
    on_own_branch = move.silent & (levels >= cut_level) & (levels < move.old_level)
    target_lineages = move.target_lineages.astype(model.times.dtype)
    join_weights = jnp.where(levels == move.new_level, target_lineages + 1, 0.0)
    join_weights = join_weights + jnp.where(on_own_branch, 2.0, 0.0)
    join = level_tables(model.kingman.join, entering, leaving)
    return Record(
        lineage=move.lineage,
        cut_level=cut_level,
        old_level=move.old_level,
        new_level=move.new_level,
        sibling=move.sibling,
        target=move.target,
        silent=move.silent,
        survival=survival,
        join_weights=join_weights,
        terms=jnp.where(levels >= cut_level, survival * join_weights * join, 0.0),
        target_lineages=target_lineages,
    )
