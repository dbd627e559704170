"""Threading: one haplotype onto the graph of the others, by an exact hidden Markov model.

The hidden state in a bin is where the thread joins the trunk's tree, `(branch, level)`. A message
is an array over (haplotype, level) in which all haplotypes below a branch carry the branch's
weight: moving along a record of the trunk then needs no look-up tables. Forward filtering gives
the evidence `Z = p(D_i, G_i | G_{i-1})` summed over paths, backward sampling a path from its exact
posterior.

The genome is processed in chunks of a fixed number of bins, so that one compilation serves every
genome: `filter_chunk` hands its last message to the next chunk, `sample_chunk` runs back through
them.
"""

from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Int8

from escapement_jax.array_types import Levels, LineageMessage, PRNGKey
from escapement_jax.genealogy.genome_bins import GenomeChunk
from escapement_jax.genealogy.local_trees import merge_levels, representatives, root_level
from escapement_jax.genealogy.pruning import attachment_likelihood
from escapement_jax.genealogy.recombination_graph import RecombinationGraph, ThreadPath
from escapement_jax.genealogy.segment_tables import (
    OwnMoves,
    TrunkMoves,
    first_attachment,
    own_moves,
    trunk_moves,
)
from escapement_jax.genealogy.threading_model import ThreadingModel, recombination_rate
from escapement_jax.genealogy.variable_sites import hidden_variation, variable_site_attachment
from escapement_jax.numerics.blocked_map import blocked_map
from escapement_jax.numerics.cumulative import sum_above, sum_below
from escapement_jax.numerics.sampling import sample_index

SEGMENTS_PER_BLOCK = 32
SITES_PER_BLOCK = 16

_Tables = TypeVar("_Tables", OwnMoves, TrunkMoves)


class FilteredChunk(eqx.Module):
    """What backward sampling needs of a filtered chunk.

    Attributes:
        messages: message on the left of every boundary, unnormalised.
        masses: the same summed over the branches of each level.
        own: own moves of every segment.
        trunk: effect of the record that opens every segment (entry 0 is not used).
    """

    messages: Float[Array, "bins haplotypes levels"]
    masses: Float[Array, "bins levels"]
    own: OwnMoves
    trunk: TrunkMoves


class _Boundary(eqx.Module):
    """What a step reads at the boundary that opens a bin."""

    has_record: Bool[Array, "*bins"]
    segment: Int[Array, "*bins"]
    recombination: Float[Array, "*bins"]


def _tabulate(
    graph: RecombinationGraph, model: ThreadingModel, num_records: Int[Array, ""] | None
) -> tuple[OwnMoves, TrunkMoves]:
    """Tables of every segment in use; those of its opening record are void for the first."""
    opening = jnp.nonzero(graph.has_record, size=graph.capacity, fill_value=0)[0]
    opening = jnp.concatenate([jnp.zeros_like(opening[:1]), opening])
    moved, cut_level = jnp.maximum(graph.moved[opening], 0), graph.cut_level[opening]

    def segment(row):
        before, after = graph.trees[jnp.maximum(row - 1, 0)], graph.trees[row]
        record = (before, after, moved[row], cut_level[row])
        own = own_moves(after, graph.present, model)
        return own, trunk_moves(*record, graph.present, model)

    used = None if num_records is None else num_records + 1
    return blocked_map(segment, graph.capacity + 1, used, block_size=SEGMENTS_PER_BLOCK)


