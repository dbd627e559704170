"""Threading: one lineage onto the graph of the others, by an exact hidden Markov model.

The hidden state in a bin is where the thread joins the trunk's tree, `(branch, level)`. A message
is an array over (haplotype, level) in which all haplotypes below a branch carry the branch's
weight: moving along a record of the trunk then needs no look-up tables. Forward filtering gives
the evidence `Z = p(D_i, G_i | G_{i-1})` summed over paths. The lineage is a new haplotype, or one
that was pruned from a graph (`pruned_graph`).

The genome is processed in chunks of a fixed number of bins, so that one compilation serves every
genome: `filter_chunk` hands its last message to the next chunk; `thread_sampling` runs back through
them.
"""

from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Int8

from escapement_jax.array_types import Levels, LineageMessage
from escapement_jax.genealogy.genome.genome_bins import GenomeChunk
from escapement_jax.genealogy.graph.pruned_graph import Interruptions, PrunedGraph
from escapement_jax.genealogy.model.pruning import attachment_likelihood
from escapement_jax.genealogy.model.threading_model import ThreadingModel, recombination_rate
from escapement_jax.genealogy.model.variable_sites import hidden_variation, variable_site_attachment
from escapement_jax.genealogy.threading.look_ahead import Potential
from escapement_jax.genealogy.threading.segment_tables import (
    OwnMoves,
    TrunkMoves,
    own_moves,
    trunk_moves,
)
from escapement_jax.numerics.blocked_map import blocked_map
from escapement_jax.numerics.cumulative import sum_above, sum_below

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


class Boundary(eqx.Module):
    """What a step reads at the boundary that opens a bin."""

    has_record: Bool[Array, "*bins"]
    segment: Int[Array, "*bins"]
    recombination: Float[Array, "*bins"]
    interruption: Interruptions


def boundaries(pruned: PrunedGraph, chunk: GenomeChunk) -> Boundary:
    """What the steps of a chunk read at the boundaries that open its bins."""
    return Boundary(pruned.has_record, pruned.segment, chunk.recombination, pruned.interruptions)


def _tabulate(
    pruned: PrunedGraph, model: ThreadingModel, num_records: Int[Array, ""] | None
) -> tuple[OwnMoves, TrunkMoves]:
    """Tables of every segment in use; those of its opening record are void for the first."""
    opening = jnp.nonzero(pruned.has_record, size=pruned.capacity, fill_value=0)[0]
    opening = jnp.concatenate([jnp.zeros_like(opening[:1]), opening])
    moved, cut_level = jnp.maximum(pruned.moved[opening], 0), pruned.cut_level[opening]

    def segment(row):
        before, after = pruned.tree(jnp.maximum(row - 1, 0)), pruned.tree(row)
        own = own_moves(after, pruned.haplotype, model)
        return own, trunk_moves(before, after, moved[row], cut_level[row], model)

    used = None if num_records is None else num_records + 1
    return blocked_map(segment, pruned.capacity + 1, used, block_size=SEGMENTS_PER_BLOCK)


def _emissions(
    pruned: PrunedGraph,
    chunk: GenomeChunk,
    model: ThreadingModel,
    num_sites: Int[Array, ""] | None,
) -> Float[Array, "sites haplotypes levels"]:
    """Likelihood ratio of every site for every position of the thread; 1 for row 0, no site."""
    present = pruned.present.sum()

    def site(row):
        tree = pruned.tree(pruned.segment[chunk.site_bin[row]])
        alleles, rate = chunk.genotypes[row], chunk.site_mutation[row]
        data = (tree, alleles, rate * model.times, model.mutation)
        if model.unseen_length is None:
            ratio = attachment_likelihood(*data)
        else:
            count = jnp.stack([present - 1, present])
            kappa = hidden_variation(rate, model.unseen_length, count)
            ratio = variable_site_attachment(*data, (kappa[0], kappa[1]))
        # Padding, at which nothing was called and nothing mutates, must not count as impossible.
        return jnp.where((rate > 0) & tree.has_trunk, ratio, 1.0)

    size = chunk.genotypes.shape[0]
    used = chunk.num_sites if num_sites is None else num_sites
    return blocked_map(site, size, used, block_size=SITES_PER_BLOCK)


def own_weights(own: OwnMoves, recombination: Float[Array, ""]) -> tuple[Levels, Levels, Levels]:
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
    no_cut, cut, _ = own_weights(own, recombination)
    leaving = mass * cut
    arriving = own.below * sum_above(leaving) + own.at * leaving
    arriving = arriving + own.above * sum_below(leaving * own.leave)
    multiplicity = jnp.abs(own.multiplicity).astype(message.dtype)
    return message * (no_cut + cut * own.silent)[None, :] + multiplicity * arriving[None, :]


