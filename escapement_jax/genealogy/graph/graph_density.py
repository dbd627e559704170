"""The joint density of data and graph, and the exact Gibbs move of cut levels."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from escapement_jax.array_types import HaplotypeMask, LevelMatrix, Levels, PRNGKey
from escapement_jax.genealogy.genome.genome_bins import GenomeChunk
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.coalescent import KingmanTables
from escapement_jax.genealogy.model.local_trees import (
    lineage_counts,
    lineages_merged,
    merge_levels,
    representatives,
    tree_length,
)
from escapement_jax.genealogy.model.pruning import site_log_likelihood
from escapement_jax.genealogy.model.records import Record, level_tables, read_record
from escapement_jax.genealogy.model.threading_model import ThreadingModel, recombination_rate
from escapement_jax.genealogy.model.variable_sites import (
    hidden_variation,
    variable_site_log_likelihood,
)
from escapement_jax.numerics.blocked_map import blocked_map
from escapement_jax.numerics.cumulative import sum_above
from escapement_jax.numerics.sampling import sample_index

RECORDS_PER_BLOCK = 32


class LogDensity(eqx.Module):
    """Terms of `log p(D, G)` for one chunk, or for a batch of draws of it.

    Attributes:
        boundaries: recombination or not at every boundary, cuts included.
        records: re-coalescence of the cut lineages.
        mutations: the data given the trees.
    """

    boundaries: Float[Array, "*draws"]
    records: Float[Array, "*draws"]
    mutations: Float[Array, "*draws"]

    @property
    def total(self) -> Float[Array, "*draws"]:
        """Sum of the terms."""
        return self.boundaries + self.records + self.mutations


def log_tree_probability(
    tree: LevelMatrix, present: HaplotypeMask, kingman: KingmanTables
) -> Float[Array, ""]:
    """Log probability of a discretised tree under Kingman's coalescent.

    `prod_k g_k[a, b] b! (a - b)! (b - 1)! / (a! (a - 1)!) prod_X lambda_X!`, with `a` lineages that
    enter a level, `b` that leave it, and `lambda_X` merged into block `X`.
    """
    num_levels = kingman.log_transition.shape[0]
    merged = merge_levels(tree)
    is_lineage = representatives(merged, present, num_levels)
    entering, leaving = lineage_counts(is_lineage, present)
    log_factorial = kingman.log_factorial
    shape = log_factorial[leaving] + log_factorial[entering - leaving]
    shape = shape + log_factorial[leaving - 1] - log_factorial[entering]
    shape = shape - log_factorial[entering - 1]
    blocks = log_factorial[lineages_merged(tree, merged, num_levels).astype(jnp.int32)]
    within = jnp.where(is_lineage, blocks, 0.0).sum(0)
    return (level_tables(kingman.log_transition, entering, leaving) + shape + within).sum()


def log_density(graph: RecombinationGraph, chunk: GenomeChunk, model: ThreadingModel) -> LogDensity:
    """Log density of the data and of all that happens in a chunk, given the tree on entering it.

    The probability of the first tree of the genome is `log_tree_probability`.
    """
    merged = jax.vmap(merge_levels)(graph.trees)
    length = jax.vmap(tree_length, in_axes=(0, None, None))(merged, graph.present, model.times)
    segment, has_record = graph.segment, graph.has_record
    before = length[segment - has_record.astype(jnp.int32)]
    rate = recombination_rate(chunk.recombination, before)
    cut = jnp.log(jnp.where(has_record, rate * model.pieces[graph.cut_level], 1.0))
    boundaries = cut + jnp.where(has_record, 0.0, jnp.log1p(-rate * before))

    opening = jnp.nonzero(has_record, size=graph.capacity, fill_value=0)[0]
    record = jax.vmap(read_record, in_axes=(0, 0, 0, 0, None, None))(
        graph.trees[:-1],
        graph.trees[1:],
        jnp.maximum(graph.moved[opening], 0),
        graph.cut_level[opening],
        graph.present,
        model,
    )
    log_probability = jnp.log(jnp.maximum(record.terms.sum(-1), 1e-30))
    in_use = jnp.arange(graph.capacity) < has_record.sum()

    def site(tree, alleles, rate):
        data = (tree, graph.present, alleles, rate * model.times, model.mutation)
        if model.unseen_length is None:
            return site_log_likelihood(*data)
        kappa = hidden_variation(rate, model.unseen_length, graph.present.sum())
        return jnp.where(rate > 0, variable_site_log_likelihood(*data, kappa), 0.0)

    trees = graph.trees[segment[chunk.site_bin]]
    sites = jax.vmap(site)(trees, chunk.genotypes, chunk.site_mutation)
    return LogDensity(
        boundaries=boundaries.sum(),
        records=jnp.where(in_use, log_probability, 0.0).sum(),
        mutations=sites.sum() - (chunk.invariant_mutation * length[segment]).sum(),
    )


def refresh_cut_levels(
    key: PRNGKey,
    graph: RecombinationGraph,
    model: ThreadingModel,
    num_records: Int[Array, ""] | None = None,
) -> RecombinationGraph:
    """Draw the cut level of every record from its exact conditional given the trees.

    The cut `r` lies above the top of the lineage and not above either coalescence; its weight is
    `w_r q(T' | T, s, r)`. A Gibbs step: it leaves the joint law of graph and data as it is.

    Args:
        key: random key.
        graph: the graph.
        model: the law.
        num_records: bound on the number of records, alike in a batch; None for the capacity.
    """
    opening = jnp.nonzero(graph.has_record, size=graph.capacity, fill_value=graph.moved.shape[0])[0]
    opening = opening.astype(jnp.int32)
    bins = jnp.minimum(opening, graph.moved.shape[0] - 1)
    uniforms = jax.random.uniform(key, opening.shape, model.times.dtype)

    def draw(row: Int[Array, ""]) -> Int[Array, ""]:
        before, after = graph.trees[row], graph.trees[row + 1]
        moved, cut_level = jnp.maximum(graph.moved[bins[row]], 0), graph.cut_level[bins[row]]
        members = graph.present & (before[moved] < cut_level.astype(jnp.int8))
        lowest = jnp.where(members, before[moved], -1).max().astype(jnp.int32) + 1
        record = read_record(before, after, moved, lowest, graph.present, model)
        weights = _cut_weights(record, model)
        return jnp.where(weights.sum() > 0, sample_index(uniforms[row], weights), cut_level)

    drawn = blocked_map(draw, graph.capacity, num_records, block_size=RECORDS_PER_BLOCK)
    cut_level = graph.cut_level.at[opening].set(drawn[: graph.capacity], mode="drop")
    return eqx.tree_at(lambda g: g.cut_level, graph, cut_level)


def _cut_weights(record: Record, model: ThreadingModel) -> Levels:
    """Weights `w_r q(T' | T, s, r)` of the cut levels from the lowest one on."""
    levels = jnp.arange(model.num_levels, dtype=jnp.int32)
    from_here = (record.terms + sum_above(record.terms)) / jnp.maximum(record.survival, 1e-30)
    highest = jnp.minimum(record.old_level, record.new_level)
    allowed = (levels >= record.cut_level) & (levels <= highest)
    return jnp.where(allowed, model.pieces * from_here, 0.0)
