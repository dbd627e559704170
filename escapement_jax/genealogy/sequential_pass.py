"""Host-side driver: one haplotype at a time, chunk after chunk, for a batch of draws at once.

Every draw threads its haplotypes in an order of its own. All shapes are fixed by the number of
draws, haplotypes, levels, bins per chunk and record capacity, so each of the functions below
compiles once.
"""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.genealogy.genome_bins import GenomeChunk
from escapement_jax.genealogy.graph_density import (
    log_density,
    log_tree_probability,
    refresh_cut_levels,
)
from escapement_jax.genealogy.graph_draw import GraphDraw
from escapement_jax.genealogy.recombination_graph import (
    RecombinationGraph,
    add_haplotype,
    remove_haplotype,
    single_haplotype_graph,
    with_capacity,
)
from escapement_jax.genealogy.threading import (
    FilteredChunk,
    entering_message,
    filter_chunk,
    sample_chunk,
    sample_last_position,
)
from escapement_jax.genealogy.threading_model import ThreadingModel

_Graphs = Sequence[RecombinationGraph]


# The messages keep the bins as their first axis, as the scans make and read them: with the draws in
# front they would be copied once each way, and they are most of the memory.
@jax.jit
def _filter(graphs, chunk, haplotypes, messages, model):
    num_records = graphs.has_record.sum(-1).max()

    def one(graph, haplotype, message):
        filtered, last, log_evidence = filter_chunk(
            graph, chunk, haplotype, message, model, num_records
        )
        bulk = (filtered.messages, filtered.masses)
        return bulk, (filtered.own, filtered.trunk), last, log_evidence

    return jax.vmap(one, out_axes=((1, 1), 0, 0, 0))(graphs, haplotypes, messages)


@jax.jit
def _extend(keys, bulk, tables, graphs, chunk, haplotypes, last, model):
    def grow(key, bulk, tables, graph, haplotype, last):
        key_path, key_cuts = jax.random.split(key)
        filtered = FilteredChunk(*bulk, *tables)
        path = sample_chunk(key_path, filtered, graph, chunk, haplotype, last)
        grown, overflow = add_haplotype(graph, haplotype, path)
        return key_cuts, grown, (path.entering_branch, path.entering_level), overflow

    key_cuts, grown, entering, overflow = jax.vmap(grow, in_axes=(0, (1, 1), 0, 0, 0, 0))(
        keys, bulk, tables, graphs, haplotypes, last
    )
    num_records = grown.has_record.sum(-1).max()
    refresh = jax.vmap(refresh_cut_levels, in_axes=(0, 0, None, None))
    return refresh(key_cuts, grown, model, num_records), entering, overflow


_start = jax.jit(jax.vmap(entering_message, in_axes=(0, None)))
_sample_last = jax.jit(jax.vmap(sample_last_position))
_remove = jax.jit(jax.vmap(remove_haplotype))
_density = jax.jit(jax.vmap(log_density, in_axes=(0, None, None)))
_first_tree = jax.jit(
    jax.vmap(
        lambda graph, model: log_tree_probability(graph.trees[0], graph.present, model.kingman),
        in_axes=(0, None),
    )
)


def empty_graphs(
    haplotypes: Int[Array, " draws"],
    num_haplotypes: int,
    chunks: Sequence[GenomeChunk],
    capacity: int,
) -> list[RecombinationGraph]:
    """Graphs of a single haplotype per draw, one batch of graphs per chunk."""
    num_bins = chunks[0].recombination.shape[0]
    start = jax.vmap(
        lambda first: single_haplotype_graph(first, num_haplotypes, num_bins, capacity)
    )
    return [start(haplotypes) for _ in chunks]


