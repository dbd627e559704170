"""Gradients by which a look-ahead learns, from graphs that are given or from its own bound.

A thread is drawn from `q(path) = p(path, D_i | G_{i-1}) e^{u(path)} / Z_i(u)`, so that

    grad log q(path) = grad u(path) - E_q[grad u],

whose second term a second path drawn from `q` estimates without bias. Two uses:

- imitation: the mean of `grad log q` over threads of graphs that are given, be they simulated or
  from Gibbs sweeps, makes those graphs likely;
- the bound: `E_q[log w]` has the gradient `E_q[(R_i - b) grad log q]`, summed over haplotypes, with
  `R_i` the log weights from haplotype `i` on and `b` any number that does not know the draw.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from escapement_jax.array_types import PRNGKey
from escapement_jax.genealogy.genome.genome_bins import GenomeChunk
from escapement_jax.genealogy.graph.pruned_graph import PrunedGraph
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.threading_model import ThreadingModel
from escapement_jax.genealogy.threading.look_ahead import LookAhead
from escapement_jax.genealogy.threading.sequential_pass import attachments, take_out_haplotypes
from escapement_jax.genealogy.threading.threading_driver import thread_pruned
from escapement_jax.genealogy.threading.window_layout import WindowLayout

_Graphs = Sequence[RecombinationGraph]
_Positions = tuple[Int[Array, "draws bins"], Int[Array, "draws bins"]]


def log_probability_gradient(
    key: PRNGKey,
    look_ahead: Sequence[LookAhead],
    graphs: _Graphs,
    haplotypes: Int[Array, " draws"],
    weights: Float[Array, " draws"],
    chunks: Sequence[GenomeChunk],
    model: ThreadingModel,
) -> PyTree:
    """Estimate `sum_draws weight grad log q(path)` of one haplotype in each of some graphs.

    Args:
        key: random key.
        look_ahead: potentials of every chunk; what they learn is the same in all chunks.
        graphs: one batch of graphs per chunk, the haplotypes in them.
        haplotypes: the one of each draw that was threaded last.
        weights: of the draws.
        chunks: the genome.
        model: the law.

    Returns:
        One tree like those of `look_ahead`: summed over the chunks, with arrays where they have
        numbers to learn.

    Raises:
        ValueError: a chunk has no room for the records of another path.
    """
    pruned = take_out_haplotypes(graphs, haplotypes)
    layout = WindowLayout.whole(len(chunks))
    others, _, _ = thread_pruned(
        key, pruned, chunks, model, layout, refresh=False, look_ahead=look_ahead
    )
    if others is None:
        raise ValueError("a chunk has no room for another path; give its graphs more capacity")
    given, drawn = attachments(graphs, haplotypes), attachments(others, haplotypes)
    gradients = [
        _tilt_gradient(
            ahead,
            one,
            chunk,
            model,
            (path, other),
            weights,
        )
        for ahead, one, chunk, path, other in zip(
            look_ahead, pruned, chunks, given, drawn, strict=True
        )
    ]
    return jax.tree.map(lambda *parts: sum(parts[1:], parts[0]), *gradients)


@eqx.filter_jit
def _tilt_gradient(
    look_ahead: LookAhead,
    pruned: PrunedGraph,
    chunk: GenomeChunk,
    model: ThreadingModel,
    positions: tuple[_Positions, _Positions],
    weights: Float[Array, " draws"],
) -> PyTree:
    """Gradient of `sum_draws weight (u(path) - u(other path))` in one chunk."""

    def gained(look_ahead):
        def one(pruned, path, other):
            potential = look_ahead.potential(pruned, chunk, model, None)
            return potential.of_path(*path) - potential.of_path(*other)

        return jnp.sum(weights * jax.vmap(one)(pruned, *positions))

    return eqx.filter_grad(gained)(look_ahead)


def centred_returns(
    log_weights: Float[np.ndarray, "haplotypes draws"],
) -> Float[np.ndarray, "haplotypes draws"]:
    """Log weights from every haplotype on, less their mean over the other draws.

    Args:
        log_weights: of every threading of a pass.

    Raises:
        ValueError: there is but one draw.
    """
    draws = log_weights.shape[1]
    if draws < 2:
        raise ValueError(f"draws are compared with each other; give 2 or more, not {draws}")
    returns = np.cumsum(log_weights[::-1], axis=0)[::-1]
    return (returns - returns.mean(1, keepdims=True)) * draws / (draws - 1)
