"""Host-side driver: one haplotype at a time, chunk after chunk, for a batch of draws at once.

Every draw threads its haplotypes in an order of its own. All shapes are fixed by the number of
draws, haplotypes, levels, bins per chunk and record capacity, so each of the functions below
compiles once.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.genealogy.genome.genome_bins import GenomeChunk
from escapement_jax.genealogy.graph.graph_density import log_density, log_tree_probability
from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from escapement_jax.genealogy.graph.pruned_graph import PrunedGraph, attachment, beside_graph, prune
from escapement_jax.genealogy.graph.recombination_graph import (
    RecombinationGraph,
    remove_haplotype,
    single_haplotype_graph,
    with_capacity,
)
from escapement_jax.genealogy.model.threading_model import ThreadingModel
from escapement_jax.genealogy.threading.look_ahead import LookAhead
from escapement_jax.genealogy.threading.threading_driver import thread_pruned
from escapement_jax.genealogy.threading.window_edges import thread_beside
from escapement_jax.genealogy.threading.window_layout import WindowLayout
from escapement_jax.training.devices import over_devices

_Graphs = Sequence[RecombinationGraph]


_beside = jax.jit(over_devices(jax.vmap(beside_graph), (0, 0), 0))
_prune = jax.jit(over_devices(jax.vmap(prune, (0, 0, 0, None)), (0, 0, 0, None), 0))
_attachment = jax.jit(jax.vmap(attachment))
_remove = jax.jit(jax.vmap(remove_haplotype))
_density = jax.jit(over_devices(jax.vmap(log_density, (0, None, None)), (0, None, None), 0))
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
    layout: WindowLayout | None = None,
    look_ahead: Sequence[LookAhead] | None = None,
) -> tuple[list[RecombinationGraph], Float[np.ndarray, " draws"]]:
    """Thread one haplotype per draw onto the graphs of the others.

    Args:
        key: random key.
        graphs: one batch of graphs per chunk.
        chunks: the genome.
        haplotypes: which haplotype each draw threads.
        model: the law.
        layout: windows that are worked on side by side; None for the whole genome at once.
        look_ahead: potentials of every chunk, by which paths are drawn; None for none.

    Returns:
        The grown graphs and a log weight per draw, `log p(D_i, G_i | G_{i-1}) - log q(G_i)`: where
        the whole genome is threaded at once, the log evidence `log Z_i`; with potentials `u`,
        `log Z_i(u) - u(path)`. Chunks whose capacity is
        too small for the records drawn are given twice the room and drawn again with the same key.

    Raises:
        ValueError: an evidence is not finite.
    """
    pruned = [_beside(graph, haplotypes) for graph in graphs]
    layout = layout or WindowLayout.whole(len(chunks))
    grown, log_weight = thread_beside(key, pruned, chunks, model, layout, look_ahead)
    if grown is None:
        roomier = [_double_capacity(graph) for graph in graphs]
        return thread_haplotypes(key, roomier, chunks, haplotypes, model, layout, look_ahead)
    return grown, log_weight


def rethread_lineages(
    key: PRNGKey,
    graphs: _Graphs,
    chunks: Sequence[GenomeChunk],
    haplotypes: Int[Array, " draws"],
    floors: Int[Array, " draws"],
    model: ThreadingModel,
    layout: WindowLayout | None = None,
) -> list[RecombinationGraph]:
    """Draw anew, in every draw, the lineage that carries one haplotype above a level.

    A Gibbs step: it leaves the joint law of graph and data as it is. At the edges of windows the
    lineage keeps its place.

    Args:
        key: random key.
        graphs: one batch of graphs per chunk.
        chunks: the genome.
        haplotypes: whose lineage each draw takes out.
        floors: the lowest level at which the lineage is taken out; 0 for all of it.
        model: the law.
        layout: windows that are worked on side by side; None for the whole genome at once.

    Raises:
        ValueError: an evidence is not finite.
    """
    layout = layout or WindowLayout.whole(len(chunks))
    inner = jnp.zeros(chunks[0].recombination.shape, bool)
    edge = inner.at[0].set(True)
    pruned = [
        _prune(graph, haplotypes, floors, edge if chunk in layout.edges else inner)
        for chunk, graph in enumerate(graphs)
    ]
    grown, _, _ = thread_pruned(key, pruned, chunks, model, layout)
    if grown is None:
        roomier = [_double_capacity(graph) for graph in graphs]
        return rethread_lineages(key, roomier, chunks, haplotypes, floors, model, layout)
    return grown


def _double_capacity(graphs: RecombinationGraph) -> RecombinationGraph:
    capacity = graphs.trees.shape[1] - 1
    return jax.vmap(lambda graph: with_capacity(graph, 2 * capacity))(graphs)


def remove_haplotypes(
    graphs: _Graphs, haplotypes: Int[Array, " draws"]
) -> list[RecombinationGraph]:
    """Take one haplotype per draw out of the graphs."""
    return [_remove(graph, haplotypes) for graph in graphs]


def take_out_haplotypes(graphs: _Graphs, haplotypes: Int[Array, " draws"]) -> list[PrunedGraph]:
    """Put one haplotype per draw beside the graphs of the others, as before it was threaded."""
    inside = jnp.zeros(graphs[0].moved.shape[1:], bool)
    return [_prune(graph, haplotypes, jnp.zeros_like(haplotypes), inside) for graph in graphs]


def attachments(
    graphs: _Graphs, haplotypes: Int[Array, " draws"]
) -> list[tuple[Int[Array, "draws bins"], Int[Array, "draws bins"]]]:
    """Where one haplotype per draw joins the others, in every chunk: branch and level."""
    return [_attachment(graph, haplotypes) for graph in graphs]


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
