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

from escapement_jax.array_types import HaplotypeMask, Levels
from escapement_jax.genealogy.model.coalescent import log_survival
from escapement_jax.genealogy.model.local_trees import (
    ABSENT,
    lineages_merged,
    representatives,
    root_level,
    tree_length,
)
from escapement_jax.genealogy.model.pruned_tree import ForestCounts, PrunedTree, forest_counts
from escapement_jax.genealogy.model.records import (
    Record,
    describe_move,
    level_tables,
    weigh_move,
)
from escapement_jax.genealogy.model.threading_model import ThreadingModel
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
    clade_root: Int[Array, ""]
    trunk_root: Int[Array, ""]
    has_trunk: Bool[Array, ""]


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


def _surviving_cuts(cuts: Levels, stay: Levels) -> Levels:
    """Cuts below each level still apart on entering it, `c_k = c_{k-1} stay_{k-1} + w_k`."""

    def climb(below, level):
        stay_below, cut = level
        total = below * stay_below + cut
        return total, total

    stay_below = jnp.concatenate([jnp.zeros_like(stay[:1]), stay[:-1]])
    return lax.scan(climb, jnp.zeros_like(cuts[0]), (stay_below, cuts))[1]


def own_moves(pruned: PrunedTree, haplotype: Int[Array, ""], model: ThreadingModel) -> OwnMoves:
    """Tabulate the thread's own recombinations on a trunk tree.

    `multiplicity` is `lambda + 1` for the block of each haplotype, negative where the haplotype
    does not represent its block, zero for haplotypes not in the trunk and below the floor.
    `multiplicity * above` is Kingman's law of where the thread joins, up to a constant.

    Args:
        pruned: the trunk and the clade below the thread.
        haplotype: on which the thread stands for want of a trunk.
        model: the law.
    """
    times, num_levels = model.times, model.num_levels
    counts = forest_counts(pruned, num_levels)
    stay, join = model.kingman.stay, model.kingman.join
    log_apart = log_survival(level_tables(stay, counts.entering, counts.leaving))
    stay_with = level_tables(stay, counts.entering_with, counts.leaving_with)

    clade_root = root_level(counts.merged, pruned.clade).astype(jnp.int32)
    trunk_root = root_level(counts.merged, pruned.trunk).astype(jnp.int32)
    levels = jnp.arange(num_levels, dtype=jnp.int32)
    over_root = levels > trunk_root
    cut_lineages = over_root.astype(times.dtype) + (levels > clade_root).astype(times.dtype)
    cuts = jnp.where(pruned.has_trunk, model.pieces * cut_lineages, 0.0)
    surviving_cuts = _surviving_cuts(cuts, stay_with)

    below = surviving_cuts * level_tables(join, counts.entering_with, counts.leaving_with)
    at = surviving_cuts * level_tables(join, counts.entering_with, counts.leaving)
    leave = surviving_cuts * level_tables(stay, counts.entering_with, counts.leaving)
    log_apart_above = jnp.concatenate([log_apart[1:], log_apart[-1:]])
    clade_time, trunk_time = _time_of(clade_root, times), _time_of(trunk_root, times)
    root_extension = jnp.where(over_root & pruned.has_trunk, times - trunk_time, 0.0)
    return OwnMoves(
        length=tree_length(counts.merged, pruned.trunk, times)
        + tree_length(counts.merged, pruned.clade, times),
        extra_length=times - clade_time + root_extension,
        multiplicity=_multiplicity(pruned, counts, haplotype, num_levels),
        below=below,
        at=at,
        leave=leave * jnp.exp(-log_apart_above),
        above=jnp.exp(log_apart) * level_tables(join, counts.entering, counts.leaving),
        silent=sum_below(2 * below) + at,
        cut_weights=cuts * jnp.exp(-log_survival(stay_with)),
        clade_root=clade_root,
        trunk_root=trunk_root,
        has_trunk=pruned.has_trunk,
    )


def _time_of(level: Int[Array, ""], times: Levels) -> Float[Array, ""]:
    """Time of a root, 0 for a single haplotype."""
    return jnp.where(level >= 0, times[jnp.maximum(level, 0)], 0.0)


def _multiplicity(
    pruned: PrunedTree, counts: ForestCounts, haplotype: Int[Array, ""], num_levels: int
) -> Int8[Array, "haplotypes levels"]:
    levels = jnp.arange(num_levels, dtype=jnp.int32)
    lineages = lineages_merged(pruned.forest, counts.merged, num_levels) + 1
    is_lineage = representatives(counts.merged, pruned.trunk, num_levels)
    signed = jnp.where(is_lineage, lineages, -lineages)
    signed = jnp.where(pruned.trunk[:, None] & (levels >= pruned.floor)[None, :], signed, 0)
    alone = jnp.zeros_like(signed).at[haplotype, pruned.floor].set(1)
    return jnp.where(pruned.has_trunk, signed, alone)


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


