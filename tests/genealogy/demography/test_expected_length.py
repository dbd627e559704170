import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.genealogy.demography.expected_length import expected_branch_length
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.model.coalescent import death_process

EDGES = jnp.array([0.0, 500.0, 3000.0, 20000.0])
SIZES = jnp.array([8e3, 1e3, 2e4, 1e4])


@pytest.mark.parametrize("num", [2, 3, 20, 200])
def test_length_in_a_constant_population(num):
    found = expected_branch_length(EDGES, jnp.full(4, 1e4), num)
    np.testing.assert_allclose(found, 4e4 * (1 / np.arange(1, num)).sum(), rtol=1e-10)


def test_length_of_two_is_twice_their_coalescence_time():
    mean = PiecewiseConstant(EDGES, SIZES).mean_pairwise_tmrca()
    np.testing.assert_allclose(expected_branch_length(EDGES, SIZES, 2), 2 * mean, rtol=1e-12)


def test_length_is_the_integral_of_the_number_of_lineages():
    """Trapezoidal rule over the death process, for five haplotypes."""
    history = PiecewiseConstant(EDGES, SIZES)
    times = np.linspace(0, 3e5, 6001)
    intensities = np.asarray(history.coalescent_intensity(jnp.asarray(times)))
    lineages = np.stack([death_process(5, value)[5] for value in intensities])
    waiting = lineages[:, 2:] @ np.arange(2, 6)
    np.testing.assert_allclose(
        expected_branch_length(EDGES, SIZES, 5), np.trapezoid(waiting, times), rtol=1e-4
    )


def test_length_scales_with_time_and_can_be_differentiated():
    double = expected_branch_length(2 * EDGES, 2 * SIZES, 6)
    np.testing.assert_allclose(double, 2 * expected_branch_length(EDGES, SIZES, 6), rtol=1e-12)
    slope = jax.grad(lambda sizes: expected_branch_length(EDGES, sizes, 6))(SIZES)
    for level in range(4):
        step = 1e-3 * SIZES[level] * np.eye(4)[level]
        change = expected_branch_length(EDGES, SIZES + step, 6)
        change = change - expected_branch_length(EDGES, SIZES - step, 6)
        np.testing.assert_allclose(slope[level], change / (2 * step.sum()), rtol=1e-5)
