"""The weak form: derivatives are moved from the data to smooth test functions.

For a test function ``phi`` that vanishes at the ends of a window, ``int phi dc/dt`` is
``-int phi' c``, so that no noisy data are differentiated. Data made by Euler's method obey the same
with sums: ``sum phi_t (c_(t+1) - c_t) = sum phi_t dt F(c_t)``, exactly and for any ``phi``.

Source: D. A. Messenger and D. M. Bortz, Multiscale Modeling & Simulation 19, 1474 (2021).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from escapement_jax.homeostasis.stepping import Integrator


class WeakForm(eqx.Module):
    """Windows along the frames of all trajectories, and the test function of each.

    Attributes:
        starts: First frame of each window, in the order trajectory by trajectory.
        weights: Quadrature weight times test function, summing to 1: a local mean.
        derivative_weights: What turns concentrations into the local mean of ``dc/dt``.
    """

    starts: Int[Array, " rows"]
    weights: Float[Array, "rows width"]
    derivative_weights: Float[Array, "rows width"]

    def mean(self, values: Float[Array, "frames columns"]) -> Float[Array, "rows columns"]:
        """Return the local means of functions known at every frame."""
        return _windowed_sum(values, self.starts, self.weights)

    def mean_derivative(
        self, values: Float[Array, "frames columns"]
    ) -> Float[Array, "rows columns"]:
        """Return the local means of the time derivatives of functions known at every frame."""
        return _windowed_sum(values, self.starts, self.derivative_weights)


@jax.jit
def _windowed_sum(
    values: Float[Array, "frames columns"],
    starts: Int[Array, " rows"],
    weights: Float[Array, "rows width"],
) -> Float[Array, "rows columns"]:
    def add(total: Array, place: tuple[Array, Array]) -> tuple[Array, None]:
        offset, weight = place
        return total + weight[:, None] * values[starts + offset], None

    start = jnp.zeros((len(starts), values.shape[1]), values.dtype)
    return jax.lax.scan(add, start, (jnp.arange(weights.shape[1]), weights.T))[0]


def weak_form(
    times: Float[np.ndarray, " frames"],
    restarts: np.ndarray,
    *,
    integrator: Integrator,
    intervals: int,
    stride: int = 1,
) -> WeakForm:
    """Lay windows over trajectories.

    Args:
        times: Times of the frames.
        restarts: Trajectories x frames; no window crosses a restart.
        integrator: "euler" for data that are an Euler map, else data of a differential equation.
        intervals: Number of intervals in a window; 1 is a forward difference, for Euler only.
        stride: Frames between the starts of neighbouring windows.

    Raises:
        ValueError: No stretch between restarts is long enough for a window.
    """
    frames = len(times)
    starts = np.concatenate(
        [
            trajectory * frames + _window_starts(broken, intervals, stride)
            for trajectory, broken in enumerate(np.asarray(restarts))
        ]
    )
    if not len(starts):
        raise ValueError(
            f"no stretch of {intervals + 1} frames is free of restarts; measure longer"
        )
    window_times = np.asarray(times)[(starts % frames)[:, None] + np.arange(intervals + 1)]
    test = _euler_test_functions if integrator == "euler" else _smooth_test_functions
    weights, derivative_weights = test(window_times)
    return WeakForm(*map(jnp.asarray, (starts, weights, derivative_weights)))


def _window_starts(broken: np.ndarray, intervals: int, stride: int) -> np.ndarray:
    starts = np.arange(0, len(broken) - intervals, stride)
    breaks = np.cumsum(broken)
    return starts[breaks[starts + intervals] == breaks[starts]]


def _euler_test_functions(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    steps = np.diff(times, axis=1)
    middle = (times[:, :-1] + times[:, 1:]) / 2
    bump = _bump(middle, times, power=4)[0]
    bump = bump / (bump * steps).sum(1, keepdims=True)
    none = np.zeros((len(times), 1))
    before, after = np.hstack([none, bump]), np.hstack([bump, none])
    return np.hstack([bump * steps, none]), before - after


def _smooth_test_functions(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    intervals = times.shape[1] - 1
    quadrature = np.gradient(times, axis=1)
    quadrature[:, [0, -1]] /= 2
    bump, slope = _bump(times, times, power=min(max(intervals // 3, 2), 12))
    total = (quadrature * bump).sum(1, keepdims=True)
    return quadrature * bump / total, -quadrature * slope / total


def _bump(at: np.ndarray, window: np.ndarray, power: int) -> tuple[np.ndarray, np.ndarray]:
    """``(1 - s^2)^power`` over a window mapped to ``s`` in ``[-1, 1]``, and its time derivative."""
    first, last = window[:, :1], window[:, -1:]
    s = (2 * at - first - last) / (last - first)
    value = (1 - s**2) ** power
    slope = -2 * power * s * (1 - s**2) ** (power - 1) * 2 / (last - first)
    return value, slope
