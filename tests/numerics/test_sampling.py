"""Inversion of discrete distributions: exact, and never an outcome of weight zero."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.numerics.cumulative import sum_below
from escapement_jax.numerics.sampling import sample_index

DTYPES = [jnp.float32, jnp.float64]
WEIGHTS = [0.0, 2.0, 0.0, 1.0, 5.0, 0.0]

sample_many = jax.jit(jax.vmap(sample_index, in_axes=(0, None)))
sample_rows = jax.jit(jax.vmap(sample_index))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_distribution_is_inverted_exactly(dtype):
    """A grid of uniform numbers, the jumps at 2/8 and 3/8 included."""
    uniforms = jnp.arange(64, dtype=dtype) / 64
    expected = np.repeat([1, 3, 4], [16, 8, 40])
    drawn = sample_many(uniforms, jnp.asarray(WEIGHTS, dtype))
    assert drawn.dtype == jnp.int32
    np.testing.assert_array_equal(drawn, expected)


@given(
    weights=st.lists(st.sampled_from([0.0, 1e-30, 0.1, 1.0, 1e6]), min_size=7, max_size=7),
    uniform=st.floats(0, 1, exclude_max=True),
)
def test_zero_weights_are_never_drawn(weights, uniform):
    drawn = int(sample_many(jnp.asarray([uniform]), jnp.asarray(weights))[0])
    assert weights[drawn] > 0 or (drawn == 0 and not any(weights))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [24, 480])
def test_a_uniform_number_next_to_one_draws_a_positive_weight(dtype, size):
    """Where the sums of the last outcomes differ by no more than rounding."""
    generator = np.random.default_rng(size)
    weights = generator.exponential(size=(500, size)) ** 4
    last = generator.integers(1, size, 500)
    weights[np.arange(size)[None, :] > last[:, None]] = 0
    weights[:, 0] = 0
    spacing = float(jnp.finfo(dtype).eps)
    uniforms = 1 - spacing * generator.integers(1, 6, 500)
    drawn = sample_rows(jnp.asarray(uniforms, dtype), jnp.asarray(weights, dtype))
    assert (weights[np.arange(500), drawn] > 0).all()


@pytest.mark.parametrize("size", [24, 480])
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_a_uniform_number_at_a_jump_draws_a_positive_weight(size, offset):
    """Partial sums before and after an outcome of weight zero differ by rounding."""
    generator = np.random.default_rng(size)
    weights = generator.exponential(size=(2_000, size)).astype(np.float32) ** 4
    weights[generator.random(weights.shape) < 0.5] = 0
    rows, jumps = np.arange(2_000), generator.integers(1, size - 1, 2_000)
    cumulative = np.asarray(sum_below(jnp.asarray(weights))) + weights
    uniforms = cumulative[rows, jumps] / cumulative[:, -1] + np.float32(offset * 2**-24)
    drawn = sample_rows(jnp.asarray(np.clip(uniforms, 0, 1)), jnp.asarray(weights))
    assert (weights[rows, drawn] > 0).all()


def test_without_any_weight_the_first_outcome_is_drawn():
    np.testing.assert_array_equal(sample_many(jnp.asarray([0.0, 0.7]), jnp.zeros(6)), [0, 0])


def test_only_proportions_count():
    uniforms = jnp.linspace(0, 0.999, 200)
    drawn = sample_many(uniforms, jnp.asarray(WEIGHTS))
    np.testing.assert_array_equal(sample_many(uniforms, 1e-200 * jnp.asarray(WEIGHTS)), drawn)


@pytest.mark.statistical
@pytest.mark.parametrize("dtype", DTYPES)
def test_frequencies_are_the_weights(dtype):
    """Four standard errors: a false alarm in 1 of 5,000 seeds for each type."""
    uniforms = jax.random.uniform(jax.random.key(0), (20_000,), dtype)
    drawn = sample_many(uniforms, jnp.asarray(WEIGHTS, dtype))
    expected = np.array(WEIGHTS) / 8
    frequencies = np.bincount(drawn, minlength=6) / 20_000
    assert (np.abs(frequencies - expected) <= 4 * np.sqrt(expected * (1 - expected) / 2e4)).all()
