"""Laws of the ways to write a population size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy.demography.monotone_spline import rational_quadratic
from escapement_jax.genealogy.demography.size_models import ROUGHNESS, size_model
from escapement_jax.genealogy.genome.time_grid import TimeGrid

GRID = TimeGrid.for_population_size(24, 1e4)
KINDS = ["constant", "random-walk", "gaussian-process", "spline"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_prior_is_centred_on_a_constant_size(kind):
    model = size_model(kind, GRID, 1e4)
    log_sizes = model.log_sizes(jnp.asarray(model.mean))
    np.testing.assert_allclose(log_sizes, np.log(1e4), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_rougher_priors_vary_more_through_time(kind):
    """Standard deviation of the change of log size from level 5 to level 15."""
    model = size_model(kind, GRID, 1e4)
    slopes = np.asarray(jax.jacfwd(model.log_sizes)(jnp.asarray(model.mean)))
    change = slopes[15] - slopes[5]
    spread = np.sqrt([change @ covariance @ change for covariance in model.covariances])
    if kind == "constant":
        assert spread.shape == (1,)
        assert spread[0] < 0.01
        return
    assert spread.shape == (len(ROUGHNESS),)
    np.testing.assert_allclose(spread / spread[-1], np.array(ROUGHNESS) / ROUGHNESS[-1], rtol=0.05)


def test_random_walk_has_its_variance_per_e_fold():
    model = size_model("random-walk", GRID, 1e4)
    log_times = np.log(np.asarray(GRID.times))
    change = np.zeros(24)
    change[[5, 15]] = -1, 1
    expected = ROUGHNESS[3] ** 2 * (log_times[15] - log_times[5])
    np.testing.assert_allclose(change @ model.covariances[3] @ change, expected, rtol=1e-3)


def test_spline_sizes_are_those_of_a_piecewise_constant_history_of_equal_intensity():
    model = size_model("spline", GRID, 1e4)
    parameters = model.mean + 0.3 * np.sin(np.arange(model.mean.size))
    sizes = np.exp(np.asarray(model.log_sizes(jnp.asarray(parameters))))
    intensity = np.cumsum(np.diff(GRID.edges) / (2 * sizes[:-1]))
    np.testing.assert_allclose(np.log(intensity[0]), parameters[0], rtol=1e-9)
    assert np.all(sizes > 0)


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="'cubic'; choose constant, random-walk"):
        size_model("cubic", GRID, 1e4)


positive = st.floats(0.1, 10.0)


@given(st.lists(positive, min_size=4, max_size=4), st.lists(positive, min_size=5, max_size=5))
def test_splines_increase_through_their_knots_with_their_slopes(rises, slopes):
    knots, slopes = jnp.array([-1.0, 0.0, 0.5, 2.0, 4.0]), jnp.asarray(slopes)
    heights = jnp.concatenate([jnp.zeros(1), jnp.cumsum(jnp.asarray(rises))])
    points = jnp.linspace(-2, 5, 141)
    values = rational_quadratic(points, knots, heights, slopes)
    assert np.all(np.diff(values) > 0)
    np.testing.assert_allclose(
        rational_quadratic(knots, knots, heights, slopes), heights, atol=1e-12
    )
    for side in (-1e-7, 1e-7):
        beside = rational_quadratic(knots + side, knots, heights, slopes)
        np.testing.assert_allclose((beside - heights) / side, slopes, rtol=1e-4)


def test_splines_reproduce_straight_lines():
    knots = jnp.array([0.0, 1.0, 3.0])
    points = jnp.linspace(-1, 4, 11)
    values = rational_quadratic(points, knots, 2 * knots + 1, jnp.full(3, 2.0))
    np.testing.assert_allclose(values, 2 * points + 1, rtol=1e-12)
