import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

from escapement_jax.curiosity.systems import Box

BOX = Box.of([-1.0, 2.0, 5.0], [3.0, 2.0, 6.0])
UNITS = arrays.arrays(float, (4, 3), elements=st.floats(0, 1))


@given(UNITS)
def test_unit_cube_and_box_map_onto_each_other(unit):
    inside = BOX.from_unit(jnp.asarray(unit))
    np.testing.assert_allclose(BOX.clip(inside), inside)
    expected = unit * np.array([1.0, 0.0, 1.0])
    np.testing.assert_allclose(BOX.to_unit(inside), expected, atol=1e-12)


def test_fixed_parameters_have_gradient_zero_not_nan():
    slope = jax.jacfwd(BOX.to_unit)(jnp.array([0.0, 2.0, 5.5]))
    np.testing.assert_allclose(slope, np.diag([0.25, 0.0, 1.0]))


def test_samples_fill_the_box():
    drawn = BOX.sample(2000, key=jax.random.key(0))
    low, high = np.asarray(drawn.min(0)), np.asarray(drawn.max(0))
    np.testing.assert_allclose(low, BOX.low, atol=0.01)
    np.testing.assert_allclose(high, BOX.high, atol=0.01)


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ([0.0, 3.0], [1.0, 2.0], r"parameter 1 are \[3.0, 2.0\]"),
        ([0.0], [np.inf], "finite"),
        ([1.0, 2.0], [1.0, 2.0], "all 2 parameters are fixed"),
        ([0.0, 1.0], [1.0], "one of each"),
    ],
)
def test_impossible_bounds_are_named(low, high, message):
    with pytest.raises(ValueError, match=message):
        Box.of(low, high)
