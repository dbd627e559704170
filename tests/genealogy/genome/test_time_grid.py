"""The time grid: its closed form, its levels, and what it refuses."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy.genome.time_grid import TimeGrid, level_of


def test_geometric_grid_in_closed_form():
    grid = TimeGrid.geometric(4, first=100.0, last=10_000.0, tail=5_000.0)
    np.testing.assert_allclose(grid.edges, [0.0, 100.0, 1_000.0, 10_000.0], rtol=1e-12)
    midpoints = [50.0, 100 * 10**0.5, 1_000 * 10**0.5, 15_000.0]
    np.testing.assert_allclose(grid.times, midpoints, rtol=1e-12)
    assert grid.num_levels == 4


@pytest.mark.parametrize("levels", [2, 3, 24])
def test_every_time_lies_in_its_level(levels):
    grid = TimeGrid.for_population_size(levels, 1e4)
    assert grid.num_levels == levels
    np.testing.assert_array_equal(level_of(grid.edges, grid.times), np.arange(levels))


def test_grid_scales_with_the_population():
    small, large = (TimeGrid.for_population_size(8, size) for size in (1e3, 3e3))
    np.testing.assert_allclose(large.edges, 3 * small.edges, rtol=1e-12)
    np.testing.assert_allclose(large.times, 3 * small.times, rtol=1e-12)
    np.testing.assert_allclose(small.edges[1], 15.0, rtol=1e-12)
    np.testing.assert_allclose(small.edges[-1], 15_000.0, rtol=1e-12)
    np.testing.assert_allclose(small.times[-1], 17_000.0, rtol=1e-12)


@given(st.lists(st.floats(0.0, 1e6), min_size=5, max_size=5))
def test_level_of_brackets_the_time(times):
    grid = TimeGrid.geometric(6, first=10.0, last=1e5, tail=1e4)
    upper = np.append(grid.edges[1:], np.inf)
    levels = np.asarray(level_of(grid.edges, jnp.asarray(times)))
    assert np.all(np.asarray(grid.edges)[levels] <= times)
    assert np.all(times < upper[levels])


@pytest.mark.parametrize(
    ("edges", "times", "message"),
    [
        ([0.0], [1.0], "at least 2 levels, got 1"),
        ([1.0, 2.0], [1.5, 3.0], r"edges\[0\] = 1.0"),
        ([0.0, 5.0, 5.0], [1.0, 5.0, 6.0], r"edges\[2\] = 5.0 follows 5.0"),
        ([0.0, 5.0, np.nan], [1.0, 5.5, 6.0], r"edges\[2\] = nan"),
        ([0.0, 5.0], [1.0, 4.0], "time of level 1 .* starts at 5.0; got 4.0"),
    ],
)
def test_unsound_levels_are_refused(edges, times, message):
    with pytest.raises(ValueError, match=message):
        TimeGrid(jnp.asarray(edges), jnp.asarray(times))


@pytest.mark.parametrize(
    ("levels", "first", "last", "tail", "message"),
    [
        (1, 1.0, 2.0, 1.0, "at least 2 levels, got 1"),
        (4, 2.0, 1.0, 1.0, "first = 2.0, last = 1.0"),
        (4, 1.0, 2.0, 0.0, "tail = 0.0"),
    ],
)
def test_unsound_geometric_grids_are_refused(levels, first, last, tail, message):
    with pytest.raises(ValueError, match=message):
        TimeGrid.geometric(levels, first=first, last=last, tail=tail)


def test_grid_needs_a_positive_population_size():
    with pytest.raises(ValueError, match="positive and finite, got -1.0"):
        TimeGrid.for_population_size(8, -1.0)
