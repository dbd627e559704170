"""Nodes and edges of an ancestral recombination graph, built from its level matrices."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from escapement_jax.genealogy.genome.level_times import times_within_levels
from escapement_jax.genealogy.graph.graph_draw import GraphDraw

RECOMBINATION_NODE = 1 << 17
NO_NODE = -1
GOLDEN_RATIO = (1 + 5**0.5) / 2
_NO_LEVEL = -2  # recombination nodes: between levels; samples are at level -1


@dataclass
class GraphNodes:
    """Nodes and edges from the present to the local roots, built from left to right.

    Each coalescent node is one ancestor: it stays, with one child if need be, while its lineage
    persists, and it is inserted retroactively, back to where its lineage began. A lineage has at
    most one coalescent node at each level.

    Attributes:
        times: Time of every node, generations; the samples come first.
        flags: Node flags as in tskit, without the sample flag.
        edges: Finished edges (left, right, parent, child), base pairs.
        num_silent: Number of silent records, which leave no trace in nodes and edges.
    """

    times: list[float]
    flags: list[int]
    edges: list[tuple[float, float, int, int]] = field(default_factory=list)
    num_silent: int = 0
    _levels: list[int] = field(default_factory=list)
    _parent: list[int] = field(default_factory=list)
    _num_children: list[int] = field(default_factory=list)
    _start: list[float] = field(default_factory=list)

    @classmethod
    def with_samples(cls, num_samples: int) -> "GraphNodes":
        """Return a graph of unconnected samples at the present."""
        nodes = cls(times=[], flags=[])
        for _ in range(num_samples):
            nodes._add(0.0, -1, 0)
        return nodes

    def _add(self, time: float, level: int, flags: int) -> int:
        self.times.append(time)
        self.flags.append(flags)
        self._levels.append(level)
        self._parent.append(NO_NODE)
        self._num_children.append(0)
        self._start.append(0.0)
        return len(self.times) - 1

    def _open(self, child: int, parent: int, left: float) -> None:
        self._parent[child], self._start[child] = parent, left
        self._num_children[parent] += 1

    def _close(self, child: int, right: float) -> int:
        """Close the edge above a node and return its parent."""
        parent = self._parent[child]
        self.edges.append((self._start[child], right, parent, child))
        self._parent[child] = NO_NODE
        self._num_children[parent] -= 1
        return parent

    def _insert(self, node: int, below: int) -> None:
        """Insert a node into the open edge above another, over the whole span of that edge."""
        above, left = self._parent[below], self._start[below]
        self._num_children[above] -= 1
        self._open(below, node, left)
        self._open(node, above, left)

    def _lineage(self, node: int) -> list[int]:
        """Return a node and its ancestors, youngest first."""
        lineage = []
        while node != NO_NODE:
            lineage.append(node)
            node = self._parent[node]
        return lineage

    def _is_coalescent(self, node: int) -> bool:
        return self._levels[node] >= 0

    def _add_first_tree(self, tree: np.ndarray, left: float, node_time: Callable) -> None:
        num_samples = len(tree)
        top = list(range(num_samples))
        for level in range(tree.max() + 1):
            for first in range(num_samples):
                block = np.flatnonzero(tree[first] <= level)
                children = sorted({top[member] for member in block})
                if block[0] != first or len(children) == 1:
                    continue
                node = self._add(node_time(level), level, 0)
                for child in children:
                    self._open(child, node, left)
                for member in block:
                    top[member] = node

    def _coalescence(self, haplotype: int, level: int, left: float, node_time: Callable) -> int:
        """Return the node of a haplotype's lineage at a level, inserting it if there is none."""
        lineage = self._lineage(haplotype)
        for node in lineage:
            if self._levels[node] == level:
                return node
        time = node_time(level)
        below = max(
            (node for node in lineage if self.times[node] < time), key=self.times.__getitem__
        )
        node = self._add(time, level, 0)
        if self._parent[below] == NO_NODE:
            self._open(below, node, left)
        else:
            self._insert(node, below)
        return node

    def _cut(self, haplotype: int, cut: int, low: float, high: float, fraction: float) -> int:
        """Insert a recombination node into a haplotype's lineage and return the node below it.

        The cut lies above the lineage's nodes of levels below ``cut`` and below its next one, the
        given fraction of the way.
        """
        lineage = self._lineage(haplotype)
        bottom = max(position for position, node in enumerate(lineage) if self._is_below(node, cut))
        chain = [lineage[bottom]]
        for node in lineage[bottom + 1 :]:
            chain.append(node)
            if self._is_coalescent(node):
                break
        low = max(low, self.times[chain[0]])
        high = min(high, self.times[chain[-1]])
        time = low + fraction * (high - low)
        below = max((node for node in chain if self.times[node] < time), key=self.times.__getitem__)
        self._insert(self._add(time, _NO_LEVEL, RECOMBINATION_NODE), below)
        return below

    def _is_below(self, node: int, cut: int) -> bool:
        return -1 <= self._levels[node] < cut

    def _move(self, below: int, target: int, position: float) -> None:
        """Move the lineage that was cut above a node to its new coalescence."""
        left_node = self._close(below, position)
        right_node = self._add(self.times[left_node], _NO_LEVEL, RECOMBINATION_NODE)
        self._open(below, right_node, position)
        self._open(right_node, target, position)
        node = left_node
        while self._num_children[node] == 0 and self._parent[node] != NO_NODE:
            node = self._close(node, position)
        self._close_above_root(position)

    def _close_above_root(self, position: float) -> None:
        lineage = self._lineage(0)
        branching = [i for i, node in enumerate(lineage) if self._num_children[node] > 1]
        for node in lineage[branching[-1] : -1]:
            self._close(node, position)

    def finish(self, right: float) -> None:
        """Close every open edge at the right end of the region."""
        for node, parent in enumerate(self._parent):
            if parent != NO_NODE:
                self._close(node, right)


