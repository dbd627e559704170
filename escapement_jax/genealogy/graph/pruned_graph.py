"""A graph from which the lineage ancestral to one haplotype has been pruned, and its regrafting.

Above the level `floor` the lineage that carries the haplotype is taken out in every bin, together
with its own recombinations. What is left, the trunk, and where the lineage joins it in every bin,
the path, make the graph again: a bijection, so that drawing a path from its exact conditional is a
Gibbs step. With floor 0 this is the re-threading of a haplotype; above, whole clades are moved.

The clade below the lineage changes along the genome where recombinations below the floor exchange
members. Where the haplotype itself passes to another lineage the thread is interrupted: what is
left and right of such a boundary is drawn apart (`Interruptions`). Window edges interrupt it, too.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int8

from escapement_jax.array_types import BinPath
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph, opening_bins
from escapement_jax.genealogy.model.local_trees import ABSENT, graft, separate
from escapement_jax.genealogy.model.pruned_tree import PrunedTree


class Interruptions(eqx.Module):
    """Boundaries at which the thread ends and another begins.

    Attributes:
        here: whether the boundary that opens each bin interrupts the thread.
        left_free: the thread on the left dies by joining another lineage below the floor: where it
            was attached does not matter to the right. Otherwise its last position is held.
        left_branch: that position.
        left_level: that position.
        right_free: the thread on the right is born by leaving another lineage, and joins the trunk
            by Kingman's law. Otherwise its first position is held.
        right_block: that position, all haplotypes below the branch.
        right_level: that position.
        moved: at window edges, the lineage's own recombination, which is kept (-1 for none).
        cut_level: likewise.
    """

    here: Bool[Array, "*draws bins"]
    left_free: Bool[Array, "*draws bins"]
    left_branch: Int[Array, "*draws bins"]
    left_level: Int[Array, "*draws bins"]
    right_free: Bool[Array, "*draws bins"]
    right_block: Bool[Array, "*draws bins haplotypes"]
    right_level: Int[Array, "*draws bins"]
    moved: Int[Array, "*draws bins"]
    cut_level: Int[Array, "*draws bins"]


class PrunedGraph(eqx.Module):
    """One chunk of a graph without the lineage that carries a haplotype above the floor.

    Attributes:
        forests: level matrix of every segment between the records that remain.
        clades: haplotypes below the pruned lineage, per segment.
        moved: as in `RecombinationGraph`, for the records that remain; a haplotype of the trunk if
            the lineage that was cut has one.
        cut_level: likewise.
        present: haplotypes in the graph, those of the clade included.
        haplotype: the haplotype that the lineage carries.
        floor: level from which on it is pruned.
        interruptions: where the thread is interrupted.
    """

    forests: Int8[Array, "*draws segments haplotypes haplotypes"]
    clades: Bool[Array, "*draws segments haplotypes"]
    moved: Int[Array, "*draws bins"]
    cut_level: Int[Array, "*draws bins"]
    present: Bool[Array, "*draws haplotypes"]
    haplotype: Int[Array, "*draws"]
    floor: Int[Array, "*draws"]
    interruptions: Interruptions

    @property
    def capacity(self) -> int:
        """Largest number of records that the chunk can hold."""
        return self.forests.shape[0] - 1

    @property
    def has_record(self) -> Bool[Array, "*draws bins"]:
        """Whether a record opens each bin."""
        return self.moved >= 0

    @property
    def segment(self) -> Int[Array, "*draws bins"]:
        """Index of the tree of every bin."""
        return jnp.cumsum(self.has_record.astype(jnp.int32), -1, dtype=jnp.int32)

    def tree(self, segment: Int[Array, ""]) -> PrunedTree:
        """The pruned tree of a segment."""
        return PrunedTree(self.forests[segment], self.clades[segment], self.present, self.floor)


class ThreadPath(eqx.Module):
    """The path of a lineage through a chunk: where it is attached, and its recombinations.

    Attributes:
        branch: a haplotype below the branch that it joins, per bin.
        level: level at which it joins.
        entering_branch: the same on entering the chunk.
        entering_level: the same on entering the chunk.
        moved: haplotype below the lineage cut by a record of its own, -1 without one.
        cut_level: level of that cut.
    """

    branch: BinPath
    level: BinPath
    entering_branch: Int[Array, ""]
    entering_level: Int[Array, ""]
    moved: BinPath
    cut_level: BinPath


def _uninterrupted(
    left_branch: Int[Array, "*draws bins"],
    left_level: Int[Array, "*draws bins"],
    right_block: Bool[Array, "*draws bins haplotypes"],
    right_level: Int[Array, "*draws bins"],
) -> Interruptions:
    nowhere = jnp.zeros_like(left_branch, dtype=bool)
    return Interruptions(
        here=nowhere,
        left_free=nowhere,
        left_branch=left_branch,
        left_level=left_level,
        right_free=nowhere,
        right_block=right_block,
        right_level=right_level,
        moved=jnp.full_like(left_branch, -1),
        cut_level=jnp.zeros_like(left_branch),
    )


def no_interruptions(like: Interruptions) -> Interruptions:
    """A thread that is not interrupted, in arrays of the same shapes."""
    return _uninterrupted(like.left_branch, like.left_level, like.right_block, like.right_level)


def beside_graph(graph: RecombinationGraph, haplotype: Int[Array, ""]) -> PrunedGraph:
    """A haplotype that is not in the graph yet, beside it: a pruned graph with floor 0."""
    num_bins, size = graph.moved.shape[0], graph.present.shape[0]
    clade = jnp.arange(size, dtype=jnp.int32) == haplotype
    nothing = jnp.zeros(num_bins, jnp.int32)
    no_block = jnp.zeros((num_bins, size), bool)
    held = (nothing, nothing, no_block, nothing)
    return PrunedGraph(
        forests=graph.trees.at[:, haplotype, haplotype].set(-1),
        clades=jnp.broadcast_to(clade, (graph.capacity + 1, size)),
        moved=graph.moved,
        cut_level=graph.cut_level,
        present=graph.present | clade,
        haplotype=haplotype,
        floor=jnp.zeros_like(haplotype),
        interruptions=_uninterrupted(*held),
    )


class _Positions(eqx.Module):
    """Clade and attachment of the lineage in every segment of the whole graph."""

    clade: Bool[Array, "segments haplotypes"]
    trunk: Bool[Array, "segments haplotypes"]
    branch: Int[Array, " segments"]
    level: Int[Array, " segments"]
    block: Bool[Array, "segments haplotypes"]


def _positions(
    graph: RecombinationGraph, haplotype: Int[Array, ""], floor: Int[Array, ""]
) -> _Positions:
    """Where no trunk is left, the lineage stands, for want of another place, on itself."""
    size = graph.present.shape[0]
    distance = graph.trees[:, haplotype]
    itself = jnp.arange(size, dtype=jnp.int32) == haplotype
    clade = (graph.present[None, :] & (distance < floor.astype(jnp.int8))) | itself[None, :]
    trunk = graph.present[None, :] & ~clade
    outside = jnp.where(trunk, distance, ABSENT)
    found = trunk.any(1)
    branch = jnp.where(found, jnp.argmin(outside, 1).astype(jnp.int32), haplotype)
    level = jnp.where(found, outside.min(1).astype(jnp.int32), floor)

    def block(tree, trunk, branch, level):
        return (trunk & (tree[branch] <= level.astype(jnp.int8))).at[branch].set(True)

    return _Positions(
        clade, trunk, branch, level, jax.vmap(block)(graph.trees, trunk, branch, level)
    )


def attachment(graph: RecombinationGraph, haplotype: Int[Array, ""]) -> tuple[BinPath, BinPath]:
    """Where a haplotype of the graph joins the others: a haplotype below the branch, and the level.

    Args:
        graph: the graph, the haplotype in it.
        haplotype: the haplotype.
    """
    at = _positions(graph, haplotype, jnp.zeros_like(haplotype))
    return at.branch[graph.segment], at.level[graph.segment]


def prune(
    graph: RecombinationGraph,
    haplotype: Int[Array, ""],
    floor: Int[Array, ""],
    window_edges: Bool[Array, " bins"],
) -> PrunedGraph:
    """Take the lineage that carries a haplotype out of a graph, from a level on.

    Args:
        graph: the graph, the haplotype in it.
        haplotype: the haplotype.
        floor: the lowest level of the lineage to take out; 0 for all of the haplotype's branch.
        window_edges: boundaries at which the lineage is to stay as it is.
    """
    at = _positions(graph, haplotype, floor)
    after = graph.segment
    before = after - graph.has_record.astype(jnp.int32)
    rows = graph.trees[before, jnp.maximum(graph.moved, 0)]
    lineage = graph.present[None, :] & (rows < graph.cut_level[:, None].astype(jnp.int8))
    unchanged = (at.clade[before] == at.clade[after]).all(1)
    is_clade = (lineage == at.clade[before]).all(1)
    is_trunk = (lineage == at.trunk[before]).all(1)
    own = graph.has_record & unchanged & (is_clade | is_trunk)
    inside = ~(lineage & at.trunk[before]).any(1)
    leaves = lineage[:, haplotype] & inside & ~unchanged
    interruptions = _interruptions(
        at,
        before,
        after,
        graph,
        own,
        dies=graph.has_record & ~unchanged & (is_trunk | (leaves & is_clade)),
        born=graph.has_record & leaves & (lineage == at.clade[after]).all(1),
        leaves=graph.has_record & leaves,
        window_edges=window_edges,
    )
    outside = lineage & at.trunk[before]
    standing = jnp.where(inside, graph.moved, jnp.argmax(outside, 1).astype(jnp.int32))
    stays = graph.has_record & ~own
    old = graph.segment[opening_bins(stays, graph.capacity)]
    old = jnp.concatenate([jnp.zeros(1, jnp.int32), old])
    return PrunedGraph(
        forests=jax.vmap(separate)(graph.trees[old], at.clade[old], at.trunk[old]),
        clades=at.clade[old],
        moved=jnp.where(stays, standing, -1),
        cut_level=jnp.where(stays, graph.cut_level, 0),
        present=graph.present,
        haplotype=haplotype,
        floor=floor,
        interruptions=interruptions,
    )


def _interruptions(
    at: _Positions,
    before: Int[Array, " bins"],
    after: Int[Array, " bins"],
    graph: RecombinationGraph,
    own: Bool[Array, " bins"],
    *,
    dies: Bool[Array, " bins"],
    born: Bool[Array, " bins"],
    leaves: Bool[Array, " bins"],
    window_edges: Bool[Array, " bins"],
) -> Interruptions:
    """Where the haplotype passes to another lineage, the trunk ends or begins, or a window does.

    The thread that dies, or the last lineage of the trunk, joins below the floor: the position on
    the left is free, unless there was none. The one that is born, or that a new trunk leaves,
    joins by Kingman's law.
    """
    has_trunk = at.trunk.any(1)
    revives = graph.has_record & ~has_trunk[before] & has_trunk[after]
    kept = own & window_edges
    return Interruptions(
        here=leaves | dies | revives | window_edges,
        left_free=dies & has_trunk[before] & ~window_edges,
        left_branch=at.branch[before],
        left_level=at.level[before],
        right_free=(born | revives) & has_trunk[after] & ~window_edges,
        right_block=at.block[after],
        right_level=at.level[after],
        moved=jnp.where(kept, graph.moved, -1),
        cut_level=jnp.where(kept, graph.cut_level, 0),
    )


def regraft(pruned: PrunedGraph, path: ThreadPath) -> tuple[RecombinationGraph, Bool[Array, ""]]:
    """Put the lineage into the graph along its path; the inverse of `prune`.

    Returns:
        The graph, and whether the chunk's capacity was too small for its records (then the graph
        returned is incomplete and must not be used).
    """
    own = path.moved >= 0
    has_record = pruned.has_record | own
    opening = opening_bins(has_record, pruned.capacity)
    old = jnp.concatenate([jnp.zeros(1, jnp.int32), pruned.segment[opening]])
    branch = jnp.concatenate([path.entering_branch[None], path.branch[opening]])
    level = jnp.concatenate([path.entering_level[None], path.level[opening]])
    clades = pruned.clades[old]
    join: Int8[Array, "segments haplotypes haplotypes"] = jax.vmap(graft)(
        pruned.forests[old], clades, pruned.present[None, :] & ~clades, branch, level
    )
    grown = RecombinationGraph(
        trees=join,
        moved=jnp.where(own, path.moved, pruned.moved),
        cut_level=jnp.where(own, path.cut_level, pruned.cut_level),
        present=pruned.present,
    )
    return grown, has_record.sum() > pruned.capacity
