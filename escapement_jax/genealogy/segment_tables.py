"""What the threading recursion needs to know of each segment of the trunk.

The state of the thread is `(x, k)`: it joins the block of `x` at level `k`. Two kinds of boundary
carry it along. Without a record in the trunk, the thread may recombine itself (`OwnMoves`). At a
record of the trunk, the trunk's own move is re-weighted by the presence of the thread, and the
thread may be taken along, left behind, or joined (`TrunkMoves`). Superscripts in the formulas: 1
for Kingman tables with one lineage more below and above (levels below `k`), k for one more below
only (at `k`).
"""

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Int8

from escapement_jax.array_types import HaplotypeMask, LevelMatrix, Levels
from escapement_jax.genealogy.coalescent import log_survival
from escapement_jax.genealogy.local_trees import (
    lineage_counts,
    lineages_merged,
    merge_levels,
    representatives,
    root_level,
    tree_length,
)
from escapement_jax.genealogy.records import Record, level_tables, read_record
from escapement_jax.genealogy.threading_model import ThreadingModel
from escapement_jax.numerics.cumulative import sum_above, sum_below


class OwnMoves(eqx.Module):
    """A recombination of the thread itself, on a trunk tree that stays as it is.

    With `c_k = sum_{r<=k} w_r m_r S1(r -> k)` (the cuts below `k` that survive to it; `m_r = 2`
    above the trunk's root, where the whole trunk may be the cut lineage as well) a move from level
    `k` to `(y, k')` has weight `(lambda_y + 1)` times

        B_k' = c_k' join1_k'                          for k' < k,
        D_k' = c_k' joink_k'                          for k' = k,
        E_k F_k', E_k = c_k stayk_k / S_{k+1}, F_k' = S_k' join_k'   for k' > k,

    and a silent self-coalescence has weight `sum_{m<k} 2 B_m + D_k`.
    """

    length: Float[Array, ""]
    extra_length: Levels
    multiplicity: Int8[Array, "haplotypes levels"]
    below: Levels
    at: Levels
    leave: Levels
    above: Levels
    silent: Levels
    cut_weights: Levels


class TrunkMoves(eqx.Module):
    """The effect of a record of the trunk on the thread; see `trunk_moves` for the formulas."""

    lineage: HaplotypeMask
    beside_sibling: HaplotypeMask
    beside_target: HaplotypeMask
    mover: Int[Array, ""]
    target: Int[Array, ""]
    cut_level: Int[Array, ""]
    old_level: Int[Array, ""]
    new_level: Int[Array, ""]
    on_branch: Bool[Array, " levels"]
    keep: Levels
    switch: Levels
    fall: Levels
    rejoin_same: Levels
    rejoin_from: Levels
    rejoin_to: Levels
    join_again: Float[Array, ""]
    silent: Bool[Array, ""]


def first_attachment(
    tree: LevelMatrix, present: HaplotypeMask, model: ThreadingModel
) -> Float[Array, "haplotypes levels"]:
    """Kingman's law of where one more haplotype joins the tree.

    `P(x, k) = S_k (lambda_x + 1) join_k`, repeated for every haplotype below the branch; it sums to
    one over the representatives.
    """
    merged = merge_levels(tree)
    entering, leaving = lineage_counts(representatives(merged, present, model.num_levels), present)
    survival = jnp.exp(log_survival(level_tables(model.kingman.stay, entering, leaving)))
    join = level_tables(model.kingman.join, entering, leaving)
    lineages = lineages_merged(tree, merged, model.num_levels).astype(join.dtype)
    return jnp.where(present[:, None], (lineages + 1) * (survival * join)[None, :], 0.0)


def _surviving_cuts(cuts: Levels, stay: Levels) -> Levels:
    """Cuts below each level still apart on entering it, `c_k = c_{k-1} stay_{k-1} + w_k`."""

    def climb(below, level):
        stay_below, cut = level
        total = below * stay_below + cut
        return total, total

    stay_below = jnp.concatenate([jnp.zeros_like(stay[:1]), stay[:-1]])
    return lax.scan(climb, jnp.zeros_like(cuts[0]), (stay_below, cuts))[1]


def own_moves(tree: LevelMatrix, present: HaplotypeMask, model: ThreadingModel) -> OwnMoves:
    """Tabulate the thread's own recombinations on a trunk tree.

    `multiplicity` is `lambda + 1` for the block of each haplotype, negative where the haplotype
    does not represent its block, zero for haplotypes not in the tree.
    """
    times, pieces = model.times, model.pieces
    merged = merge_levels(tree)
    is_lineage = representatives(merged, present, model.num_levels)
    entering, leaving = lineage_counts(is_lineage, present)
    stay, join = model.kingman.stay, model.kingman.join
    log_apart = log_survival(level_tables(stay, entering, leaving))
    stay_with = level_tables(stay, entering + 1, leaving + 1)

    root = root_level(merged, present)
    over_root = jnp.arange(model.num_levels, dtype=jnp.int8) > root
    root_time = jnp.where(root >= 0, times[jnp.maximum(root, 0)], 0.0)
    cuts = pieces * jnp.where(over_root, 2.0, 1.0)
    log_with = log_survival(stay_with)
    surviving_cuts = _surviving_cuts(cuts, stay_with)

    below = surviving_cuts * level_tables(join, entering + 1, leaving + 1)
    at = surviving_cuts * level_tables(join, entering + 1, leaving)
    log_apart_above = jnp.concatenate([log_apart[1:], log_apart[-1:]])
    leave = surviving_cuts * level_tables(stay, entering + 1, leaving)
    lineages = lineages_merged(tree, merged, model.num_levels) + 1
    signed = jnp.where(is_lineage, lineages, -lineages)
    return OwnMoves(
        length=tree_length(merged, present, times),
        extra_length=times + jnp.where(over_root, times - root_time, 0.0),
        multiplicity=jnp.where(present[:, None], signed, 0),
        below=below,
        at=at,
        leave=leave * jnp.exp(-log_apart_above),
        above=jnp.exp(log_apart) * level_tables(join, entering, leaving),
        silent=sum_below(2 * below) + at,
        cut_weights=cuts * jnp.exp(-log_with),
    )