def _emissions(
    graph: RecombinationGraph,
    chunk: GenomeChunk,
    haplotype: Int[Array, ""],
    model: ThreadingModel,
) -> Float[Array, "sites haplotypes levels"]:
    """Likelihood ratio of every site for every position of the thread."""

    def site(row):
        tree = graph.trees[graph.segment[chunk.site_bin[row]]]
        alleles, rate = chunk.genotypes[row], chunk.site_mutation[row]
        data = (tree, graph.present, alleles, alleles[haplotype], rate * model.times)
        if model.unseen_length is None:
            return attachment_likelihood(*data, model.mutation)
        count = graph.present.sum()
        kappa = hidden_variation(rate, model.unseen_length, jnp.stack([count, count + 1]))
        ratio = variable_site_attachment(*data, model.mutation, (kappa[0], kappa[1]))
        # Padding, at which nothing was called and nothing mutates, must not count as impossible.
        return jnp.where(rate > 0, ratio, graph.present[:, None].astype(ratio.dtype))

    size = chunk.genotypes.shape[0]
    return blocked_map(site, size, chunk.num_sites, block_size=SITES_PER_BLOCK)


def _own_weights(own: OwnMoves, recombination: Float[Array, ""]) -> tuple[Levels, Levels, Levels]:
    """Ratios of the boundary law with and without the thread: no cut, a cut, the trunk's cut."""
    with_thread = own.length + own.extra_length
    rate = recombination_rate(recombination, with_thread)
    trunk_rate = recombination_rate(recombination, own.length)
    no_cut = 1 - trunk_rate * own.length
    taken = jnp.where(recombination > 0, rate / jnp.where(trunk_rate > 0, trunk_rate, 1.0), 1.0)
    return (1 - rate * with_thread) / no_cut, rate / no_cut, taken


def _step_alone(
    message: LineageMessage, mass: Levels, own: OwnMoves, recombination: Float[Array, ""]
) -> LineageMessage:
    """Across a boundary without a trunk record."""
    no_cut, cut, _ = _own_weights(own, recombination)
    leaving = mass * cut
    arriving = own.below * sum_above(leaving) + own.at * leaving
    arriving = arriving + own.above * sum_below(leaving * own.leave)
    multiplicity = jnp.abs(own.multiplicity).astype(message.dtype)
    return message * (no_cut + cut * own.silent)[None, :] + multiplicity * arriving[None, :]


def _step_record(
    message: LineageMessage, own: OwnMoves, trunk: TrunkMoves, recombination: Float[Array, ""]
) -> LineageMessage:
    """Across a record of the trunk."""
    _, _, taken = _own_weights(own, recombination)
    levels = jnp.arange(message.shape[1], dtype=jnp.int32)
    on_branch = jnp.where(trunk.on_branch, message[trunk.mover] * taken, 0.0)
    at_target = message[trunk.target] * taken
    exactly_there = at_target[trunk.new_level]
    returning = jnp.where(trunk.silent, sum_above(on_branch), 0.0)
    moved_row = trunk.switch * (exactly_there + returning) + trunk.rejoin_same * on_branch
    moved_row = moved_row + trunk.rejoin_to * sum_below(trunk.rejoin_from * on_branch)
    moved_row = jnp.where(levels < trunk.new_level, moved_row, at_target * trunk.keep + moved_row)
    taken_along = trunk.lineage[:, None] & (levels >= trunk.cut_level)[None, :]
    moved = jnp.where(taken_along, moved_row[None, :], message * (taken * trunk.keep)[None, :])
    fallen = (trunk.fall * on_branch).sum()
    falls = trunk.beside_sibling[:, None] & (levels == trunk.old_level)[None, :]
    joins = trunk.beside_target[:, None] & (levels == trunk.new_level)[None, :]
    return (
        moved
        + jnp.where(falls, fallen, 0.0)
        + jnp.where(joins, trunk.join_again * exactly_there, 0.0)
    )


def _level_mass(message: LineageMessage, multiplicity: Int8[Array, "haplotypes levels"]) -> Levels:
    return jnp.where(multiplicity > 0, message, 0.0).sum(0)


def _at(tables: _Tables, index: Int[Array, "*bins"]) -> _Tables:
    return jax.tree.map(lambda table: table[index], tables)


