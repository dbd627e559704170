import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.curiosity.diversity import (
    DescriptorGrid,
    data_extent,
    disc_coverage,
    filled_bins,
    filled_curve,
    percent_of_feasible,
    quality_diversity,
)

GRID = DescriptorGrid((0.0, -1.0), (1.0, 1.0), 5)
RNG = np.random.default_rng(0)
POINTS = RNG.uniform((0, -1), (1, 1), (200, 2))
FOUND = RNG.random(200) < 0.6


def test_filled_bins_are_those_of_a_histogram():
    counts, _ = np.histogramdd(POINTS[FOUND], bins=5, range=[(0, 1), (-1, 1)])
    assert filled_bins(POINTS, FOUND, GRID) == (counts > 0).sum()
    assert filled_curve(POINTS, FOUND, GRID)[-1] == (counts > 0).sum()


def test_the_curve_counts_first_visits():
    points = np.array([[0.1, 0.0], [0.1, 0.0], [0.9, 0.0], [0.5, 0.0]])
    assert filled_curve(points, [True, True, False, True], GRID).tolist() == [1, 1, 1, 2]


def test_quality_diversity_sums_the_best_of_every_cell():
    points = np.array([[0.1, 0.0], [0.1, 0.0], [0.9, 0.0]])
    assert quality_diversity(points, np.ones(3), [0.2, 0.7, 0.5], GRID) == pytest.approx(1.2)


def test_cells_and_coordinates_are_inverse_and_points_outside_go_to_the_nearest():
    cells = GRID.cells(jnp.asarray([[0.5, 0.1], [7.0, -9.0]]))
    assert GRID.coordinates(cells).tolist() == [[2, 2], [4, 0]]
    assert GRID.contains(jnp.asarray([[0.5, 0.1], [7.0, -9.0]])).tolist() == [True, False]


def test_share_of_the_feasible_counts_cells_in_the_extent_only():
    grid = DescriptorGrid((0.0, 0.0, 0.0), (1.0, 1.0, 1.2))
    points = np.array([[0.5, 0.2, 0.3], [0.5, 0.2, 5.0]])
    assert percent_of_feasible(points, [True, True], grid) == pytest.approx(100 / 2718)


def test_extent_of_the_data_includes_zero():
    grid = data_extent((POINTS + 1, FOUND))
    np.testing.assert_allclose(grid.low, 0)
    np.testing.assert_allclose(grid.high, (POINTS + 1)[FOUND].max(0))
    with pytest.raises(ValueError, match="nothing was found"):
        data_extent((POINTS, np.zeros(200, bool)))


def test_one_disc_and_two_distant_discs_have_known_areas():
    one = np.pi * 0.1**2 / 1.2**2
    np.testing.assert_allclose(
        disc_coverage([[0.5, 0.5]], [0, 0], [1, 1], radius=0.1), one, rtol=0.01
    )
    two = disc_coverage([[0.2, 0.5], [0.8, 0.5], [0.8, 0.5]], [0, 0], [1, 1], radius=0.1)
    np.testing.assert_allclose(two, 2 * one, rtol=0.01)


def test_empty_extents_and_huge_grids_are_refused():
    with pytest.raises(ValueError, match="descriptor 1"):
        DescriptorGrid((0.0, 1.0), (1.0, 1.0))
    with pytest.raises(ValueError, match="cells"):
        DescriptorGrid((0.0,) * 8, (1.0,) * 8, 20)
    with pytest.raises(ValueError, match="empty"):
        disc_coverage([[0.0, 0.0]], [0, 0], [0, 1])
