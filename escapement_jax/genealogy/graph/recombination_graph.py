"""The ancestral recombination graph of one genome chunk, as arrays of fixed shape.

A graph is the tree on entering the chunk, and at each boundary of bins either nothing or a record:
the lineage that was cut and the level of the cut. Trees change only at records, so they are kept
once per segment between records. Silent records, at which the lineage re-joins where it was, are
part of the state: with them taking a haplotype out is a function and putting it in is a bijection,
which makes the weights of threading exact and re-threading a Gibbs step.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from escapement_jax.array_types import BinPath, HaplotypeMask, LevelMatrices
from escapement_jax.genealogy.model.local_trees import ABSENT, detach


class RecombinationGraph(eqx.Module):
    """State of one chunk of bins in one draw.

    Attributes:
        trees: tree of every segment; entry 0 is the tree before the chunk's first boundary, spare
            entries repeat the last tree.
        moved: a haplotype below the lineage cut at the boundary that opens each bin, -1 without
            a record.
        cut_level: `r`, the lineage was cut in the piece below level `r` (0 without a record).
        present: haplotypes in the graph.
    """

    trees: LevelMatrices
    moved: BinPath
    cut_level: BinPath
    present: HaplotypeMask

    @property
    def capacity(self) -> int:
        """Largest number of records that the chunk can hold."""
        return self.trees.shape[0] - 1

    @property
    def has_record(self) -> Bool[Array, "*draws bins"]:
        """Whether a record opens each bin."""
        return self.moved >= 0

    @property
    def segment(self) -> Int[Array, "*draws bins"]:
        """Index of the tree of every bin."""
        return jnp.cumsum(self.has_record.astype(jnp.int32), -1, dtype=jnp.int32)


def single_haplotype_graph(
    haplotype: Int[Array, ""], num_haplotypes: int, num_bins: int, capacity: int
) -> RecombinationGraph:
    """The graph of one haplotype: a single line without records."""
    tree = jnp.full((num_haplotypes, num_haplotypes), ABSENT, jnp.int8)
    tree = tree.at[haplotype, haplotype].set(-1)
    return RecombinationGraph(
        trees=jnp.broadcast_to(tree[None], (capacity + 1, *tree.shape)),
        moved=jnp.full(num_bins, -1, jnp.int32),
        cut_level=jnp.zeros(num_bins, jnp.int32),
        present=jnp.arange(num_haplotypes, dtype=jnp.int32) == haplotype,
    )


def opening_bins(has_record: Bool[Array, " bins"], capacity: int) -> Int[Array, " records"]:
    """Bins opened by a record, in order; spare entries name the last bin."""
    bins = jnp.nonzero(has_record, size=capacity, fill_value=has_record.shape[0] - 1)[0]
    return bins.astype(jnp.int32)


def remove_haplotype(graph: RecombinationGraph, haplotype: Int[Array, ""]) -> RecombinationGraph:
    """Take a haplotype out of the graph.

    A record disappears if the lineage cut was that of the haplotype alone, or of all the others
    together (above the root of what remains); otherwise another member stands for the lineage.
    """
    before = graph.trees[graph.segment - graph.has_record.astype(jnp.int32)]
    rows = jax.vmap(lambda tree, leaf: tree[leaf])(before, jnp.maximum(graph.moved, 0))
    is_other = jnp.arange(graph.present.shape[0], dtype=jnp.int32) != haplotype
    rest = graph.present & is_other
    lineage = (rows < graph.cut_level[:, None].astype(jnp.int8)) & is_other[None, :]
    others = rest[None, :] & ~lineage
    stays = graph.has_record & lineage.any(1) & others.any(1)
    opening = opening_bins(stays, graph.capacity)
    old = jnp.concatenate([jnp.zeros(1, jnp.int32), graph.segment[opening]])
    return RecombinationGraph(
        trees=jax.vmap(detach, in_axes=(0, None))(graph.trees[old], haplotype),
        moved=jnp.where(stays, jnp.argmax(lineage, 1).astype(jnp.int32), -1),
        cut_level=jnp.where(stays, graph.cut_level, 0),
        present=rest,
    )


def with_capacity(graph: RecombinationGraph, capacity: int) -> RecombinationGraph:
    """The same graph with room for more records per chunk."""
    last = graph.trees[-1:]
    spare = jnp.broadcast_to(last, (capacity - graph.capacity, *last.shape[1:]))
    trees = jnp.concatenate([graph.trees, spare])
    return eqx.tree_at(lambda g: g.trees, graph, trees)
