"""The evidence `P(D)` from above: what a pass would have weighed given graphs.

A pass draws a graph from `q` and weighs it by `w(G) = p(D, G) / q(G)`. Its own draws bound the
evidence from below, draws of the posterior, from wherever they come, bound it from above:

    E_q[log w] <= log P(D) <= E_posterior[log w],    E_posterior[1 / w] = 1 / P(D).

The two sides are apart by the sum of both Kullback-Leibler divergences between `q` and the
posterior: no one-sided bound tells how far `q` is from it.
"""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from escapement_jax.genealogy.genome.genome_bins import GenomeChunk
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.threading_model import ThreadingModel
from escapement_jax.genealogy.threading.look_ahead import LookAhead
from escapement_jax.genealogy.threading.sequential_pass import (
    attachments,
    remove_haplotypes,
    take_out_haplotypes,
)
from escapement_jax.genealogy.threading.threading_driver import thread_evidence
from escapement_jax.genealogy.threading.window_layout import WindowLayout

_Graphs = Sequence[RecombinationGraph]


@jax.jit
def _tilt(look_ahead, pruned, chunk, model, branch, level):
    def one(pruned, branch, level):
        potential = look_ahead.potential(pruned, chunk, model, None)
        return potential.of_path(branch, level)

    return jax.vmap(one)(pruned, branch, level)


def log_weights_of_graphs(
    graphs: _Graphs,
    orders: Int[Array, "draws haplotypes"],
    chunks: Sequence[GenomeChunk],
    model: ThreadingModel,
    look_ahead: Sequence[LookAhead] | None = None,
) -> Float[np.ndarray, " draws"]:
    """Weigh graphs as a pass does that draws them: `sum_i log Z_i(u) - u(path_i)`, nats.

    Args:
        graphs: one batch of graphs per chunk, all haplotypes present.
        orders: in which order the pass threads the haplotypes, chosen without a look at the graph.
        chunks: the genome.
        model: the law.
        look_ahead: potentials of every chunk, with which the pass draws; None for none.

    Source:
        Grosse, Ancha & Roy (2016), Advances in Neural Information Processing Systems 29,
        bidirectional Monte Carlo.
    """
    total = np.zeros(orders.shape[0])
    layout = WindowLayout.whole(len(chunks))
    for index in range(orders.shape[1] - 1, 0, -1):
        haplotypes = orders[:, index]
        pruned = take_out_haplotypes(graphs, haplotypes)
        total += thread_evidence(pruned, chunks, model, layout, look_ahead)
        positions = attachments(graphs, haplotypes)
        for place, ahead in enumerate(look_ahead or ()):
            at = (pruned[place], chunks[place], model, *positions[place])
            total -= np.asarray(_tilt(ahead, *at), dtype=np.float64)
        graphs = remove_haplotypes(graphs, haplotypes)
    return total
