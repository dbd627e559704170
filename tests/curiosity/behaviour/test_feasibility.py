import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given

from escapement_jax.curiosity.behaviour.feasibility import (
    Sinusoid,
    feasible_cells,
    is_feasible,
    largest_amplitude,
    nearest_reachable_sinusoid,
    root_mean_square_floor,
    sinusoid_is_reachable,
)

WAVES = st.builds(Sinusoid, st.floats(0.01, 0.6), st.floats(0.02, 0.98), st.floats(0.02, 1.0))


@given(st.floats(0.05, 0.95), st.floats(0.3, 1.5), st.floats(0.5, 1.5))
def test_the_largest_swing_takes_exactly_one_period(offset, frequency, decay):
    """Full production up, none down: the closed form inverts the time that takes."""
    place = offset / decay
    swing = float(largest_amplitude(jnp.asarray(place), jnp.asarray(frequency), decay=decay))
    low, high = decay * (place - swing / 2), decay * (place + swing / 2)
    seconds = (np.log((1 - low) / (1 - high)) + np.log(high / low)) / decay
    np.testing.assert_allclose(seconds * frequency, 1, rtol=1e-6)


def test_in_the_middle_the_bound_is_a_hyperbolic_tangent():
    np.testing.assert_allclose(
        largest_amplitude(jnp.asarray(0.5), jnp.asarray(0.4)), np.tanh(1 / 1.6), rtol=1e-12
    )


def test_cells_that_can_be_filled_are_those_of_the_published_grid():
    assert feasible_cells((0.0, 0.0, 0.0), (1.0, 1.0, 1.2), 20).sum() == 2718


def test_no_point_outside_is_feasible():
    args = [jnp.array(x) for x in ([0.5, 1.2, 0.5, 0.5], [0.2, 0.1, -0.1, 0.9], [0.5] * 4)]
    assert is_feasible(*args).tolist() == [True, False, False, False]


@given(WAVES)
def test_nearest_reachable_sinusoid_is_reachable_and_no_further_than_rest(wave):
    near = nearest_reachable_sinusoid(wave)
    slightly_less = near._replace(amplitude=near.amplitude * (1 - 1e-9))
    assert sinusoid_is_reachable(slightly_less)
    apart = np.hypot((near.amplitude - wave.amplitude) / np.sqrt(2), near.offset - wave.offset)
    assert apart <= wave.amplitude / np.sqrt(2) + 1e-9
    assert sinusoid_is_reachable(wave) == (near == wave)


def test_floor_lies_between_zero_and_the_nearest_sinusoid():
    wave = Sinusoid(0.4402, 0.4627, 0.2214)
    near = nearest_reachable_sinusoid(wave)
    ceiling = np.hypot((near.amplitude - wave.amplitude) / np.sqrt(2), near.offset - wave.offset)
    floor = root_mean_square_floor(wave)
    np.testing.assert_allclose(floor, 0.0636, atol=1e-4)
    assert floor < ceiling
    assert root_mean_square_floor(Sinusoid(0.1, 0.5, 0.1)) == 0


def test_no_production_beats_the_floor():
    """Any drive between 0 and 1, here random square waves of the target's period."""
    wave = Sinusoid(0.4402, 0.4627, 0.2214)
    floor, number = root_mean_square_floor(wave), 400
    step = 1 / (wave.frequency * number)
    times = np.arange(number) * step
    target = wave.amplitude * np.cos(2 * np.pi * wave.frequency * times) + wave.offset
    edges = np.asarray(jax.random.uniform(jax.random.key(0), (50, 2)))
    for start, share in edges:
        drive = ((np.arange(number) / number - start) % 1 < share).astype(float)
        y = np.zeros(number)
        last = 0.0
        for _ in range(6):
            for k in range(number):
                y[k], last = last, last + (drive[k] - last) * -np.expm1(-step)
        assert np.sqrt(np.mean((y - target) ** 2)) > floor - 1e-4
