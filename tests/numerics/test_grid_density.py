"""Draws from tabulated densities: laws of the linear density, and of the zooming grid."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, norm

from escapement_jax.numerics.grid_density import draw_from_curve, zoom_in

DRAWS = 4000
draw_many = jax.jit(jax.vmap(draw_from_curve, in_axes=(0, None, None)))


def keys(seed: int) -> jax.Array:
    return jax.random.split(jax.random.key(seed), DRAWS)


@pytest.mark.statistical
def test_draws_follow_the_linear_density():
    """Density 2 x on [0, 1] by two points: the distribution function is x^2. False alarms: 1e-4."""
    tiny = 1e-30
    drawn = draw_many(keys(0), jnp.array([0.0, 1.0]), jnp.log(jnp.array([tiny, 2.0])))
    assert kstest(np.asarray(drawn) ** 2, "uniform").pvalue > 1e-4


@pytest.mark.statistical
def test_draws_follow_a_normal_density():
    """Linear between 64 points over 12 standard deviations. False alarms: 1e-4."""
    grid = jnp.linspace(-6.0, 6.0, 64)
    drawn = draw_many(keys(1), grid, -0.5 * grid**2)
    assert kstest(np.asarray(drawn), norm.cdf).pvalue > 1e-4


@given(st.integers(0, 10**6))
def test_draws_stay_where_there_is_mass(seed):
    """Two cells of three have no mass at either end."""
    generator = np.random.default_rng(seed)
    grid = jnp.asarray(np.sort(generator.uniform(-5, 5, 5)))
    log_density = jnp.array([-jnp.inf, -jnp.inf, 0.0, float(generator.normal()), -jnp.inf])
    drawn = draw_many(keys(seed), grid, log_density)
    assert float(drawn.min()) >= float(grid[1])
    assert float(drawn.max()) <= float(grid[4])


@pytest.mark.parametrize("width", [2.0, 0.05, 0.002])
def test_the_grid_finds_narrow_densities_of_all_draws(width):
    """Unequal heights and places; the mass is that of the normal."""
    centres = np.array([[-2.31], [0.42]])

    def log_density(points):
        return 1e3 * centres - 0.5 * ((points - centres) / width) ** 2

    start = np.tile(np.linspace(-5.0, 5.0, 48), (2, 1))
    grid, values = zoom_in(log_density, start, zooms=3)
    spacing = grid[:, 1] - grid[:, 0]
    mass = np.exp(values - 1e3 * centres).sum(1) * spacing / (width * np.sqrt(2 * np.pi))
    inside = norm.cdf((5 - centres[:, 0]) / width) - norm.cdf((-5 - centres[:, 0]) / width)
    np.testing.assert_allclose(mass, inside, rtol=0.02)


def test_a_density_that_is_nowhere_a_number_is_named():
    def log_density(points):
        return np.where(np.arange(2)[:, None] == 1, np.nan, points)

    with pytest.raises(ValueError, match="density of draw 1"):
        zoom_in(log_density, np.tile(np.linspace(0.0, 1.0, 8), (2, 1)), zooms=1)