class _Copy(eqx.Module):
    """The copy of the trunk's cut lineage on its way up, beside a thread that joins at level `k`.

    Attributes:
        surviving: `S1(r -> k)`, both still apart on entering level `k`; 0 below the cut.
        passing: `S1(r -> k) stayk_k / S(r -> k+1)`, the copy leaves level `k` apart, relative to
            the trunk alone.
        join_below: `join1`, for a copy that joins below the thread.
        join_at: `joink`, for a copy that joins at the thread's level.
        join_above: `join`, for a copy that joins above it.
    """

    surviving: Levels
    passing: Levels
    join_below: Levels
    join_at: Levels
    join_above: Levels


def _copy_beside_thread(
    record: Record, before: LevelMatrix, present: HaplotypeMask, model: ThreadingModel
) -> _Copy:
    levels = jnp.arange(model.num_levels, dtype=jnp.int32)
    entering, leaving = lineage_counts(
        representatives(merge_levels(before), present, model.num_levels), present
    )
    stay, join = model.kingman.stay, model.kingman.join
    log_with = log_survival(level_tables(stay, entering + 1, leaving + 1))
    surviving = jnp.exp(jnp.minimum(log_with - log_with[record.cut_level], 0.0))
    surviving = jnp.where(levels >= record.cut_level, surviving, 0.0)
    next_survival = jnp.concatenate([record.survival[1:], record.survival[-1:]])
    return _Copy(
        surviving=surviving,
        passing=surviving * level_tables(stay, entering + 1, leaving) / next_survival,
        join_below=level_tables(join, entering + 1, leaving + 1),
        join_at=level_tables(join, entering + 1, leaving),
        join_above=level_tables(join, entering, leaving),
    )


def trunk_moves(
    before: LevelMatrix,
    after: LevelMatrix,
    moved: Int[Array, ""],
    cut_level: Int[Array, ""],
    present: HaplotypeMask,
    model: ThreadingModel,
) -> TrunkMoves:
    """Tabulate how a record of the trunk carries the thread along.

    With `q` the record's probability in the trunk alone, a thread at `(x, k)` before the boundary

    - stays where it is if `k < r`, or elsewhere with factor `keep_k = [sum_{m<k} S1 v join1
      + S1_k v_k joink_k + S1_k stayk_k sum_{m>k} S(k+1 -> m) v_m join_m] / q`, and with
      `join_again = S1_k' joink_k' / q` more if it sits exactly where the lineage re-joins;
    - sitting exactly there, may have the lineage join its own branch at `m`: `switch_m =
      2 S1_m join1_m / q`, state `(s, m)`;
    - on the branch of `s` above the cut, falls to the sibling's branch at `K_s` with `fall_k`, and
      if the record is silent it may be re-joined by the lineage: at its own level with
      `rejoin_same_k`, or from `k` to a later `m` with `rejoin_from_k rejoin_to_m`.
    """
    record = read_record(before, after, moved, cut_level, present, model)
    copy = _copy_beside_thread(record, before, present, model)
    q, old, new = record.probability, record.old_level, record.new_level
    levels = jnp.arange(model.num_levels, dtype=jnp.int32)
    from_cut = levels >= cut_level
    joined_below = sum_below(copy.surviving * record.join_weights * copy.join_below)
    joined_at = copy.surviving * record.join_weights * copy.join_at
    keep = (joined_below + joined_at + copy.passing * sum_above(record.terms)) / q
    keep = jnp.where(from_cut, keep, 1.0)
    on_branch = from_cut & (levels < old)
    silent_on_branch = on_branch & record.silent
    rejoin_same = (joined_below + 3 * copy.surviving * copy.join_at) / q
    fall_silent = copy.passing * record.survival[new] * (record.target_lineages + 1) / q
    fall_silent = fall_silent * copy.join_above[new]
    return TrunkMoves(
        lineage=record.lineage,
        beside_sibling=present & (after[record.sibling] <= old.astype(jnp.int8)),
        beside_target=present & (after[record.target] <= new.astype(jnp.int8)),
        mover=jnp.argmax(record.lineage).astype(jnp.int32),
        target=record.target,
        cut_level=cut_level,
        old_level=old,
        new_level=new,
        on_branch=on_branch,
        keep=keep,
        switch=jnp.where(levels < new, 2 * copy.surviving * copy.join_below / q, 0.0),
        fall=jnp.where(on_branch, jnp.where(record.silent, fall_silent, keep), 0.0),
        rejoin_same=jnp.where(silent_on_branch, rejoin_same, 0.0),
        rejoin_from=jnp.where(silent_on_branch, copy.passing, 0.0),
        rejoin_to=jnp.where(silent_on_branch, 2 * record.survival * copy.join_above / q, 0.0),
        join_again=copy.surviving[new] * copy.join_at[new] / q,
        silent=record.silent,
    )
