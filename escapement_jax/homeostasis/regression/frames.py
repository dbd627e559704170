"""Time courses made ready for regression: gaps filled, noise smoothed, trajectories end to end."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.homeostasis.time_courses import TimeCourses

HALF_WINDOW = 3


def filled(time_courses: TimeCourses) -> Float[np.ndarray, "trajectories frames metabolites"]:
    """Return the concentrations with gaps filled by straight lines in time.

    A metabolite that was never measured in a trajectory takes its mean over the others.

    Args:
        time_courses: Measurements.
    """
    times = np.asarray(time_courses.times)
    values = np.array(time_courses.concentrations)
    if time_courses.complete:
        return values
    mean = np.nanmean(values, axis=(0, 1))
    for trajectory in values:
        for metabolite, course in enumerate(trajectory.T):
            seen = np.isfinite(course)
            if not seen.any():
                course[:] = mean[metabolite]
            elif not seen.all():
                course[:] = np.interp(times, times[seen], course[seen])
    return values


def smoothed(
    values: Float[np.ndarray, "trajectories frames metabolites"],
    times: Float[np.ndarray, " frames"],
    half_window: int = HALF_WINDOW,
) -> Float[np.ndarray, "trajectories frames metabolites"]:
    """Return local quadratic fits over neighbouring frames, after Savitzky and Golay.

    Args:
        values: Without gaps.
        times: Times of the frames, evenly spaced or not.
        half_window: Neighbours on either side.
    """
    frames = len(times)
    width = min(2 * half_window + 1, frames)
    starts = np.clip(np.arange(frames) - half_window, 0, frames - width)
    window = starts[:, None] + np.arange(width)
    lag = (times[window] - times[:, None]) / np.ptp(times[window], axis=1)[:, None]
    design = np.stack([np.ones_like(lag), lag, lag**2], axis=2)
    weights = np.linalg.pinv(design)[:, 0]
    return np.einsum("fw,tfwm->tfm", weights, values[:, window])


def end_to_end(
    values: Float[np.ndarray, "trajectories frames columns"],
) -> Float[Array, "rows columns"]:
    """Return all frames of all trajectories, one trajectory after the other."""
    return jnp.asarray(values.reshape(-1, values.shape[-1]))
