"""Backward sampling of a thread's path from the messages of forward filtering."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from escapement_jax.array_types import Levels, LineageMessage, PRNGKey
from escapement_jax.genealogy.genome.genome_bins import GenomeChunk
from escapement_jax.genealogy.graph.pruned_graph import PrunedGraph, ThreadPath
from escapement_jax.genealogy.model.local_trees import merge_levels, representatives
from escapement_jax.genealogy.threading.forward_filtering import (
    Boundary,
    FilteredChunk,
    boundaries,
    own_weights,
    tables_at,
)
from escapement_jax.genealogy.threading.segment_tables import OwnMoves, TrunkMoves
from escapement_jax.numerics.sampling import sample_index


def _predecessors_alone(
    own: OwnMoves, mass: Levels, here: Float[Array, ""], state: tuple, recombination
) -> Float[Array, " choices"]:
    """Weights of: a move from every level, no recombination, a silent one of its own."""
    branch, level = state
    no_cut, cut, _ = own_weights(own, recombination)
    levels = jnp.arange(mass.shape[0], dtype=jnp.int32)
    into = jnp.where(levels == level, own.at[level], own.leave * own.above[level])
    into = jnp.where(levels > level, own.below[level], into)
    multiplicity = jnp.abs(own.multiplicity[branch, level]).astype(mass.dtype)
    moves = multiplicity * mass * cut * into
    stays = jnp.stack([here * no_cut[level], here * cut[level] * own.silent[level]])
    return jnp.concatenate([moves, stays])


def _predecessors_record(
    own: OwnMoves, trunk: TrunkMoves, message: LineageMessage, state: tuple, recombination
) -> tuple[Float[Array, " choices"], tuple]:
    """Weights of: every level of the lineage's old branch, the regular predecessor, nothing.

    Also returns that regular predecessor.
    """
    branch, level = state
    _, _, taken = own_weights(own, recombination)
    levels = jnp.arange(message.shape[1], dtype=jnp.int32)
    inside = trunk.lineage[branch] & (level >= trunk.cut_level)
    switched = inside & (level < trunk.new_level)
    origin = jnp.where(inside, trunk.target, branch)
    origin_level = jnp.where(switched, trunk.new_level, level)
    again = trunk.beside_target[branch] & (level == trunk.new_level)
    stays = trunk.keep[level] + jnp.where(again, trunk.join_again, 0.0)
    regular = jnp.where(switched, trunk.switch[level], stays)
    regular = regular * message[origin, origin_level] * taken[origin_level]

    rejoined = jnp.where(levels == level, trunk.rejoin_same, 0.0)
    later = jnp.where(trunk.silent, trunk.switch[level], 0.0)
    rejoined = jnp.where(levels > level, later, rejoined)
    earlier = trunk.rejoin_from * trunk.rejoin_to[level]
    rejoined = jnp.where(levels < level, earlier, rejoined)
    fell = trunk.beside_sibling[branch] & (level == trunk.old_level)
    fallen = jnp.where(fell, trunk.fall, 0.0)
    from_branch = jnp.where(switched, rejoined, fallen)
    on_branch = jnp.where(trunk.on_branch, message[trunk.mover] * taken, 0.0)
    weights = jnp.concatenate([on_branch * from_branch, jnp.stack([regular, 0.0 * regular])])
    return weights, (origin, origin_level)


def _sample_own_cut(
    key: PRNGKey,
    filtered: FilteredChunk,
    pruned: PrunedGraph,
    levels_from: Int[Array, " bins"],
    levels_to: Int[Array, " bins"],
    moved: Bool[Array, " bins"],
) -> tuple[Int[Array, " bins"], Int[Array, " bins"]]:
    """Cut level and cut lineage of a recombination of the thread's own at every boundary.

    A move ends at the lower of its two levels; a silent one at a level drawn with weights `2 B_m`
    below its own level and `D_k` at it. The cut below has weight `w_r m_r / S1_r`. Above the root
    of the trunk the thread and the whole trunk are alike, either may be cut; below the root of the
    clade only the trunk is.
    """

    def cut(uniform, own, start, end, is_move):
        levels = jnp.arange(own.below.shape[0], dtype=jnp.int32)
        silent = jnp.where(levels < end, 2 * own.below, jnp.where(levels == end, own.at, 0.0))
        ends_at = jnp.where(is_move, jnp.minimum(start, end), sample_index(uniform[0], silent))
        level = sample_index(uniform[1], jnp.where(levels <= ends_at, own.cut_weights, 0.0))
        either = (level > own.trunk_root) & (level > own.clade_root)
        trunk = jnp.where(either, uniform[2] < 0.5, level > own.trunk_root)
        return level, trunk

    uniforms = jax.random.uniform(key, (levels_to.shape[0], 3), filtered.masses.dtype)
    tables = tables_at(filtered.own, pruned.segment)
    level, trunk = jax.vmap(cut)(uniforms, tables, levels_from, levels_to, moved)
    member = jnp.argmax(pruned.present[None, :] & ~pruned.clades, 1).astype(jnp.int32)
    return level, jnp.where(trunk, member[pruned.segment], pruned.haplotype)


def sample_last_position(
    key: PRNGKey, message: LineageMessage, pruned: PrunedGraph
) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """Draw the thread's position in the last bin of the genome from the filtered message."""
    tree = pruned.tree(pruned.segment[-1])
    num_levels = message.shape[1]
    is_lineage = representatives(merge_levels(tree.forest), tree.trunk, num_levels)
    weights = jnp.where(is_lineage | ~tree.has_trunk, message, 0.0).reshape(-1)
    index = sample_index(jax.random.uniform(key, dtype=message.dtype), weights)
    return index // num_levels, index % num_levels


