"""Time courses as the published recipe needs them: complete, and with regular steps."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from escapement_jax.homeostasis.time_courses import TimeCourses


class TrainingFrames(eqx.Module):
    """Concentrations to train on, in single precision as published, and those held out.

    Attributes:
        concentrations: Frames to train on, every trajectory.
        derivatives: ``dc/dt`` at all these frames but the last.
        held_out: The frames after them.
        held_out_derivatives: ``dc/dt`` at all these but the last.
        time_step: Time between frames.
    """

    concentrations: Float[Array, "trajectories frames metabolites"]
    derivatives: Float[Array, "trajectories frames-1 metabolites"]
    held_out: Float[Array, "trajectories later metabolites"]
    held_out_derivatives: Float[Array, "trajectories later-1 metabolites"]
    time_step: Float[Array, ""]

    @property
    def num_frames(self) -> int:
        """Number of frames to train on."""
        return self.concentrations.shape[1]

    def segments(
        self, trajectories: Int[Array, " batch"], starts: Int[Array, " batch"], length: int
    ) -> Float[Array, "batch segment metabolites"]:
        """Return the frames from each start on.

        Args:
            trajectories: Which trajectory.
            starts: First frame.
            length: Steps.
        """
        frames = starts[:, None] + jnp.arange(length + 1)[None, :]
        return self.concentrations[trajectories[:, None], frames]


def training_frames(courses: TimeCourses, *, euler: bool, held_out: float) -> TrainingFrames:
    """Prepare time courses for training.

    Where the data are Euler steps, forward differences are their derivatives. For other data these
    are biased (they double the slopes of homeostasis at steps of 0.1), and central ones are taken.

    Args:
        courses: Complete, with regular times, no knock-downs and no restarts.
        euler: Whether the data are Euler steps.
        held_out: Last share of the frames to hold out.

    Raises:
        ValueError: The data are not as the recipe needs them.
    """
    times = np.asarray(courses.times)
    values = np.asarray(courses.concentrations, dtype=np.float64)
    steps = np.diff(times)
    if not np.allclose(steps, steps[0], rtol=1e-6):
        raise ValueError("the published recipe needs times at regular steps; leave out --explore")
    if not np.isfinite(values).all():
        raise ValueError("the published recipe needs complete data; leave out --explore")
    if np.asarray(courses.restarts)[:, 1:].any() or (np.asarray(courses.activities) != 1).any():
        raise ValueError(
            "the published recipe knows neither knock-downs nor perturbations; leave out --explore"
        )
    slopes = np.diff(values, axis=1) / steps[0]
    if not euler:
        slopes = np.concatenate([slopes[:, :1], (slopes[:, 1:] + slopes[:, :-1]) / 2], axis=1)
    last = round(len(times) * (1 - held_out))
    return TrainingFrames(
        *(
            jnp.asarray(array, dtype=jnp.float32)
            for array in (
                values[:, :last],
                slopes[:, : last - 1],
                values[:, last:],
                slopes[:, last:],
                steps[0],
            )
        )
    )
