"""Graphs without the lineage that carries a haplotype above a level, spelled out and enumerated.

What is left of a tree is the clade below the lineage, the tree inside the clade, and the tree of
the others, the trunk. What is left of a recombination is its level and the lineage it cut, without
the clade; nothing, if it cut the lineage itself or the whole trunk and the clade stayed as it was.
"""

from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import accumulate

import numpy as np

from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from tests.reference import level_matrices
from tests.reference.enumerated_graphs import Block, Partition, Tree, drop, level_matrix
from tests.reference.tiny_genomes import TinyGenome, block, tree_per_bin

ENDS_FREELY = ("dies", "trunk dies")
BEGINS_FREELY = ("born", "trunk revives")
INTERRUPTING = (*ENDS_FREELY, *BEGINS_FREELY, "passes")


def kinds_of_records(draw: GraphDraw, haplotype: int, floor: int) -> list[str]:
    """What each record of a graph does to the lineage that carries a haplotype above a level."""
    return [
        _kind(draw.trees[i - 1 : i + 1], draw.moved[i], draw.cut_level[i], haplotype, floor)
        for i in range(1, draw.num_segments)
    ]


def _kind(trees: np.ndarray, moved: int, cut_level: int, haplotype: int, floor: int) -> str:
    """The name of what happens.

    - `own`: the lineage itself is cut, or the whole trunk, and the clade stays as it was;
    - `trunk`: any other record that leaves the clade as it was;
    - `clade`: others leave the clade or join it;
    - `born`: the haplotype leaves the clade, and joins others above the level;
    - `dies`: the lineage joins another below the level, and the clade grows;
    - `passes`: the haplotype leaves the clade and joins another lineage below the level;
    - `trunk dies`, `trunk revives`: all others join the clade, or the first leave it.
    """
    before, after = (level_matrices.block(tree, haplotype, floor - 1) for tree in trees)
    lineage = level_matrices.block(trees[0], moved, cut_level - 1)
    everyone = frozenset(range(len(trees[0])))
    whole_trunk = lineage == everyone - before
    if before == after:
        return "own" if whole_trunk or lineage == before else "trunk"
    if whole_trunk:
        return "trunk dies"
    if haplotype not in lineage:
        return "trunk revives" if before == everyone else "clade"
    if lineage == before:
        return "dies"
    return "born" if lineage == after else "passes"


def position(tree: np.ndarray, haplotype: int, floor: int) -> tuple[int, int]:
    """First haplotype below the branch that the lineage joins, and the level at which it does.

    Without a trunk the lineage stands on its own haplotype, at the floor.
    """
    trunk = np.ones(len(tree), bool)
    trunk[list(level_matrices.block(tree, haplotype, floor - 1))] = False
    if not trunk.any():
        return haplotype, floor
    distance = np.where(trunk, tree[haplotype], tree.max() + 1)
    return int(distance.argmin()), int(distance.min())


def left_of_tree(tree: Tree, haplotype: int, floor: int) -> tuple[Block, tuple[Partition, ...]]:
    """The clade, and the partitions of the haplotypes without the lineage."""
    clade = block(tree, floor, haplotype)
    inside = [frozenset(part for part in level if part <= clade) for level in tree[: floor + 1]]
    return clade, (*inside, *(drop(level, clade) for level in tree))


