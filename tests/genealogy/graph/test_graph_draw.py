import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference.random_graphs import random_draw

NUM_LEVELS, NUM_BINS = 5, 40


def make_draw(seed=0):
    return random_draw(np.random.default_rng(seed), 5, NUM_LEVELS, 20, NUM_BINS)


@given(seed=st.integers(0, 10**6))
def test_random_graphs_are_valid(seed):
    make_draw(seed).validate(NUM_LEVELS, NUM_BINS)


def test_segments_and_bins():
    draw = make_draw()
    bins = np.arange(NUM_BINS)
    segments = draw.segment_of_bin(bins)
    np.testing.assert_array_equal(np.flatnonzero(np.diff(segments)) + 1, draw.first_bin[1:])
    bin_edges = np.linspace(0, 1, NUM_BINS + 1)
    assert draw.boundaries(bin_edges)[-1] == 1
    np.testing.assert_array_equal(draw.boundaries(bin_edges)[:-1], bin_edges[draw.first_bin])


def test_silent_segments_repeat_the_tree_before():
    draw = make_draw()
    trees = np.repeat(draw.trees[:2], 2, axis=0)
    silent = dataclasses.replace(draw, trees=trees).silent
    np.testing.assert_array_equal(silent[[0, 1, 3]], [False, True, True])


def broken_tree(draw):
    trees = draw.trees.copy()
    trees[3, 0, 1] = trees[3, 1, 0] = (trees[3, 0, 1] + 1) % NUM_LEVELS
    trees[3, 0, 2] = trees[3, 2, 0] = (trees[3, 0, 1] + 1) % NUM_LEVELS
    trees[3, 1, 2] = trees[3, 2, 1] = (trees[3, 0, 1] + 2) % NUM_LEVELS
    return {"trees": trees}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (broken_tree, "segment 3 is not ultrametric"),
        (lambda draw: {"trees": draw.trees + np.int8(1)}, "segment 0 has levels outside"),
        (lambda draw: {"trees": draw.trees[:, :1]}, "give .segments, haplotypes, haplotypes"),
        (lambda draw: {"moved": draw.moved[1:]}, "moved has shape"),
        (lambda draw: {"first_bin": draw.first_bin[::-1]}, "increase strictly"),
        (lambda draw: {"first_bin": draw.first_bin * 10}, "of 40 bins"),
        (lambda draw: {"moved": draw.moved * 0 - 1}, "no such branch"),
        (lambda draw: {"trees": draw.trees[np.r_[0, 2:20, 0]]}, "does not lead"),
    ],
)
def test_a_broken_draw_is_refused(change, message):
    draw = make_draw()
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(draw, **change(draw)).validate(NUM_LEVELS, NUM_BINS)