def _step_record(
    message: LineageMessage, own: OwnMoves, trunk: TrunkMoves, recombination: Float[Array, ""]
) -> LineageMessage:
    """Across a record of the trunk."""
    _, _, taken = own_weights(own, recombination)
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


def tables_at(tables: _Tables, index: Int[Array, "*bins"]) -> _Tables:
    """The tables of some segments."""
    return jax.tree.map(lambda table: table[index], tables)


def _kingman_message(own: OwnMoves) -> LineageMessage:
    """Kingman's law of where the thread joins, up to a constant."""
    joins = jnp.abs(own.multiplicity).astype(own.above.dtype) * own.above[None, :]
    # Without a trunk there is one place, of which the law knows nothing.
    return jnp.where(own.has_trunk, joins, own.multiplicity.astype(joins.dtype))


def _resume(interruption: Interruptions, own: OwnMoves, arrived: LineageMessage) -> LineageMessage:
    """The message of the thread that begins at an interruption."""
    levels = jnp.arange(arrived.shape[1], dtype=jnp.int32)
    held = interruption.right_block[:, None] & (levels == interruption.right_level)[None, :]
    begins = jnp.where(interruption.right_free, _kingman_message(own), held.astype(arrived.dtype))
    return jnp.where(interruption.here, begins, arrived)


def entering_message(pruned: PrunedGraph, model: ThreadingModel) -> LineageMessage:
    """Message before the first bin of the genome: Kingman's law of where the lineage joins."""
    own = own_moves(pruned.tree(jnp.zeros((), jnp.int32)), pruned.haplotype, model)
    message = _kingman_message(own)
    return message / _level_mass(message, own.multiplicity).sum()


def filter_chunk(
    pruned: PrunedGraph,
    chunk: GenomeChunk,
    entering: LineageMessage,
    model: ThreadingModel,
    num_records: Int[Array, ""] | None = None,
    num_sites: Int[Array, ""] | None = None,
    potential: Potential | None = None,
) -> tuple[FilteredChunk, LineageMessage, Float[Array, ""]]:
    """Forward filtering through one chunk.

    Args:
        pruned: the graph of the others and the lineage to thread.
        chunk: genome and genotypes of the chunk.
        entering: normalised message in the last bin of the chunk before.
        model: the law.
        num_records: bound on the number of records in the chunk, alike in a batch; None for the
            capacity. A tight one saves work.
        num_sites: bound on the number of sites, alike in a batch; None for the chunk's own.
        potential: log potentials `u` by which paths are weighed besides; None for none.

    Returns:
        What sampling needs, the normalised message in the last bin, and the log evidence of the
        chunk given what lies to its left, `log sum_paths p e^u`.
    """
    own, trunk = _tabulate(pruned, model, num_records)
    # Without the barrier XLA computes the emissions anew inside the loop over bins.
    emissions = lax.optimization_barrier(_emissions(pruned, chunk, model, num_sites))
    tilts = None if potential is None else lax.optimization_barrier(jnp.exp(potential.rows))

    def step(message, inputs):
        at, site, mutation, tilt = inputs
        before = tables_at(own, at.segment - at.has_record.astype(jnp.int32))
        mass = _level_mass(message, before.multiplicity)
        scale = 1 / mass.sum()
        alone = _step_alone(message, mass, before, at.recombination)
        record = _step_record(message, before, tables_at(trunk, at.segment), at.recombination)
        here = tables_at(own, at.segment)
        arrived = _resume(at.interruption, here, jnp.where(at.has_record, record, alone))
        unmutated = scale * jnp.exp(-mutation * here.extra_length)
        arrived = arrived * unmutated[None, :] * emissions[site]
        arrived = arrived if tilts is None else arrived * tilts[tilt]
        return jnp.where(here.multiplicity != 0, arrived, 0.0), (message, mass)

    tilt_rows = None if potential is None else potential.row_of_bin
    inputs = (boundaries(pruned, chunk), chunk.site_slot, chunk.invariant_mutation, tilt_rows)
    last, (messages, masses) = lax.scan(step, entering, inputs)
    total = _level_mass(last, own.multiplicity[pruned.segment[-1]]).sum()
    log_evidence = jnp.log(masses.sum(1)).sum() + jnp.log(total)
    return FilteredChunk(messages, masses, own, trunk), last / total, log_evidence
