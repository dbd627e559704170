"""Accessible intervals of a genome: the bases that could be called."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from escapement_jax.io.reader import reader
from escapement_jax.io.text_files import number_field, read_fields

LARGEST_POSITION = 2**53
"""Bases up to here are counted exactly."""


@reader
def read_accessibility_mask(path: Path) -> dict[str, np.ndarray]:
    """Read a BED file of accessible intervals (chromosome, start, end; counted from 0, half-open).

    Args:
        path: a BED file, plain or gzip-compressed; further columns are ignored.

    Returns:
        For each contig the merged intervals, int64 [intervals, 2], sorted and disjoint.

    Raises:
        FileNotFoundError: when the file is absent.
        ValueError: when it is unreadable, empty, or holds an empty or negative interval.
    """
    intervals: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for line, fields in read_fields(path):
        if fields[0] in ("track", "browser"):
            continue
        start = number_field(fields, 1, path, line)
        end = number_field(fields, 2, path, line)
        if not 0 <= start < end <= LARGEST_POSITION or start % 1 or end % 1:
            raise ValueError(
                f"{path}: line {line} must have 0 <= start < end in whole numbers, "
                f"seen {start:.12g} and {end:.12g}"
            )
        intervals[fields[0]].append((start, end))
    if not intervals:
        raise ValueError(f"{path}: the mask holds no interval")
    return {
        contig: merge_intervals(np.array(pairs, dtype=np.int64))
        for contig, pairs in intervals.items()
    }


def merge_intervals(intervals: np.ndarray) -> np.ndarray:
    """Sort intervals and join those that overlap or touch.

    Args:
        intervals: half-open intervals, [intervals, 2], at least one.

    Returns:
        Sorted disjoint intervals with the same union.
    """
    intervals = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reach = np.maximum.accumulate(intervals[:, 1])
    opens = np.concatenate([[True], intervals[1:, 0] > reach[:-1]])
    closes = np.concatenate([opens[1:], [True]])
    return np.stack([intervals[opens, 0], reach[closes]], axis=1)


def clip_intervals(intervals: np.ndarray, start: int, end: int) -> np.ndarray:
    """Cut intervals down to a region.

    Args:
        intervals: sorted disjoint half-open intervals, [intervals, 2].
        start: first base pair of the region.
        end: one past its last base pair.

    Returns:
        What lies inside the region, possibly no interval at all.
    """
    clipped = np.clip(intervals, start, end)
    return clipped[clipped[:, 0] < clipped[:, 1]]


def without_positions(intervals: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Take single bases out of accessible intervals.

    Args:
        intervals: int64 [intervals, 2], half-open, sorted and disjoint.
        positions: bases to take out, sorted; those outside the intervals are ignored.

    Returns:
        The intervals that are left.
    """
    starts = np.union1d(intervals[:, 0], positions + 1)
    inside = np.searchsorted(intervals[:, 0], starts, side="right") - 1
    starts = starts[(inside >= 0) & (starts < intervals[np.maximum(inside, 0), 1])]
    starts = np.setdiff1d(starts, positions)
    next_cut = np.append(positions, np.iinfo(np.int64).max)[np.searchsorted(positions, starts)]
    ends = intervals[np.searchsorted(intervals[:, 0], starts, side="right") - 1, 1]
    return np.stack([starts, np.minimum(ends, next_cut)], axis=1).astype(np.int64)
