"""Trajectories predicted from their start alone."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from escapement_jax.homeostasis.recovery import Recovery
from escapement_jax.homeostasis.stepping import rollout
from escapement_jax.homeostasis.time_courses import TimeCourses

DURATION = 10.0
"""Units of time that are predicted; such networks are chaotic, and nobody can predict for long."""
SUBSTEPS = 4


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A trajectory beside its prediction.

    Attributes:
        times: Of the frames.
        measured: Concentrations; NaN where missing.
        predicted: Concentrations.
    """

    times: Float[np.ndarray, " frames"]
    measured: Float[np.ndarray, "frames metabolites"]
    predicted: Float[np.ndarray, "frames metabolites"]

    @property
    def normalised_error(self) -> float:
        """Root mean square error over the standard deviation of all measured concentrations."""
        error = np.sqrt(np.nanmean((self.predicted - self.measured) ** 2))
        return float(error / np.nanstd(self.measured))


def predict(
    recovery: Recovery, courses: TimeCourses, *, trajectory: int = 0, duration: float = DURATION
) -> Prediction:
    """Predict a trajectory with the pooled model from its first complete frame on.

    Args:
        recovery: What was recovered.
        courses: Time courses, also others than those of the fit.
        trajectory: Which of them.
        duration: Units of time to predict, at most.

    Raises:
        ValueError: No frame is complete.
    """
    times = np.asarray(courses.times)
    values = np.asarray(courses.concentrations[trajectory])
    complete = np.isfinite(values).all(axis=1)
    if not complete.any():
        raise ValueError(f"trajectory {trajectory} has no frame with every metabolite measured")
    first = int(complete.argmax())
    ends = np.flatnonzero(np.asarray(courses.restarts[trajectory])[first + 1 :])
    stop = first + 1 + int(ends[0]) if len(ends) else len(times)
    last = max(int(np.searchsorted(times[:stop], times[first] + duration, side="right")), first + 2)
    model = recovery.pooled_model().with_activity(courses.activities[trajectory])
    start = jnp.maximum(jnp.asarray(values[first]), 0.0)
    predicted = rollout(
        model,
        start,
        jnp.asarray(times[first:last]),
        method=recovery.integrator,
        substeps=SUBSTEPS,
    )
    return Prediction(times[first:last], values[first:last], np.asarray(predicted))