@dataclass(frozen=True, eq=False)
class PrunedModel:
    """All trees and recombinations of a tiny genome, and what is left of them without a lineage."""

    genome: TinyGenome
    haplotype: int
    floor: int

    @cached_property
    def left(self) -> np.ndarray:
        """A number for what is left of each tree."""
        seen: dict = {}
        left = [left_of_tree(t, self.haplotype, self.floor) for t in self.genome.oracle.trees]
        return np.array([seen.setdefault(part, len(seen)) for part in left])

    @cached_property
    def emissions(self) -> np.ndarray:
        """Probability of the data of every bin by its tree [bins, trees]."""
        return self.genome.oracle.emissions(self.genome.data)

    @cached_property
    def clades(self) -> list[Block]:
        """Haplotypes below the lineage in each tree."""
        return [block(tree, self.floor, self.haplotype) for tree in self.genome.oracle.trees]

    @cached_property
    def positions(self) -> np.ndarray:
        """Position of the lineage in each tree, [trees, 2]."""
        matrices = map(level_matrix, self.genome.oracle.trees)
        return np.array([position(matrix, self.haplotype, self.floor) for matrix in matrices])

    @cached_property
    def events(self) -> dict[tuple[int, Block] | None, np.ndarray]:
        """Density [tree, next tree] of the recombinations of which the same is left.

        Under None are those of which nothing is left.
        """
        size = len(self.genome.oracle.trees)
        densities: dict[tuple[int, Block] | None, np.ndarray] = {}
        for event in self.genome.oracle.recombinations:
            left = self.left_of_record(event.before, event.after, event.level, event.moved)
            density = densities.setdefault(left, np.zeros((size, size)))
            density[event.before, event.after] += event.density
        return densities

    def left_of_record(
        self, before: int, after: int, level: int, lineage: Block
    ) -> tuple[int, Block] | None:
        """What is left of a recombination; None if nothing is."""
        clade = self.clades[before]
        everyone = frozenset(range(self.genome.num_haplotypes))
        if clade == self.clades[after] and lineage in (clade, everyone - clade):
            return None
        return level, (lineage - clade) or lineage

    def steps(self, draw: GraphDraw, window_edges: np.ndarray) -> list[np.ndarray]:
        """Factors of `p(D, G)` over all graphs of which the same is left as of one.

        Where the lineage ends or begins, and not freely, the graphs agree in where it is attached;
        at window edges they agree in full.

        Args:
            draw: that graph.
            window_edges: whether a window edge opens each bin.

        Returns:
            For every bin a factor [tree of the bin before, tree of the bin]; one row for the first.
        """
        genome, oracle = self.genome, self.genome.oracle
        numbers = [genome.tree_numbers[t.tobytes()] for t in tree_per_bin(draw, genome.num_bins)]
        fits = self.left[numbers][:, None] == self.left[None, :]
        weights = self.emissions * fits
        kinds = kinds_of_records(draw, self.haplotype, self.floor)
        kind_at = dict(zip(draw.first_bin[1:], kinds, strict=True))
        steps = [(oracle.prior * weights[0])[None, :]]
        for here in range(1, genome.num_bins):
            kind, edge = kind_at.get(here), bool(window_edges[here])
            step = self._step(draw, numbers, here, edge) * weights[here]
            from_here, to_here = np.eye(len(oracle.trees))[numbers[here - 1 : here + 1]]
            if edge or (kind in INTERRUPTING and kind not in ENDS_FREELY):
                step = step * from_here[:, None]
            if edge or (kind in INTERRUPTING and kind not in BEGINS_FREELY):
                step = step * to_here[None, :]
            steps.append(step)
        return steps

    def forward(self, draw: GraphDraw, window_edges: np.ndarray) -> np.ndarray:
        """Sums of `p(D, G)` over those graphs up to every bin, by the tree of it [bins, trees]."""
        products = accumulate(self.steps(draw, window_edges), np.matmul)
        return np.concatenate(list(products))

    def number_of_paths(self, draw: GraphDraw, window_edges: np.ndarray) -> float:
        """How many sequences of trees those graphs have."""
        steps = self.steps(draw, window_edges)
        return float(reduce(np.matmul, [(step > 0).astype(float) for step in steps]).sum())

    def _step(self, draw: GraphDraw, numbers: list[int], here: int, edge: bool) -> np.ndarray:
        """Probability [tree, next tree] of what may happen at a boundary."""
        oracle = self.genome.oracle
        rate = np.minimum(self.genome.bins.recombination[here], 0.95 / oracle.lengths)
        nothing = np.diag(1 - rate * oracle.lengths)
        own = rate[:, None] * self.events[None]
        if here not in draw.first_bin[1:]:
            return nothing if edge else nothing + own
        segment = draw.first_bin.tolist().index(here, 1)
        before, after = numbers[here - 1 : here + 1]
        level = int(draw.cut_level[segment])
        lineage = block(oracle.trees[before], level, int(draw.moved[segment]))
        left = self.left_of_record(before, after, level, lineage)
        if left is not None:
            return rate[:, None] * self.events[left]
        return rate[:, None] * self._density_of(level, lineage) if edge else nothing + own

    def _density_of(self, level: int, lineage: Block) -> np.ndarray:
        """Density [tree, next tree] of the recombinations that cut a lineage at a level."""
        density = np.zeros_like(self.events[None])
        for event in self.genome.oracle.recombinations:
            if (event.level, event.moved) == (level, lineage):
                density[event.before, event.after] += event.density
        return density
