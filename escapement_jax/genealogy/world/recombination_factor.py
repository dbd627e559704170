"""How many times the told recombination map the graphs recombine: the conditional of the factor.

With `x = rho L` the recombinations that the told map expects across a boundary, and `f` the factor,

    log p(G | f) = sum_{cut} log min(f, 0.95 / x) + sum_{uncut} log(1 - min(f x, 0.95)) + constant.

Where no boundary reaches the cap this is `R log f + sum_{uncut} log(1 - f x)` with `R` records,
nearly the gamma law of a Poisson process of `R` events in `sum x`.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from escapement_jax.array_types import Levels
from escapement_jax.genealogy.genome.genome_bins import GenomeChunk
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.local_trees import merge_levels, tree_length
from escapement_jax.genealogy.model.threading_model import LARGEST_RECOMBINATION_PROBABILITY


class Crossings(eqx.Module):
    """What the boundaries of a graph say about the recombination factor.

    Attributes:
        expected: `x = rho L`, recombinations that the told map expects in the tree on the left.
        cut: whether the boundary has a record.
    """

    expected: Float[Array, "*draws bins"]
    cut: Bool[Array, "*draws bins"]


def crossings(graph: RecombinationGraph, chunk: GenomeChunk, times: Levels) -> Crossings:
    """Read the crossings of a chunk off its graph.

    Args:
        graph: the graph.
        chunk: the genome with the recombination that is told.
        times: representative time of every level, generations.
    """
    merged = jax.vmap(merge_levels)(graph.trees)
    length = jax.vmap(tree_length, in_axes=(0, None, None))(merged, graph.present, times)
    before = length[graph.segment - graph.has_record.astype(jnp.int32)]
    return Crossings(chunk.recombination * before, graph.has_record)


def log_crossing_density(crossings: Crossings, factor: Float[Array, ""]) -> Float[Array, ""]:
    """Log probability of the cut and uncut boundaries at a recombination factor, see the module.

    Args:
        crossings: of one graph.
        factor: `f`, positive.
    """
    capped = jnp.minimum(factor * crossings.expected, LARGEST_RECOMBINATION_PROBABILITY)
    # At uncut boundaries that cannot recombine x = 0, and the quotient must not be formed.
    expected = jnp.where(crossings.cut, crossings.expected, 1.0)
    cut = jnp.log(jnp.where(crossings.cut, capped / expected, 1.0))
    return (cut + jnp.where(crossings.cut, 0.0, jnp.log1p(-capped))).sum()


def scaled_recombination(chunk: GenomeChunk, factor: Float[Array, ""]) -> GenomeChunk:
    """The same chunk with the told recombination times a factor; bins and graphs stay valid."""
    return eqx.tree_at(lambda c: c.recombination, chunk, chunk.recombination * factor)
