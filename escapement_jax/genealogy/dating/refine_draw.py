"""From a draw on time levels to binary trees in continuous time with the same levels."""

from dataclasses import dataclass

import numpy as np

from escapement_jax.genealogy.dating.coalescent_clock import CoalescentClock
from escapement_jax.genealogy.dating.tree_history import NO_ITEM, TreeHistory, TreeHistoryBuilder
from escapement_jax.genealogy.genome.level_times import times_within_levels
from escapement_jax.genealogy.graph.graph_draw import GraphDraw

_PRESENT = -1  # the level of samples


def refine_draw(
    draw: GraphDraw,
    grid_edges: np.ndarray,
    grid_times: np.ndarray,
    clock: CoalescentClock,
    generator: np.random.Generator,
) -> TreeHistory:
    """Draw binary trees in continuous time whose levels are those of a draw.

    Lineages that merge in one level merge two by two, at random, at uniform times. A lineage that
    was cut joins one of the branches that the next tree allows, each with the probability that SMC'
    gives it, ``∫ exp(-∫ k dΛ) dΛ`` over the part of the branch inside the level. A silent record
    may have joined its own old branch, and then leaves no trace, or another branch of the block
    that it left, in the level that it left: such a record is silent on levels only.

    Args:
        draw: A valid draw.
        grid_edges: Lower edges of the time levels, generations.
        grid_times: Representative times of the levels, generations.
        clock: Coalescent intensity.
        generator: Source of randomness.

    Returns:
        The trees; what left no trace is counted.
    """
    refinement = _Refinement(
        TreeHistoryBuilder(draw.num_haplotypes), grid_edges, grid_times, clock, generator
    )
    refinement.first_tree(draw.trees[0])
    num_silent = 0
    for segment in range(1, draw.num_segments):
        num_silent += not refinement.record(draw, segment)
    return refinement.tree.finish(num_silent)


@dataclass
class _Branch:
    """The part of a branch on which a lineage may coalesce."""

    item: int
    low: float
    high: float