class _Choice(eqx.Module):
    """Where the thread came from: a level, or one of two choices that keep the state."""

    weights: Float[Array, " choices"]
    held: tuple[Int[Array, ""], Int[Array, ""]]
    search_branch: Bool[Array, ""]
    branch: Int[Array, ""]


def _predecessors(
    at: Boundary,
    own: OwnMoves,
    trunk: TrunkMoves,
    message: LineageMessage,
    mass: Levels,
    state: tuple[Int[Array, ""], Int[Array, ""]],
) -> _Choice:
    """All ways to have come to a state across a boundary, of whatever kind it is.

    `search_branch` says that a level from which the thread came has branches to choose from;
    otherwise it came from `branch`.
    """
    alone = _predecessors_alone(own, mass, message[state], state, at.recombination)
    record, regular = _predecessors_record(own, trunk, message, state, at.recombination)
    _, _, taken = own_weights(own, at.recombination)
    free = jnp.concatenate([mass * taken, jnp.zeros_like(mass[:2])])
    held = jnp.zeros_like(free).at[-2].set(1.0)
    stop = at.interruption
    apart = jnp.where(stop.left_free, free, held)
    weights = jnp.where(stop.here, apart, jnp.where(at.has_record, record, alone))
    position = (stop.left_branch, stop.left_level)
    stays = jax.tree.map(lambda a, b: jnp.where(at.has_record, a, b), regular, state)
    stays = jax.tree.map(lambda a, b: jnp.where(stop.here, a, b), position, stays)
    return _Choice(weights, stays, stop.here | ~at.has_record, trunk.mover)


def sample_chunk(
    key: PRNGKey,
    filtered: FilteredChunk,
    pruned: PrunedGraph,
    chunk: GenomeChunk,
    last: tuple[Int[Array, ""], Int[Array, ""]],
) -> ThreadPath:
    """Backward sampling through one chunk.

    Args:
        key: random key.
        filtered: result of `filter_chunk`.
        pruned: the graph of the others and the lineage that is threaded.
        chunk: genome of the chunk.
        last: position of the thread in the last bin of the chunk.

    Returns:
        The path through the chunk, the position on entering it included.
    """
    key_states, key_cuts = jax.random.split(key)
    num_bins, _, num_levels = filtered.messages.shape
    uniforms = jax.random.uniform(key_states, (num_bins, 2), filtered.masses.dtype)

    def step(state, inputs):
        at, message, mass, uniform = inputs
        own = tables_at(filtered.own, at.segment - at.has_record.astype(jnp.int32))
        trunk = tables_at(filtered.trunk, at.segment)
        choice = _predecessors(at, own, trunk, message, mass, state)
        number = sample_index(uniform[0], choice.weights)
        from_level = number < num_levels
        level = jnp.where(from_level, number, choice.held[1])
        column = jnp.where(own.multiplicity[:, level] > 0, message[:, level], 0.0)
        found = jnp.where(choice.search_branch, sample_index(uniform[1], column), choice.branch)
        branch = jnp.where(from_level, found, choice.held[0])
        alone = ~at.has_record & ~at.interruption.here
        moved = alone & from_level
        recombined = moved | (alone & (number == num_levels + 1))
        return (branch, level), (state, (branch, level), moved, recombined)

    inputs = (boundaries(pruned, chunk), filtered.messages, filtered.masses, uniforms)
    entering, outputs = lax.scan(step, last, inputs, reverse=True)
    (branch, level), (_, origin), moved, recombined = outputs
    cut, lineage = _sample_own_cut(key_cuts, filtered, pruned, origin, level, moved)
    kept = pruned.interruptions
    return ThreadPath(
        branch=branch,
        level=level,
        entering_branch=entering[0],
        entering_level=entering[1],
        moved=jnp.where(recombined, lineage, kept.moved).astype(jnp.int32),
        cut_level=jnp.where(recombined, cut, kept.cut_level),
    )