def _copy_beside_thread(record: Record, counts: ForestCounts, model: ThreadingModel) -> _Copy:
    levels = jnp.arange(model.num_levels, dtype=jnp.int32)
    stay, join = model.kingman.stay, model.kingman.join
    log_with = log_survival(level_tables(stay, counts.entering_with, counts.leaving_with))
    surviving = jnp.exp(jnp.minimum(log_with - log_with[record.cut_level], 0.0))
    surviving = jnp.where(levels >= record.cut_level, surviving, 0.0)
    next_survival = jnp.concatenate([record.survival[1:], record.survival[-1:]])
    leaves_apart = level_tables(stay, counts.entering_with, counts.leaving)
    return _Copy(
        surviving=surviving,
        passing=surviving * leaves_apart / next_survival,
        join_below=level_tables(join, counts.entering_with, counts.leaving_with),
        join_at=level_tables(join, counts.entering_with, counts.leaving),
        join_above=level_tables(join, counts.entering, counts.leaving),
    )


def _read_trunk_record(
    before: PrunedTree,
    after: PrunedTree,
    moved: Int[Array, ""],
    cut_level: Int[Array, ""],
    counts: ForestCounts,
    model: ThreadingModel,
) -> Record:
    """A record as the trunk sees it: a lineage that leaves or joins the clade does so below all."""
    lineage = before.present & (before.forest[moved] < cut_level.astype(jnp.int8))

    def distance(tree):
        outside = jnp.where(tree.trunk & ~lineage, tree.forest[moved], ABSENT)
        return jnp.where(tree.clade[moved], jnp.int8(-1), outside)

    move = describe_move(
        lineage,
        distance(before),
        distance(after),
        before.forest,
        after.forest,
        before.trunk,
        model.num_levels,
    )
    return weigh_move(move, cut_level, (counts.entering, counts.leaving), model)


def trunk_moves(
    before: PrunedTree,
    after: PrunedTree,
    moved: Int[Array, ""],
    cut_level: Int[Array, ""],
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

    A lineage that re-joins below the floor is gone from the trunk, whatever the thread does: all
    factors are 1. One that was joined to another below the floor has no branch to fall from.
    """
    counts = forest_counts(before, model.num_levels)
    record = _read_trunk_record(before, after, moved, cut_level, counts, model)
    copy = _copy_beside_thread(record, counts, model)
    q, old, new = record.probability, record.old_level, record.new_level
    levels = jnp.arange(model.num_levels, dtype=jnp.int32)
    settles = new < before.floor
    silent = record.silent & ~settles
    from_cut = levels >= jnp.maximum(cut_level, before.floor)
    joined_below = sum_below(copy.surviving * record.join_weights * copy.join_below)
    joined_at = copy.surviving * record.join_weights * copy.join_at
    keep = (joined_below + joined_at + copy.passing * sum_above(record.terms)) / q
    keep = jnp.where(from_cut & ~settles, keep, 1.0)
    on_branch = from_cut & (levels < old)
    rejoin_same = (joined_below + 3 * copy.surviving * copy.join_at) / q
    fall_silent = copy.passing * record.survival[new] * (record.target_lineages + 1) / q
    fall_silent = fall_silent * copy.join_above[new]
    switch = 2 * copy.surviving * copy.join_below / q
    is_target = (after.forest[record.target] <= new.astype(jnp.int8)) & ~settles
    return TrunkMoves(
        lineage=record.lineage & after.trunk,
        beside_sibling=after.trunk & (after.forest[record.sibling] <= old.astype(jnp.int8)),
        beside_target=after.trunk & is_target,
        mover=moved,
        target=record.target,
        cut_level=cut_level,
        old_level=old,
        new_level=new,
        on_branch=on_branch,
        keep=keep,
        switch=jnp.where(levels < new, switch, 0.0),
        fall=jnp.where(on_branch, jnp.where(silent, fall_silent, keep), 0.0),
        rejoin_same=jnp.where(silent & on_branch, rejoin_same, 0.0),
        rejoin_from=jnp.where(silent & on_branch, copy.passing, 0.0),
        rejoin_to=jnp.where(silent & on_branch, 2 * record.survival * copy.join_above / q, 0.0),
        join_again=copy.surviving[new] * copy.join_at[new] / q,
        silent=silent,
    )
