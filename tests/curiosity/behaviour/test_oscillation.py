import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

from escapement_jax.curiosity.behaviour import EndPoint, FunctionBehaviour, Oscillation
from escapement_jax.curiosity.behaviour.oscillation import measure_oscillation
from escapement_jax.curiosity.behaviour.regimes import is_converging, is_monotone, is_steady
from escapement_jax.curiosity.behaviour.source_oscillation import is_periodic
from escapement_jax.curiosity.behaviour.spectrum import amplitude_spectrum, frequencies

STEP = 0.1
TIMES = np.arange(500) * STEP
measure = jax.jit(lambda signal: measure_oscillation(signal, STEP))


@given(
    amplitude=st.floats(0.05, 0.5),
    offset=st.floats(-1, 1),
    frequency=st.floats(0.07, 1.0),
    phase=st.floats(0, 6.28),
)
def test_sinusoids_are_measured(amplitude, offset, frequency, phase):
    wave = offset + amplitude * np.cos(2 * np.pi * frequency * TIMES + phase)
    seen = measure(jnp.asarray(wave))
    assert bool(seen.periodic)
    # Crossings are interpolated linearly; extremes are samples, at 1 Hz up to a tenth off.
    np.testing.assert_allclose(seen.frequency, frequency, rtol=5e-3)
    np.testing.assert_allclose(seen.amplitude, 2 * amplitude, rtol=0.1)
    np.testing.assert_allclose(seen.offset, offset, atol=0.06 * amplitude + 1e-9)


@pytest.mark.parametrize(
    ("name", "signal"),
    [
        ("constant", 0 * TIMES + 0.4),
        ("damped", 0.5 + 0.4 * np.exp(-TIMES / 20) * np.cos(3 * TIMES)),
        ("drifting", 0.02 * TIMES + 0.1 * np.cos(3 * TIMES)),
        ("small", 0.01 * np.cos(3 * TIMES)),
        ("one period", np.cos(2 * np.pi * TIMES / 45)),
        ("chirp", np.cos(2 * np.pi * (0.1 * TIMES + 0.01 * TIMES**2))),
    ],
)
def test_what_is_no_sustained_oscillation_is_not_found(name, signal):
    del name
    assert not bool(measure(jnp.asarray(signal)).periodic)


def test_a_cycle_with_two_bumps_is_one_cycle():
    """The second bump crosses the middle too, but not three quarters of the swing."""
    angle = 2 * np.pi * 0.2 * TIMES
    seen = measure(jnp.asarray(np.cos(angle) + 0.9 * np.cos(2 * angle + 0.5)))
    assert bool(seen.periodic)
    np.testing.assert_allclose(seen.frequency, 0.2, rtol=5e-3)


def test_the_verdict_does_not_depend_on_the_length_of_the_window():
    wave = 0.5 + 0.02 * np.cos(2 * np.pi * 0.5 * np.arange(2000) * STEP)
    found = [bool(measure_oscillation(jnp.asarray(wave[:n]), STEP).periodic) for n in (200, 2000)]
    assert found == [True, True]


@given(st.integers(0, 10_000))
def test_published_rule_is_that_of_numpy(seed):
    signal = np.cumsum(np.random.default_rng(seed).normal(size=500)) * 0.02
    heights = np.abs(np.fft.fft(signal))[1:250]
    periodic, descriptor, _ = is_periodic(jnp.asarray(signal), STEP)
    assert bool(periodic) == (heights.max() > 4 and heights.argmax() > 0)
    expected = [(signal.max() + signal.min()) / 2, np.ptp(signal), (heights.argmax() + 1) / 50]
    np.testing.assert_allclose(descriptor, expected, rtol=1e-9)


def test_regimes_of_known_signals():
    settling = jnp.asarray(1 - np.exp(-TIMES / 3))
    assert bool(is_steady(settling[-100:], settling[0]))
    assert not bool(is_steady(settling[:100], settling[0]))
    assert bool(is_converging(settling))
    assert not bool(is_converging(jnp.asarray(np.cos(TIMES))))
    assert bool(is_monotone(settling))
    assert not bool(is_monotone(jnp.asarray(np.cos(TIMES))))


def test_spectrum_gives_the_amplitude_of_a_whole_bin():
    wave = 3.0 + 0.7 * np.cos(2 * np.pi * 0.4 * TIMES)
    spectrum = amplitude_spectrum(jnp.asarray(wave))
    at = int(jnp.argmax(spectrum))
    np.testing.assert_allclose(frequencies(500, STEP)[at], 0.4)
    np.testing.assert_allclose(spectrum[at], 0.7, rtol=1e-6)


def test_end_points_and_functions_describe_too():
    states = jnp.asarray(np.stack([TIMES, 0 * TIMES + 0.5]))
    end = EndPoint((0.0, 0.0), (100.0, 1.0))(states, states[:, -1], STEP)
    np.testing.assert_allclose(end.descriptor, [49.9, 0.5])
    mine = FunctionBehaviour(lambda x, h: x.mean(-1), ("a", "b"), (0.0, 0.0), (1.0, 1.0))
    np.testing.assert_allclose(mine(states, states[:, -1], STEP).descriptor, [24.95, 0.5])
    wrong = FunctionBehaviour(lambda x, h: x[0], ("a",), (0.0,), (1.0,))
    with pytest.raises(ValueError, match="one number for each of a"):
        wrong(states, states[:, -1], STEP)


def test_empty_goal_spaces_are_refused():
    with pytest.raises(ValueError, match="empty along amplitude"):
        Oscillation(low=(0.0, 1.0, 0.0), high=(1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="at least one descriptor"):
        EndPoint((), ())
