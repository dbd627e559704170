"""The ancestral recombination graph of local trees in continuous time."""

import numpy as np

from escapement_jax.genealogy.dating.tree_history import NO_ITEM, TreeHistory
from escapement_jax.genealogy.graph.graph_nodes import (
    NO_NODE,
    RECOMBINATION_NODE,
    GraphNodes,
)


def graph_of_history(history: TreeHistory, bin_edges: np.ndarray) -> GraphNodes:
    """Give local trees in continuous time explicit nodes and edges.

    A lineage is one ancestor at all positions: what joins it later is inserted back to where its
    material begins, and a lineage above a local root that has material elsewhere is met again. So
    each node has one lineage above it, as in Hudson's coalescent, and a record costs one
    recombination and one coalescence. Material is followed up to the local root.

    Args:
        history: Binary local trees.
        bin_edges: Edges of the genome bins, base pairs.

    Returns:
        The nodes, and edges from ``bin_edges[0]`` to ``bin_edges[-1]``.
    """
    links = _Links(history)
    for segment, moved, partner in history.records():
        links.add_record(segment, moved, partner)
    num_recombinant = len(links.times) - links.first_recombination
    positions = np.append(bin_edges[history.first_bin], bin_edges[-1]).tolist()
    return GraphNodes(
        times=links.times,
        flags=[0] * links.first_recombination + [RECOMBINATION_NODE] * num_recombinant,
        edges=[(positions[a], positions[b], p, c) for a, b, p, c in _edges(links, history)],
        num_silent=history.num_silent,
    )


class _Links:
    """Lineages as nodes with one link each to the event above, on the path of the latest position.

    Attributes:
        times: Time of every node.
        up: Node above each node; above a recombination's child, its right side.
        split: For the child of a recombination, (left side, segment that begins at the break).
    """

    def __init__(self, history: TreeHistory) -> None:
        samples, self._history = history.num_samples, history
        self.first_recombination = samples + len(history.times)
        self.times = [0.0] * samples + history.times.tolist()
        self.up = [NO_NODE] * self.first_recombination
        self.split: dict[int, tuple[int, int]] = {}
        for item, parent in enumerate(history.parents[0].tolist()):
            self.up[item] = parent if parent != NO_ITEM else NO_NODE

    def add_record(self, segment: int, moved: int, partner: int) -> None:
        """Cut a sample's lineage and let it coalesce with another's, which may be older."""
        new = 2 * self._history.num_samples - 2 + segment
        cut = float(self._history.cut_times[segment])
        self._insert(new, self._below(partner, self.times[new]))
        below = self._below(moved, cut)
        left, right = len(self.times), len(self.times) + 1
        self.times += [cut, cut]
        self.up += [NO_NODE, new]
        self._insert(left, below)
        self.up[below] = right
        self.split[below] = (left, segment)

    def _below(self, sample: int, time: float) -> int:
        """Return the oldest node of a sample's lineage before a time."""
        node = sample
        while self.up[node] != NO_NODE and self.times[self.up[node]] < time:
            node = self.up[node]
        return node

    def _insert(self, node: int, below: int) -> None:
        """Insert a node into the lineage above another; what happens to it later moves along."""
        self.up[node] = self.up[below]
        self.up[below] = node
        if below in self.split:
            self.split[node] = self.split.pop(below)


def _edges(links: _Links, history: TreeHistory) -> list[tuple[int, int, int, int]]:
    """Follow ancestral material, counted in samples on every segment, from the present upwards."""
    samples, segments = history.num_samples, history.num_segments
    material = [np.zeros(segments, np.int32) for _ in links.times]
    for sample in range(samples):
        material[sample] += 1
    edges = []
    for child in np.argsort(links.times, kind="stable").tolist():
        carried = np.where(material[child] < samples, material[child], 0)
        material[child] = carried[:0]
        if child in links.split:
            left, cut = links.split[child]
            edges += _pass_on(carried, 0, cut, left, child, material)
            edges += _pass_on(carried, cut, segments, links.up[child], child, material)
        elif links.up[child] != NO_NODE:
            edges += _pass_on(carried, 0, segments, links.up[child], child, material)
    return edges


def _pass_on(
    carried: np.ndarray, first: int, last: int, parent: int, child: int, material: list[np.ndarray]
) -> list[tuple[int, int, int, int]]:
    """Give a parent the material of some segments; return the edges, one for each stretch."""
    part = carried[first:last]
    material[parent][first:last] += part
    ends = np.flatnonzero(np.diff(part > 0, prepend=False, append=False)) + first
    return [(a, b, parent, child) for a, b in ends.reshape(-1, 2).tolist()]