def build_graph_nodes(
    draw: GraphDraw,
    bin_edges: np.ndarray,
    grid_edges: np.ndarray,
    grid_times: np.ndarray,
    *,
    uniform_times: bool,
    generator: np.random.Generator,
) -> GraphNodes:
    """Give a draw explicit nodes and edges.

    At each record that changes the tree, the moved lineage is cut and coalesces, at the level the
    next tree says, with the lineage of a haplotype it then first meets.

    Args:
        draw: A valid draw.
        bin_edges: Edges of the genome bins, base pairs.
        grid_edges: Lower edges of the time levels, generations.
        grid_times: Representative times of the levels, generations.
        uniform_times: Whether node times are uniform inside their levels (see
            ``times_within_levels``) and cuts uniform between the nodes around them; otherwise nodes
            are at the representative times and cuts at multiples of the golden ratio between them,
            so that repeated cuts of one branch never fall together.
        generator: Source of randomness for uniform times.

    Returns:
        The nodes, and edges from ``bin_edges[0]`` to ``bin_edges[-1]``.
    """

    def node_time(level: int) -> float:
        if not uniform_times:
            return float(grid_times[level])
        uniform = generator.random(1)
        return float(times_within_levels(np.array([level]), uniform, grid_edges, grid_times)[0])

    def cut_fraction(segment: int) -> float:
        return generator.random() if uniform_times else segment * GOLDEN_RATIO % 1

    positions = bin_edges[draw.first_bin]
    nodes = GraphNodes.with_samples(draw.num_haplotypes)
    nodes.num_silent = int(draw.silent.sum())
    nodes._add_first_tree(draw.trees[0], float(positions[0]), node_time)
    for segment in draw.visible_records:
        moved, cut = int(draw.moved[segment]), int(draw.cut_level[segment])
        outside = draw.trees[segment - 1, moved] >= cut
        joined = np.where(outside, draw.trees[segment, moved], np.iinfo(np.int8).max)
        partner = int(np.argmin(joined))
        position = float(positions[segment])
        target = nodes._coalescence(partner, int(joined[partner]), position, node_time)
        low = float(grid_times[cut - 1]) if cut > 0 else 0.0
        high = min(float(grid_times[cut]), nodes.times[target])
        nodes._move(nodes._cut(moved, cut, low, high, cut_fraction(segment)), target, position)
    nodes.finish(float(bin_edges[-1]))
    return nodes
