"""Population size through time: closed forms, quadrature, inverses, gradients and scaling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.time_grid import TimeGrid

BREAKPOINTS = jnp.array([0.0, 800.0, 3_000.0])
SIZES = jnp.array([9_000.0, 500.0, 20_000.0])
BOTTLENECK = PiecewiseConstant(BREAKPOINTS, SIZES)
TIMES = jnp.array([0.0, 10.0, 800.0, 801.0, 2_500.0, 3_000.0, 1e5])
GRID = TimeGrid.geometric(7, first=50.0, last=50_000.0, tail=20_000.0)

sizes = st.lists(st.floats(100.0, 1e6), min_size=3, max_size=3)


def test_size_at_changes_at_the_breakpoints():
    at = [9e3, 9e3, 500.0, 500.0, 500.0, 2e4, 2e4]
    np.testing.assert_array_equal(BOTTLENECK.size_at(TIMES), at)


def test_constant_size_in_closed_form():
    constant = PiecewiseConstant.constant(5e3)
    np.testing.assert_allclose(constant.coalescent_intensity(TIMES), TIMES / 1e4, rtol=1e-14)
    np.testing.assert_allclose(constant.mean_pairwise_tmrca(), 1e4, rtol=1e-14)
    np.testing.assert_allclose(constant.level_sizes(GRID), np.full(7, 5e3), rtol=1e-12)
    np.testing.assert_array_equal(constant.size_at(TIMES), np.full(7, 5e3))


def test_intensity_equals_quadrature():
    breakpoints = np.asarray(BREAKPOINTS)
    for time in [500.0, 2_000.0, 9_000.0]:
        expected, _ = scipy.integrate.quad(
            lambda t: 1 / (2 * float(SIZES[np.searchsorted(breakpoints, t, side="right") - 1])),
            0.0,
            time,
            points=breakpoints[1:],
        )
        intensity = BOTTLENECK.coalescent_intensity(jnp.asarray(time))
        np.testing.assert_allclose(intensity, expected, rtol=1e-10)


def test_mean_tmrca_is_the_integral_of_the_survival():
    times = np.concatenate([np.linspace(0, 3_000, 40_001), np.linspace(3_000, 1.5e6, 400_001)])
    apart = np.exp(-np.asarray(BOTTLENECK.coalescent_intensity(jnp.asarray(times))))
    expected = scipy.integrate.trapezoid(apart, times)
    np.testing.assert_allclose(BOTTLENECK.mean_pairwise_tmrca(), expected, rtol=1e-6)


@given(sizes, st.lists(st.floats(0.0, 1e6), min_size=4, max_size=4))
def test_inverse_intensity_undoes_the_intensity(sizes, times):
    population = PiecewiseConstant(BREAKPOINTS, jnp.asarray(sizes))
    there = population.coalescent_intensity(jnp.asarray(times))
    np.testing.assert_allclose(population.inverse_intensity(there), times, rtol=1e-9, atol=1e-9)


@given(sizes)
def test_doubling_the_sizes_halves_the_intensities(sizes):
    population = PiecewiseConstant(BREAKPOINTS, jnp.asarray(sizes))
    doubled = PiecewiseConstant(BREAKPOINTS, 2 * jnp.asarray(sizes))
    halved = population.level_intensities(GRID) / 2
    np.testing.assert_allclose(doubled.level_intensities(GRID), halved, rtol=1e-12)
    means = population.level_sizes(GRID)
    np.testing.assert_allclose(doubled.level_sizes(GRID), 2 * means, rtol=1e-12)


def test_level_intensities_add_up_and_the_last_is_infinite():
    rises = BOTTLENECK.level_intensities(GRID)
    total = BOTTLENECK.coalescent_intensity(GRID.edges[-1])
    np.testing.assert_allclose(rises[:-1].sum(), total, rtol=1e-12)
    assert np.isposinf(rises[-1])


def test_level_sizes_reproduce_the_intensities():
    means = BOTTLENECK.level_sizes(GRID)
    widths = jnp.diff(GRID.edges)
    rises = BOTTLENECK.level_intensities(GRID)[:-1]
    np.testing.assert_allclose(widths / (2 * means[:-1]), rises, rtol=1e-12)
    assert means[-1] == SIZES[-1]


@pytest.mark.parametrize(
    "function",
    [
        lambda population, time: population.coalescent_intensity(time),
        lambda population, time: population.inverse_intensity(time / 1e4),
        lambda population, time: population.mean_pairwise_tmrca() + time,
    ],
    ids=["intensity", "inverse", "mean_tmrca"],
)
def test_gradients_equal_finite_differences(function):
    def value(parameters):
        return function(PiecewiseConstant(BREAKPOINTS, parameters[:3]), parameters[3])

    point = jnp.append(SIZES, 4_321.0)
    slopes = jax.grad(value)(point)
    for k, step in enumerate(np.diag([0.1, 0.01, 0.1, 0.01])):
        change = value(point + step) - value(point - step)
        np.testing.assert_allclose(slopes[k], change / (2 * step[k]), rtol=1e-5, atol=1e-12)


def test_vmap_over_sizes_equals_a_loop():
    batch = jnp.stack([SIZES, SIZES / 2, SIZES * 3])

    def intensity(sizes):
        return PiecewiseConstant(BREAKPOINTS, sizes).coalescent_intensity(TIMES)

    looped = np.stack([intensity(sizes) for sizes in batch])
    np.testing.assert_allclose(jax.vmap(intensity)(batch), looped, rtol=1e-14)


@pytest.mark.parametrize(
    ("breakpoints", "sizes", "message"),
    [
        ([1.0], [5.0], "first epoch must start at time 0"),
        ([0.0, 4.0, 4.0], [1.0, 1.0, 1.0], "epoch 2 starts at 4.0 after 4.0"),
        ([0.0, 4.0], [1.0, 0.0], "epoch 1 has 0.0"),
        ([0.0], [np.nan], "epoch 0 has nan"),
    ],
)
def test_unsound_population_sizes_are_refused(breakpoints, sizes, message):
    with pytest.raises(ValueError, match=message):
        PiecewiseConstant(jnp.asarray(breakpoints), jnp.asarray(sizes))
