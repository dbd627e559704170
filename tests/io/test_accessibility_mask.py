"""Accessibility masks."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.io.accessibility_mask import (
    clip_intervals,
    merge_intervals,
    read_accessibility_mask,
    without_positions,
)

BED = "track name=x\n#comment\nchr1\t5\t8\tstrict\nchr1 1 3\nchr1 3 4\nchr2 0 9\n"
pairs = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), min_size=1, max_size=6)


def covered(intervals):
    """The set of base pairs in some intervals."""
    return {base for start, end in intervals for base in range(start, end)}


@pytest.mark.parametrize("encode", [str.encode, lambda text: gzip.compress(text.encode())])
def test_reading(tmp_path, encode):
    path = tmp_path / "mask.bed"
    path.write_bytes(encode(BED))
    mask = read_accessibility_mask(path)
    assert {contig: intervals.tolist() for contig, intervals in mask.items()} == {
        "chr1": [[1, 4], [5, 8]],
        "chr2": [[0, 9]],
    }


@given(pairs, st.integers(0, 20), st.integers(1, 20))
def test_merging_and_clipping_keep_the_bases(starts_and_lengths, start, length):
    intervals = np.array([[s, s + n] for s, n in starts_and_lengths])
    merged = merge_intervals(intervals)
    assert covered(merged) == covered(intervals)
    assert (merged[1:, 0] > merged[:-1, 1]).all()
    clipped = clip_intervals(merged, start, start + length)
    assert covered(clipped) == covered(intervals) & set(range(start, start + length))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1 5 5\n", "line 1 must have 0 <= start < end in whole numbers, seen 5 and 5"),
        ("chr1 0 1\nchr1 -1 5\n", "line 2 must have"),
        ("chr1 5\n", "line 1 needs a number in column 3, seen 'nothing'"),
        ("chr1 x 5\n", "line 1 needs a number in column 2, seen 'x'"),
        ("# nothing\n", "the mask holds no interval"),
    ],
)
def test_refusals_name_the_line(tmp_path, text, message):
    path = tmp_path / "mask.bed"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"mask.bed: {message}"):
        read_accessibility_mask(path)


def test_an_absent_mask_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_accessibility_mask(tmp_path / "mask.bed")


def test_single_bases_are_taken_out_of_intervals():
    intervals = np.array([[0, 5], [10, 12], [20, 21]])
    left = without_positions(intervals, np.array([0, 2, 4, 7, 11, 20]))
    assert left.tolist() == [[1, 2], [3, 4], [10, 11]]
    assert without_positions(intervals, np.array([], dtype=np.int64)).tolist() == intervals.tolist()