def entering_message(graph: RecombinationGraph, model: ThreadingModel) -> LineageMessage:
    """Message before the first bin of the genome: Kingman's law of where the haplotype joins."""
    return first_attachment(graph.trees[0], graph.present, model)


def filter_chunk(
    graph: RecombinationGraph,
    chunk: GenomeChunk,
    haplotype: Int[Array, ""],
    entering: LineageMessage,
    model: ThreadingModel,
    num_records: Int[Array, ""] | None = None,
) -> tuple[FilteredChunk, LineageMessage, Float[Array, ""]]:
    """Forward filtering through one chunk.

    Args:
        graph: the graph of the other haplotypes.
        chunk: genome and genotypes of the chunk.
        haplotype: the haplotype to thread.
        entering: normalised message in the last bin of the chunk before.
        model: the law.
        num_records: bound on the number of records in the chunk, alike in a batch; None for the
            capacity. A tight one saves work.

    Returns:
        What sampling needs, the normalised message in the last bin, and the log evidence of the
        chunk given what lies to its left.
    """
    own, trunk = _tabulate(graph, model, num_records)
    # Without the barrier XLA computes the emissions anew inside the loop over bins.
    emissions = lax.optimization_barrier(_emissions(graph, chunk, haplotype, model))
    boundary = _Boundary(graph.has_record, graph.segment, chunk.recombination)

    def step(message, inputs):
        at, site, mutation = inputs
        before = _at(own, at.segment - at.has_record.astype(jnp.int32))
        mass = _level_mass(message, before.multiplicity)
        scale = 1 / mass.sum()
        alone = _step_alone(message, mass, before, at.recombination)
        record = _step_record(message, before, _at(trunk, at.segment), at.recombination)
        here = _at(own, at.segment)
        unmutated = scale * jnp.exp(-mutation * here.extra_length)
        arrived = jnp.where(at.has_record, record, alone) * unmutated[None, :] * emissions[site]
        return arrived, (message, mass)

    inputs = (boundary, chunk.site_slot, chunk.invariant_mutation)
    last, (messages, masses) = lax.scan(step, entering, inputs)
    total = _level_mass(last, own.multiplicity[graph.segment[-1]]).sum()
    log_evidence = jnp.log(masses.sum(1)).sum() + jnp.log(total)
    return FilteredChunk(messages, masses, own, trunk), last / total, log_evidence


def _predecessors_alone(
    own: OwnMoves, mass: Levels, here: Float[Array, ""], state: tuple, recombination
) -> Float[Array, " choices"]:
    """Weights of: a move from every level, no recombination, a silent one of its own."""
    branch, level = state
    no_cut, cut, _ = _own_weights(own, recombination)
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
    _, _, taken = _own_weights(own, recombination)
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
    graph: RecombinationGraph,
    levels_from: Int[Array, " bins"],
    levels_to: Int[Array, " bins"],
    moved: Bool[Array, " bins"],
) -> Int[Array, " bins"]:
    """Cut level of a recombination of the thread's own at every boundary.

    A move ends at the lower of its two levels; a silent one at a level drawn with weights `2 B_m`
    below its own level and `D_k` at it. The cut below has weight `w_r m_r / S1_r`.
    """

    def cut(uniform, own, start, end, is_move):
        levels = jnp.arange(own.below.shape[0], dtype=jnp.int32)
        silent = jnp.where(levels < end, 2 * own.below, jnp.where(levels == end, own.at, 0.0))
        ends_at = jnp.where(is_move, jnp.minimum(start, end), sample_index(uniform[0], silent))
        return sample_index(uniform[1], jnp.where(levels <= ends_at, own.cut_weights, 0.0))

    uniforms = jax.random.uniform(key, (levels_to.shape[0], 2), filtered.masses.dtype)
    tables = _at(filtered.own, graph.segment)
    return jax.vmap(cut)(uniforms, tables, levels_from, levels_to, moved)


