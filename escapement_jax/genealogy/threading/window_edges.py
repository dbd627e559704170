"""Threading a new haplotype in windows side by side, with the density that is really drawn from.

Where the lineage stands at an edge is drawn first, from a threading of the chunk on either side of
it alone (the overlap, in which it forgets where it started); what lies between two edges is then
drawn from its exact law given them. With `f(e)` the law of the boundary at the edge itself,

    q(e) = f(e) Z_overlap(e) / Z_overlap,      p(D, e) = prod f(e) Z_windows(e),
    log weight = log Z_windows(e) - sum log Z_overlap(e) + sum log Z_overlap,

whose exponential has the mean `Z` of threading the whole genome at once: the bound stays a bound.
With potentials all of these are tilted by `e^u`, and the weight is divided by `e^u(path)`.
"""

from collections.abc import Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.genealogy.genome.genome_bins import GenomeChunk
from escapement_jax.genealogy.graph.pruned_graph import PrunedGraph, prune
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.threading_model import ThreadingModel
from escapement_jax.genealogy.threading.look_ahead import LookAhead
from escapement_jax.genealogy.threading.threading_driver import thread_evidence, thread_pruned
from escapement_jax.genealogy.threading.window_layout import WindowLayout


def thread_beside(
    key: PRNGKey,
    beside: Sequence[PrunedGraph],
    chunks: Sequence[GenomeChunk],
    model: ThreadingModel,
    layout: WindowLayout,
    look_ahead: Sequence[LookAhead] | None = None,
) -> tuple[list[RecombinationGraph] | None, Float[np.ndarray, " draws"]]:
    """Thread a haplotype that stands beside the graphs, in all windows at once.

    Args:
        key: random key.
        beside: one batch per chunk, as of `beside_graph`.
        chunks: the genome.
        model: the law.
        layout: the windows.
        look_ahead: potentials of every chunk; None for none.

    Returns:
        The grown graphs, None if the capacity of a chunk is too small for its records; and the log
        weight of every draw, the log evidence if there is but one window and no potential.

    Raises:
        ValueError: an evidence is not finite.
    """
    if not layout.edges:
        grown, log_evidence, tilt = thread_pruned(
            key, beside, chunks, model, layout, look_ahead=look_ahead
        )
        return grown, log_evidence - tilt
    key_edges, key_windows = jax.random.split(key)
    held, log_ratio = _draw_edges(key_edges, beside, chunks, model, layout.edges, look_ahead)
    if held is None:
        return None, log_ratio
    grown, log_evidence, tilt = thread_pruned(
        key_windows, held, chunks, model, layout, look_ahead=look_ahead
    )
    return grown, log_evidence - tilt + log_ratio


def _draw_edges(
    key: PRNGKey,
    beside: Sequence[PrunedGraph],
    chunks: Sequence[GenomeChunk],
    model: ThreadingModel,
    edges: Sequence[int],
    look_ahead: Sequence[LookAhead] | None,
) -> tuple[list[PrunedGraph] | None, Float[np.ndarray, " draws"]]:
    """Draw where the lineage stands at the edges.

    Returns:
        The graphs in which it is held there, and `sum log Z_overlap - log Z_overlap(e)`.
    """
    around = [chunk for edge in edges for chunk in (edge - 1, edge)]
    near, genome = [beside[chunk] for chunk in around], [chunks[chunk] for chunk in around]
    # The other lineages' records must stay as they are: the weight is for these.
    overlaps = WindowLayout(len(around), 2)
    ahead = look_ahead and [look_ahead[chunk] for chunk in around]
    grown, free, _ = thread_pruned(
        key, near, genome, model, overlaps, refresh=False, look_ahead=ahead
    )
    if grown is None:
        return None, free
    held = list(beside)
    for place, edge in enumerate(edges):
        opening = 2 * place + 1
        near[opening] = held[edge] = _hold_first(beside[edge], grown[opening])
    alone = WindowLayout(len(around), 1)
    return held, free - thread_evidence(near, genome, model, alone, ahead)


@jax.jit
def _hold_first(beside: PrunedGraph, grown: RecombinationGraph) -> PrunedGraph:
    """Hold the lineage at the boundary that opens a chunk where it stands in a grown graph."""
    edge = jnp.zeros(beside.moved.shape[1:], bool).at[0].set(True)
    taken_out = jax.vmap(prune, in_axes=(0, 0, 0, None))(
        grown, beside.haplotype, beside.floor, edge
    )
    return replace(beside, interruptions=taken_out.interruptions)