class _Refinement:
    def __init__(
        self,
        tree: TreeHistoryBuilder,
        grid_edges: np.ndarray,
        grid_times: np.ndarray,
        clock: CoalescentClock,
        generator: np.random.Generator,
    ) -> None:
        self.tree, self.clock, self.generator = tree, clock, generator
        self.edges, self.times = grid_edges, grid_times
        self.above = np.append(grid_edges[1:], np.inf).tolist()
        self.level = [_PRESENT] * len(tree.parent)

    def time_in(self, level: int, low: float = 0.0, high: float = np.inf) -> float:
        """Draw a time inside a level and an interval, uniform but for the open last level."""
        start = max(low, float(self.edges[level]))
        end = min(high, self.above[level])
        if np.isfinite(end):
            return self.generator.uniform(start, end)
        return start + self.generator.exponential(self.times[level] - self.edges[level])

    def first_tree(self, levels: np.ndarray) -> None:
        """Merge the lineages of every block two by two."""
        samples = len(levels)
        top = list(range(samples))
        for level in range(int(levels.max()) + 1):
            blocks = [np.flatnonzero(row <= level) for row in levels]
            for first, block in enumerate(blocks):
                block = np.union1d(block, [first])
                if block[0] == first:
                    self._merge_block(block, top, level)
        self.tree.start()

    def _merge_block(self, block: np.ndarray, top: list[int], level: int) -> None:
        lineages = sorted({top[member] for member in block})
        count = len(lineages) - 1
        uniforms = np.sort(self.generator.random(count))
        levels = np.full(count, level)
        for time in times_within_levels(levels, uniforms, self.edges, self.times):
            first, second = self.generator.choice(len(lineages), 2, replace=False)
            item = self.tree.merge(lineages[first], lineages[second], float(time))
            self.level[item] = level
            lineages = [x for i, x in enumerate(lineages) if i not in (first, second)] + [item]
        for member in block:
            top[member] = lineages[0]

    def record(self, draw: GraphDraw, segment: int) -> bool:
        """Apply a record; return whether it left a trace."""
        before, after = draw.trees[segment - 1], draw.trees[segment]
        moved, cut_level = int(draw.moved[segment]), int(draw.cut_level[segment])
        child = self._below(moved, cut_level)
        old = self.tree.parent[child]
        outside = before[moved] >= cut_level
        level = int(after[moved, outside].min())
        block = np.flatnonzero(outside & (after[moved] == level))
        low, high = self._cut_window(child, cut_level)
        cut = self.generator.uniform(low, min(high, self.above[level]))
        branches = self._branches(block, level, cut)
        if not (before != after).any():
            branches.append(_Branch(NO_ITEM, cut, self.tree.time[old]))
        branch = self._choose(branches, cut)
        if branch.item == NO_ITEM:
            return False
        time = self.time_in(level, branch.low, branch.high)
        self.tree.regraft(int(draw.first_bin[segment]), child, cut, branch.item, time)
        self.level[old] = level
        return True

    def _below(self, sample: int, cut_level: int) -> int:
        """Return the highest item of a sample's lineage at a level below the cut."""
        item = sample
        while self.level[self.tree.parent[item]] < cut_level:
            item = self.tree.parent[item]
        return item

    def _cut_window(self, child: int, cut_level: int) -> tuple[float, float]:
        low = float(self.times[cut_level - 1]) if cut_level > 0 else 0.0
        parent = self.tree.parent[child]
        return (
            max(low, self.tree.time[child]),
            min(float(self.times[cut_level]), self.tree.time[parent]),
        )

    def _branches(self, block: np.ndarray, level: int, cut: float) -> list[_Branch]:
        """Return the parts above the cut of a block's branches inside a level."""
        bottom, top = max(cut, float(self.edges[level])), self.above[level]
        seen: set[int] = set()
        branches = []
        for item in block.tolist():
            while item != NO_ITEM and item not in seen and self.tree.time[item] < top:
                seen.add(item)
                parent = self.tree.parent[item]
                end = np.inf if parent == NO_ITEM else self.tree.time[parent]
                if end > bottom:
                    branches.append(_Branch(item, max(self.tree.time[item], bottom), min(end, top)))
                item = parent
        return branches

    def _choose(self, branches: list[_Branch], cut: float) -> _Branch:
        """Choose the branch that a lineage rising from the cut joins, given it joins one."""
        if len(branches) == 1:
            return branches[0]
        ends = np.array([(branch.low, branch.high) for branch in branches])
        weights = np.diff(self._joined_by(cut, ends), axis=1)[:, 0]
        return branches[self.generator.choice(len(branches), p=weights / weights.sum())]

    def _joined_by(self, cut: float, times: np.ndarray) -> np.ndarray:
        """``∫_cut^t exp(-∫_cut^s k dΛ) dΛ(s)`` at some times, with k lineages at each time."""
        knots = np.sort(self.tree.time[self.tree.num_samples :])
        knots = knots[knots > cut]
        starts = self.clock.intensity(np.concatenate([[cut], knots]))
        count = len(knots) + 1 - np.arange(len(starts))
        rises = np.diff(starts) * count[:-1]
        survival = np.exp(-np.concatenate([[0.0], np.cumsum(rises)]))
        joined = np.concatenate([[0.0], np.cumsum(survival[:-1] * -np.expm1(-rises) / count[:-1])])
        at = np.where(np.isfinite(times), times, cut)
        piece = np.searchsorted(knots, at, side="right")
        rise = np.where(np.isfinite(times), self.clock.intensity(at) - starts[piece], np.inf)
        piece = np.where(np.isfinite(times), piece, len(starts) - 1)
        return joined[piece] - survival[piece] * np.expm1(-count[piece] * rise) / count[piece]
