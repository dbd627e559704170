"""Trajectories cut into short segments, each with an initial state of its own.

In a chaotic system a long solution carries no more information than its first stretch, and its
cost function is a wilderness; short segments with free initial states are well behaved.

Source: H. G. Bock, in: Modelling of Chemical Reaction Systems (Springer, 1981), p. 102.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from escapement_jax.homeostasis.time_courses import TimeCourses


class Segments(eqx.Module):
    """Pieces of all trajectories, padded to one length.

    Attributes:
        frames: Frame of each place, counted trajectory by trajectory; padding repeats the last.
        intervals: Time from each frame to the next of its segment; 0 in the padding.
        measured: Concentrations; 0 where missing.
        mask: 1 where measured, else 0.
        activities: Factor on each rate constant.
        trajectories: Where each segment comes from.
    """

    frames: Int[Array, "segments horizon"]
    intervals: Float[Array, "segments horizon"]
    measured: Float[Array, "segments horizon metabolites"]
    mask: Float[Array, "segments horizon metabolites"]
    activities: Float[Array, "segments reactions"]
    trajectories: Int[Array, " segments"]


def cut(time_courses: TimeCourses, horizon: int, kept: Int[np.ndarray, " kept"]) -> Segments:
    """Cut trajectories into segments that cross no restart.

    Args:
        time_courses: Measurements.
        horizon: Frames of a segment.
        kept: Reactions to keep the activities of.
    """
    times = np.asarray(time_courses.times)
    pieces = [
        (trajectory, start, end)
        for trajectory, restarts in enumerate(np.asarray(time_courses.restarts))
        for start, end in _pieces(restarts, horizon)
    ]
    trajectory, start, end = np.array(pieces).T
    frame = np.minimum(start[:, None] + np.arange(horizon), end[:, None] - 1)
    real = start[:, None] + np.arange(horizon) < end[:, None]
    values = np.asarray(time_courses.concentrations)[trajectory[:, None], frame]
    mask = np.isfinite(values) & real[..., None]
    intervals = np.diff(times[frame], axis=1, append=times[frame[:, -1:]])
    return Segments(
        frames=jnp.asarray(trajectory[:, None] * len(times) + frame),
        intervals=jnp.asarray(intervals),
        measured=jnp.asarray(np.where(mask, values, 0.0)),
        mask=jnp.asarray(mask.astype(float)),
        activities=time_courses.activities[trajectory][:, kept],
        trajectories=jnp.asarray(trajectory),
    )


def _pieces(restarts: np.ndarray, horizon: int) -> list[tuple[int, int]]:
    begins = np.flatnonzero(restarts)
    ends = np.append(begins[1:], len(restarts))
    return [
        (start, min(start + horizon, end))
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
        for start in range(begin, end, horizon)
        if min(start + horizon, end) - start > 1
    ]
