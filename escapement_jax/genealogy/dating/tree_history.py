"""Binary local trees along the genome in continuous time, each one regraft away from the last."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

NO_ITEM = -1


@dataclass(frozen=True)
class TreeHistory:
    """A genealogy as a sequence of local trees, without levels.

    An item of a tree is a sample (items 0 to n - 1) or a slot (n to 2n - 2) that holds an ancestor.
    At the left end of a segment the branch above ``cut_item`` is cut at ``cut_times`` and
    coalesces elsewhere: its old ancestor leaves the tree, and a new one takes over the slot. The
    first n - 1 ancestors are those of the first tree, then comes one for each later segment.

    Attributes:
        parents: Item above each item, int32 [segments, 2n - 1]; -1 above the root.
        nodes: Ancestor in each slot, int32 [segments, n - 1], an index into ``times``.
        times: Times of the ancestors, generations, float64 [segments + n - 2].
        first_bin: First genome bin of every segment, int32 [segments].
        cut_item: Item below the cut, int32 [segments]; -1 for the first segment.
        cut_times: Time of the cut, generations, float64 [segments]; 0 for the first segment.
        num_silent: Recombinations that left the tree as it was, and no trace here.
    """

    parents: np.ndarray
    nodes: np.ndarray
    times: np.ndarray
    first_bin: np.ndarray
    cut_item: np.ndarray
    cut_times: np.ndarray
    num_silent: int = 0

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return self.nodes.shape[1] + 1

    @property
    def num_segments(self) -> int:
        """Number of segments."""
        return len(self.first_bin)

    def item_times(self, segments: np.ndarray) -> np.ndarray:
        """Return the time of every item of some segments, [len(segments), 2n - 1]."""
        present = np.zeros((len(segments), self.num_samples))
        return np.concatenate([present, self.times[self.nodes[segments]]], axis=1)

    def records(self) -> Iterator[tuple[int, int, int]]:
        """Yield each later segment, a sample that it moves, and one of the branch it joins."""
        for segment in range(1, self.num_segments):
            before, after = self.parents[segment - 1], self.parents[segment]
            child = int(self.cut_item[segment])
            slot = after[child]
            joined = next(int(i) for i in np.flatnonzero(after == slot) if i != child)
            yield segment, self._sample_below(before, child), self._sample_below(after, joined)

    def _sample_below(self, parents: np.ndarray, item: int) -> int:
        while item >= self.num_samples:
            item = int(np.argmax(parents == item))
        return item

    def pairwise_tmrca(self, bins: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        """Return the times at which pairs of samples coalesce, [pairs, bins], generations."""
        asked, where = np.unique(
            np.searchsorted(self.first_bin, bins, side="right") - 1, return_inverse=True
        )
        times, above = self.item_times(asked), self._ancestry(asked)
        tmrca = np.empty((len(pairs), len(asked)))
        for row, (first, second) in enumerate(pairs):
            shared = above[:, first] & above[:, second]
            tmrca[row] = np.where(shared, times, np.inf).min(axis=1)
        return tmrca[:, where]

    def _ancestry(self, segments: np.ndarray) -> np.ndarray:
        """Whether each item is a sample's ancestor, bool [len(segments), samples, items]."""
        parents = self.parents[segments]
        count, num_items = parents.shape
        above = np.zeros((count, self.num_samples, num_items), bool)
        rows, samples = np.divmod(np.arange(count * self.num_samples), self.num_samples)
        item = samples
        while rows.size:
            above[rows, samples, item] = True
            item = parents[rows, item]
            inside = item != NO_ITEM
            rows, samples, item = rows[inside], samples[inside], item[inside]
        return above


class TreeHistoryBuilder:
    """A local tree that changes from left to right and remembers.

    Attributes:
        parent: Item above each item of the present tree.
        time: Time of each item, generations.
        num_samples: Number of samples.
    """

    def __init__(self, num_samples: int) -> None:
        self.num_samples = num_samples
        self.parent = [NO_ITEM] * (2 * num_samples - 1)
        self.time = [0.0] * (2 * num_samples - 1)
        self._node = list(range(num_samples - 1))
        self._times: list[float] = []
        self._parents: list[list[int]] = []
        self._nodes: list[list[int]] = []
        self._first_bin: list[int] = []
        self._cuts: list[tuple[int, float]] = []

    def merge(self, first: int, second: int, time: float) -> int:
        """Join two lineages of the first tree in the next free slot and return its item."""
        item = self.num_samples + len(self._times)
        self.parent[first] = self.parent[second] = item
        self.time[item] = time
        self._times.append(time)
        return item

    def start(self) -> None:
        """Finish the first tree."""
        self._remember(0, NO_ITEM, 0.0)

    def sibling(self, item: int) -> int:
        """Return the other item below an item's parent."""
        parent = self.parent[item]
        return next(i for i, above in enumerate(self.parent) if above == parent and i != item)

    def regraft(self, first_bin: int, child: int, cut: float, target: int, time: float) -> None:
        """Cut the branch above a child and let it coalesce with the branch above a target.

        Args:
            first_bin: Bin at which the new tree begins.
            child: Item below the cut.
            cut: Time of the cut.
            target: Item of the old tree at the lower end of the branch that is joined.
            time: Time of the new coalescence.
        """
        slot, sibling = self.parent[child], self.sibling(child)
        self.parent[sibling] = self.parent[slot]
        target = sibling if target == slot else target
        self.parent[slot], self.parent[target] = self.parent[target], slot
        self.time[slot] = time
        self._node[slot - self.num_samples] = len(self._times)
        self._times.append(time)
        self._remember(first_bin, child, cut)

    def _remember(self, first_bin: int, child: int, cut: float) -> None:
        self._parents.append(self.parent.copy())
        self._nodes.append(self._node.copy())
        self._first_bin.append(first_bin)
        self._cuts.append((child, cut))

    def finish(self, num_silent: int = 0) -> TreeHistory:
        """Return what was built."""
        cut_item, cut_times = zip(*self._cuts, strict=True)
        return TreeHistory(
            parents=np.array(self._parents, np.int32),
            nodes=np.array(self._nodes, np.int32),
            times=np.array(self._times),
            first_bin=np.array(self._first_bin, np.int32),
            cut_item=np.array(cut_item, np.int32),
            cut_times=np.array(cut_times),
            num_silent=num_silent,
        )