def thread_haplotypes(
    key: PRNGKey,
    graphs: _Graphs,
    chunks: Sequence[GenomeChunk],
    haplotypes: Int[Array, " draws"],
    model: ThreadingModel,
) -> tuple[list[RecombinationGraph], Float[np.ndarray, " draws"]]:
    """Thread one haplotype per draw onto the graphs of the others.

    Args:
        key: random key.
        graphs: one batch of graphs per chunk.
        chunks: the genome.
        haplotypes: which haplotype each draw threads.
        model: the law.

    Returns:
        The grown graphs and the log evidence `log Z_i` of every draw. Chunks whose capacity is too
        small for the records drawn are given twice the room and drawn again with the same key.

    Raises:
        ValueError: an evidence is not finite.
    """
    key_last, key_chunks = jax.random.split(key)
    message = _start(graphs[0], model)
    filtered, evidence = [], []
    for graph, chunk in zip(graphs, chunks, strict=True):
        *kept, message, log_evidence = _filter(graph, chunk, haplotypes, message, model)
        filtered.append(kept)
        evidence.append(log_evidence)
    last_keys = jax.random.split(key_last, haplotypes.shape[0])
    last = _sample_last(last_keys, message, graphs[-1])

    grown: list[RecombinationGraph] = []
    overflow = []
    for index in reversed(range(len(chunks))):
        keys = jax.random.split(jax.random.fold_in(key_chunks, index), haplotypes.shape[0])
        graph, last, full = _extend(
            keys, *filtered.pop(), graphs[index], chunks[index], haplotypes, last, model
        )
        grown.append(graph)
        overflow.append(full)
    log_evidence = np.sum(np.asarray(jax.device_get(evidence), dtype=np.float64), 0)
    # First: paths drawn from messages that are not numbers overflow any capacity.
    _require_finite(log_evidence, haplotypes)
    if np.any(jax.device_get(overflow)):
        roomier = [_double_capacity(graph) for graph in graphs]
        return thread_haplotypes(key, roomier, chunks, haplotypes, model)
    return grown[::-1], log_evidence


def _require_finite(
    log_evidence: Float[np.ndarray, " draws"], haplotypes: Int[Array, " draws"]
) -> None:
    broken = np.flatnonzero(~np.isfinite(log_evidence))
    if broken.size:
        draw = broken[0]
        raise ValueError(
            f"the log evidence of threading haplotype {haplotypes[draw]} in draw {draw} is "
            f"{log_evidence[draw]}; the data are impossible under the model: check the rates and "
            "maps"
        )


def _double_capacity(graphs: RecombinationGraph) -> RecombinationGraph:
    capacity = graphs.trees.shape[1] - 1
    return jax.vmap(lambda graph: with_capacity(graph, 2 * capacity))(graphs)


def remove_haplotypes(
    graphs: _Graphs, haplotypes: Int[Array, " draws"]
) -> list[RecombinationGraph]:
    """Take one haplotype per draw out of the graphs."""
    return [_remove(graph, haplotypes) for graph in graphs]


def graph_log_density(
    graphs: _Graphs, chunks: Sequence[GenomeChunk], model: ThreadingModel
) -> Float[np.ndarray, " draws"]:
    """Log density `log p(D, G)` of every draw over the whole genome, nats."""
    total = np.asarray(_first_tree(graphs[0], model), dtype=np.float64)
    for graph, chunk in zip(graphs, chunks, strict=True):
        total = total + np.asarray(_density(graph, chunk, model).total, dtype=np.float64)
    return total


def graph_draws(graphs: _Graphs, num_bins: int) -> tuple[GraphDraw, ...]:
    """Collect the chunks of every draw into one graph on the host.

    Args:
        graphs: one batch of graphs per chunk, all haplotypes present.
        num_bins: number of bins of the genome; those beyond it are padding.
    """
    host = [jax.device_get(graph) for graph in graphs]
    moved = np.concatenate([graph.moved for graph in host], 1)[:, :num_bins]
    cuts = np.concatenate([graph.cut_level for graph in host], 1)[:, :num_bins]
    draws = []
    for draw in range(moved.shape[0]):
        records = np.flatnonzero(moved[draw] >= 0)
        counts = [int((graph.moved[draw] >= 0).sum()) for graph in host]
        used = [graph.trees[draw, 1 : 1 + k] for graph, k in zip(host, counts, strict=True)]
        draws.append(
            GraphDraw(
                trees=np.concatenate([host[0].trees[draw, :1], *used]),
                first_bin=np.append(0, records).astype(np.int32),
                moved=np.append(-1, moved[draw, records]).astype(np.int32),
                cut_level=np.append(0, cuts[draw, records]).astype(np.int32),
            )
        )
    return tuple(draws)
