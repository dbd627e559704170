"""The density of graphs as a function of population size: what the mergers say about `N_e(t)`.

Given the graph, the size enters through Kingman's tables alone: in the probability of the first
tree, `sum_k log g_k[a, b]`, and in the re-coalescence of every record,

    q = sum_{m >= r} S(r -> m) v_m join_m.

Both are functions of `log g`, whose derivative in the coalescent time `c_k` of its level follows
from `g' = g Q` (Kolmogorov's forward equation) and the table itself:

    d log g[a, b] / dc = (b + 1) b / 2 g[a, b+1] / g[a, b] - b (b - 1) / 2,

so that tables made in float64 on the host can be differentiated, any number of times, on the
device.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from escapement_jax.array_types import HaplotypeMask, LevelMatrix, Levels
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.coalescent import kingman_tables
from escapement_jax.genealogy.model.local_trees import lineage_counts, merge_levels, representatives
from escapement_jax.genealogy.model.records import read_record
from escapement_jax.genealogy.model.threading_model import ThreadingModel
from escapement_jax.numerics.cumulative import sum_below

LogTransition = Float[Array, "levels counts counts"]


class Mergers(eqx.Module):
    """What a chunk of a graph says about the population size.

    Attributes:
        first_entering: lineages of the tree on entering the chunk that enter each level.
        first_leaving: lineages of that tree that leave each level.
        entering: the same for the tree on the left of each record.
        leaving: the same.
        cut_level: `r` of each record.
        join_weights: `v_m` of each record, 0 below `r`.
        in_use: which rows are records.
    """

    first_entering: Int[Array, "*draws levels"]
    first_leaving: Int[Array, "*draws levels"]
    entering: Int[Array, "*draws records levels"]
    leaving: Int[Array, "*draws records levels"]
    cut_level: Int[Array, "*draws records"]
    join_weights: Float[Array, "*draws records levels"]
    in_use: Bool[Array, "*draws records"]


def mergers(graph: RecombinationGraph, model: ThreadingModel) -> Mergers:
    """Read the mergers of a chunk off its graph.

    Args:
        graph: the graph.
        model: the law; its population size is not used.
    """
    opening = jnp.nonzero(graph.has_record, size=graph.capacity, fill_value=0)[0]
    cut_level = graph.cut_level[opening]
    record = jax.vmap(read_record, in_axes=(0, 0, 0, 0, None, None))(
        graph.trees[:-1],
        graph.trees[1:],
        jnp.maximum(graph.moved[opening], 0),
        cut_level,
        graph.present,
        model,
    )
    counts = jax.vmap(_counts, in_axes=(0, None, None))
    entering, leaving = counts(graph.trees, graph.present, model.num_levels)
    levels = jnp.arange(model.num_levels, dtype=jnp.int32)
    reached = levels[None, :] >= cut_level[:, None]
    return Mergers(
        first_entering=entering[0],
        first_leaving=leaving[0],
        entering=entering[:-1],
        leaving=leaving[:-1],
        cut_level=cut_level,
        join_weights=jnp.where(reached, record.join_weights, 0.0),
        in_use=jnp.arange(graph.capacity, dtype=jnp.int32) < graph.has_record.sum(dtype=jnp.int32),
    )


def _counts(
    tree: LevelMatrix, present: HaplotypeMask, num_levels: int
) -> tuple[Int[Array, " levels"], Int[Array, " levels"]]:
    return lineage_counts(representatives(merge_levels(tree), present, num_levels), present)


def log_transition_table(intensities: np.ndarray, max_haplotypes: int) -> LogTransition:
    """Table `log g[a, b]` for up to one lineage more than there are haplotypes.

    Args:
        intensities: coalescent time inside each level, the last one infinite.
        max_haplotypes: number of haplotypes of the complete graph.
    """
    return kingman_tables(intensities, max_haplotypes + 1).log_transition


@jax.custom_jvp
def log_transition(intensities: Levels, table: LogTransition) -> LogTransition:
    """The table itself, with its derivatives in the coalescent time of each level.

    Args:
        intensities: `c_k`, coalescent time inside each level.
        table: `log_transition_table` of the same intensities.
    """
    del intensities
    return table


@log_transition.defjvp
def _log_transition_jvp(primals, tangents):
    table = log_transition(*primals)
    counts = jnp.arange(table.shape[-1], dtype=table.dtype)
    rates = (counts * (counts - 1) / 2)[None, None, :]
    following = jnp.concatenate([table[..., 1:], table[..., :1]], -1)
    # Impossible entries, such as b > a, are never looked up, but must not overflow.
    arriving = jnp.roll(rates, -1, -1) * jnp.exp(jnp.minimum(following - table, 80.0))
    possible = (counts[:, None] >= counts[None, :]) & (counts[None, :] >= 1)
    slope = jnp.where(possible[None], arriving - rates, 0.0)
    return table, slope * tangents[0][:, None, None]


def log_first_tree_density(mergers: Mergers, table: LogTransition) -> Float[Array, ""]:
    """Log probability of the first tree, up to what does not depend on the population size.

    Args:
        mergers: of the first chunk of a graph.
        table: `log g`.
    """
    return _look_up(table, mergers.first_entering, mergers.first_leaving).sum()


def log_record_density(mergers: Mergers, table: LogTransition) -> Float[Array, ""]:
    """Log probability of the re-coalescences of a chunk, `sum log q(T' | T, s, r)`.

    Args:
        mergers: of a chunk of a graph.
        table: `log g`.
    """
    each = jax.vmap(_log_recoalescence, in_axes=(None, 0, 0, 0, 0))
    log_probability = each(
        table, mergers.entering, mergers.leaving, mergers.cut_level, mergers.join_weights
    )
    return jnp.where(mergers.in_use, log_probability, 0.0).sum()


def _log_recoalescence(
    table: LogTransition,
    entering: Int[Array, " levels"],
    leaving: Int[Array, " levels"],
    cut_level: Int[Array, ""],
    join_weights: Levels,
) -> Float[Array, ""]:
    known = _look_up(table, entering, leaving)
    a, b = entering.astype(table.dtype), leaving.astype(table.dtype)
    pairs = (a + 1) * a
    stay = _look_up(table, entering + 1, leaving + 1) - known + jnp.log((b + 1) * b / pairs)
    join = _look_up(table, entering + 1, leaving) - known + jnp.log((a + 1 - b) / pairs)
    passed = jnp.arange(a.shape[0], dtype=jnp.int32) >= cut_level
    survival = sum_below(jnp.where(passed, stay, 0.0))
    # Weights that vanish are left out before the logarithm, which has no derivative there; a row
    # without weights is not in use, and anything finite will do.
    possible = join_weights > 0
    log_weights = jnp.log(jnp.where(possible, join_weights, 1.0))
    terms = jnp.where(possible, log_weights + survival + join, -jnp.inf)
    return jax.nn.logsumexp(jnp.where(possible.any(), terms, 0.0))


def _look_up(
    table: LogTransition, start: Int[Array, " levels"], end: Int[Array, " levels"]
) -> Levels:
    return table[jnp.arange(table.shape[0], dtype=jnp.int32), start, end]