def _sample_own_lineage(
    key: PRNGKey,
    graph: RecombinationGraph,
    cut: Int[Array, " bins"],
    haplotype: Int[Array, ""],
) -> Int[Array, " bins"]:
    """A haplotype below the lineage cut by the thread's own recombination at every boundary.

    Above the root of the trunk the thread and the whole trunk are alike: either may be cut.
    """
    root = jax.vmap(lambda tree: root_level(merge_levels(tree), graph.present))(graph.trees)
    over_root = cut > root[graph.segment].astype(jnp.int32)
    trunk = over_root & jax.random.bernoulli(key, 0.5, cut.shape)
    return jnp.where(trunk, jnp.argmax(graph.present).astype(jnp.int32), haplotype)


def sample_last_position(
    key: PRNGKey, message: LineageMessage, graph: RecombinationGraph
) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """Draw the thread's position in the last bin of the genome from the filtered message."""
    tree = graph.trees[graph.segment[-1]]
    num_levels = message.shape[1]
    is_lineage = representatives(merge_levels(tree), graph.present, num_levels)
    weights = jnp.where(is_lineage, message, 0.0).reshape(-1)
    index = sample_index(jax.random.uniform(key, dtype=message.dtype), weights)
    return index // num_levels, index % num_levels


def sample_chunk(
    key: PRNGKey,
    filtered: FilteredChunk,
    graph: RecombinationGraph,
    chunk: GenomeChunk,
    haplotype: Int[Array, ""],
    last: tuple[Int[Array, ""], Int[Array, ""]],
) -> ThreadPath:
    """Backward sampling through one chunk.

    Args:
        key: random key.
        filtered: result of `filter_chunk`.
        graph: the graph of the other haplotypes.
        chunk: genome of the chunk.
        haplotype: the haplotype that is threaded.
        last: its position in the last bin of the chunk.

    Returns:
        The path through the chunk, the position on entering it included.
    """
    key_states, key_cuts, key_lineage = jax.random.split(key, 3)
    num_bins, _, num_levels = filtered.messages.shape
    uniforms = jax.random.uniform(key_states, (num_bins, 2), filtered.masses.dtype)
    boundary = _Boundary(graph.has_record, graph.segment, chunk.recombination)

    def step(state, inputs):
        at, message, mass, uniform = inputs
        own = _at(filtered.own, at.segment - at.has_record.astype(jnp.int32))
        trunk = _at(filtered.trunk, at.segment)
        alone = _predecessors_alone(own, mass, message[state], state, at.recombination)
        record, regular = _predecessors_record(own, trunk, message, state, at.recombination)
        choice = sample_index(uniform[0], jnp.where(at.has_record, record, alone))
        from_level = choice < num_levels
        moved = from_level & ~at.has_record
        level = jnp.where(from_level, choice, jnp.where(at.has_record, regular[1], state[1]))
        column = jnp.where(own.multiplicity[:, level] > 0, message[:, level], 0.0)
        branch = jnp.where(at.has_record, regular[0], state[0])
        branch = jnp.where(from_level & at.has_record, trunk.mover, branch)
        branch = jnp.where(moved, sample_index(uniform[1], column), branch)
        recombined = moved | ((choice == num_levels + 1) & ~at.has_record)
        return (branch, level), (state, (branch, level), moved, recombined)

    entering, outputs = lax.scan(
        step, last, (boundary, filtered.messages, filtered.masses, uniforms), reverse=True
    )
    (branch, level), (_, origin), moved, recombined = outputs
    cut = _sample_own_cut(key_cuts, filtered, graph, origin, level, moved)
    lineage = _sample_own_lineage(key_lineage, graph, cut, haplotype)
    return ThreadPath(
        branch=branch,
        level=level,
        entering_branch=entering[0],
        entering_level=entering[1],
        moved=jnp.where(recombined, lineage, -1).astype(jnp.int32),
        cut_level=jnp.where(recombined, cut, 0),
    )
