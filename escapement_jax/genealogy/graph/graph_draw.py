"""One posterior draw of an ancestral recombination graph, as level matrices."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GraphDraw:
    """An ancestral recombination graph on a grid of time levels.

    A local tree is an ultrametric matrix of levels: two haplotypes belong to the same block at
    level k exactly when their entry is at most k. A record at the left end of a segment says which
    lineage recombined there: the block of ``moved`` at level ``cut_level - 1`` of the tree before.
    A record may be silent, its tree equal to the one before.

    Attributes:
        trees: Level at which haplotypes i and j coalesce, int8 [segments, haplotypes, haplotypes];
            the diagonal is -1.
        first_bin: First genome bin of every segment, int32 [segments]; starts at 0 and increases.
        moved: A haplotype below the lineage that recombined at the left end of the segment, int32
            [segments]; -1 for the first segment.
        cut_level: The branch was cut between the representative times of levels ``cut_level - 1``
            and ``cut_level`` (from the present if 0), int32 [segments]; unused for the first
            segment.
    """

    trees: np.ndarray
    first_bin: np.ndarray
    moved: np.ndarray
    cut_level: np.ndarray

    @property
    def num_segments(self) -> int:
        """Number of segments, silent records included."""
        return len(self.first_bin)

    @property
    def num_haplotypes(self) -> int:
        """Number of haplotypes."""
        return self.trees.shape[1]

    @property
    def silent(self) -> np.ndarray:
        """Whether the tree of each segment equals the one before, bool [segments]."""
        changed = (self.trees[1:] != self.trees[:-1]).any(axis=(1, 2))
        return np.concatenate([[False], ~changed])

    @property
    def visible_records(self) -> list[int]:
        """Segments, from the second on, whose tree differs from the one before."""
        return (np.flatnonzero(~self.silent[1:]) + 1).tolist()

    def segment_of_bin(self, bins: np.ndarray) -> np.ndarray:
        """Return the segment that holds each genome bin."""
        return np.searchsorted(self.first_bin, bins, side="right") - 1

    def boundaries(self, bin_edges: np.ndarray) -> np.ndarray:
        """Return the ends of the segments in base pairs, float64 [segments + 1]."""
        return np.append(bin_edges[self.first_bin], bin_edges[-1])

    def validate(self, num_levels: int, num_bins: int) -> None:
        """Check that the draw is an ancestral recombination graph on the grid.

        Args:
            num_levels: Number of time levels.
            num_bins: Number of genome bins.

        Raises:
            ValueError: If a tree is no ultrametric matrix, the segments are out of order, or a
                record does not lead from its tree to the next; names the first such segment.
        """
        self._check_shapes(num_bins)
        self._check_trees(num_levels)
        for segment in self.visible_records:
            self._check_record(segment)

    def _check_shapes(self, num_bins: int) -> None:
        shape = self.trees.shape
        if len(shape) != 3 or shape[1] != shape[2] or shape[1] < 2 or shape[0] < 1:
            raise ValueError(
                f"trees has shape {shape}; give [segments, haplotypes, haplotypes] with at least "
                "two haplotypes"
            )
        for name in ("first_bin", "moved", "cut_level"):
            if getattr(self, name).shape != shape[:1]:
                raise ValueError(
                    f"{name} has shape {getattr(self, name).shape}; give one for each of the "
                    f"{shape[0]} segments"
                )
        if self.first_bin[0] != 0 or (np.diff(self.first_bin) <= 0).any():
            raise ValueError("first_bin must start at 0 and increase strictly")
        if self.first_bin[-1] >= num_bins:
            raise ValueError(f"first_bin ends at {self.first_bin[-1]} of {num_bins} bins")

    def _check_trees(self, num_levels: int) -> None:
        off_diagonal = ~np.eye(self.num_haplotypes, dtype=bool)
        for segment, tree in enumerate(self.trees):
            levels = tree[off_diagonal]
            if (np.diagonal(tree) != -1).any() or levels.min() < 0 or levels.max() >= num_levels:
                raise ValueError(
                    f"tree of segment {segment} has levels outside 0..{num_levels - 1} (or a "
                    "diagonal other than -1)"
                )
            # Ultrametric: the larger two of any three entries are equal.
            detour = np.maximum(tree[:, :, None], tree[None, :, :]).min(axis=1)
            if (tree != tree.T).any() or (tree[off_diagonal] > detour[off_diagonal]).any():
                raise ValueError(f"tree of segment {segment} is not ultrametric and symmetric")

    def _check_record(self, segment: int) -> None:
        moved, cut = self.moved[segment], self.cut_level[segment]
        before, after = self.trees[segment - 1], self.trees[segment]
        if not 0 <= moved < self.num_haplotypes or cut < 0:
            raise ValueError(
                f"record of segment {segment} cuts haplotype {moved} at level {cut}: no such branch"
            )
        below = before[moved] <= cut - 1
        below[moved] = True
        same = below[:, None] == below[None, :]
        if below.all() or (before != after)[same].any() or after[moved][~below].min() < cut:
            raise ValueError(
                f"record of segment {segment} (haplotype {moved}, cut level {cut}) does not lead "
                "from the tree before to the tree after"
            )
