"""Segments that no noise explains: disturbances nobody recorded, gross errors of measurement.

With normal noise, the squared residuals of a segment in units of their variance follow chi-square.
A segment far outside, while the others are as noisy as they should be, holds something that is not
in the model. It is left out, and what comes after it starts anew; if shorter segments were fitted
well, only the link between them is at fault, and it is cut back to them. A law that is wrong spoils
many segments at once; then none is left out, as the law is to blame.

Source: E. B. Wilson, M. M. Hilferty, PNAS 17, 684 (1931), for the tail of chi-square.
"""

import dataclasses
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import norm

from escapement_jax.homeostasis.shooting.segments import Segments
from escapement_jax.homeostasis.time_courses import TimeCourses

FALSE_ALARMS = 1e-3
"""Share of clean data sets in which a segment is left out at one horizon."""
LARGEST_SHARE = 0.05
"""If more segments than this are spoilt, the model is to blame."""
FEWEST_SEGMENTS = 4


@dataclasses.dataclass(frozen=True)
class Misfit:
    """A stretch of a trajectory that was left out of the fit, or cut into shorter pieces.

    Attributes:
        trajectory: Which trajectory.
        first: First frame left out.
        last: Last frame left out.
        metabolite: The one with the largest residuals.
        chi_square: Squared residuals in units of their variance, per degree of freedom.
        pieces: Frames of the pieces; 0 if it was left out.
    """

    trajectory: int
    first: int
    last: int
    metabolite: int
    chi_square: float
    pieces: int = 0


def find_misfits(
    segments: Segments, squares: Float[np.ndarray, "segments metabolites"], frames: int
) -> tuple[Misfit, ...]:
    """Return the segments that noise does not explain; none if too many are like that.

    Args:
        segments: Where the residuals are.
        squares: Squared residuals in units of their variance, summed over each segment.
        frames: Frames of a trajectory.
    """
    counts = np.asarray(segments.mask.sum((1, 2)))
    freedom = counts - np.asarray((segments.mask.sum(1) > 0).sum(1))
    usable = freedom > 0
    reduced = np.where(usable, squares.sum(1), 0.0) / np.maximum(freedom, 1)
    spoilt = usable & improbable(reduced, np.maximum(freedom, 1), usable)
    if usable.sum() < FEWEST_SEGMENTS or spoilt.sum() > max(1, LARGEST_SHARE * usable.sum()):
        return ()
    return tuple(
        _misfit(segments, squares, reduced, one, frames) for one in np.flatnonzero(spoilt).tolist()
    )


def worst_segments(
    segments: Segments, squares: Float[np.ndarray, "segments metabolites"], frames: int
) -> tuple[Misfit, ...]:
    """Return the segments, 1 in 20, that are hardest to follow.

    Args:
        segments: Where the residuals are.
        squares: Squared residuals in units of their variance, summed over each segment.
        frames: Frames of a trajectory.
    """
    counts = np.maximum(np.asarray(segments.mask.sum((1, 2))), 1.0)
    reduced = squares.sum(1) / counts
    number = int(np.ceil(LARGEST_SHARE * len(reduced)))
    worst = np.sort(np.argsort(-reduced)[:number]).tolist()
    return tuple(_misfit(segments, squares, reduced, one, frames) for one in worst)


def _misfit(
    segments: Segments, squares: np.ndarray, reduced: np.ndarray, one: int, frames: int
) -> Misfit:
    places = np.asarray(segments.frames[one])
    return Misfit(
        trajectory=int(segments.trajectories[one]),
        first=int(places[0]) % frames,
        last=int(places[-1]) % frames,
        metabolite=int(squares[one].argmax()),
        chi_square=float(reduced[one]),
    )


def improbable(
    reduced: Float[np.ndarray, " segments"],
    freedom: Float[np.ndarray, " segments"],
    usable: Bool[np.ndarray, " segments"],
) -> Bool[np.ndarray, " segments"]:
    """Return whether ``chi^2 / freedom``, over its median, is beyond what noise makes of so many.

    ``(chi^2 / f)^(1/3)`` is nearly normal with median ``1 - 2 / (9 f)`` and variance ``2 / (9 f)``.

    Args:
        reduced: Chi-square per degree of freedom.
        freedom: Degrees of freedom.
        usable: Segments that were measured at all.
    """
    if not usable.any():
        return usable
    usual = max(float(np.median(reduced[usable])), 1e-300)
    variance = 2 / (9 * freedom)
    score = (np.cbrt(reduced / usual) - 1) * (1 - variance) / np.sqrt(variance)
    return score > norm.isf(FALSE_ALARMS / usable.sum())


def leave_out(time_courses: TimeCourses, misfits: Sequence[Misfit]) -> TimeCourses:
    """Return the measurements with some stretches missing or in pieces, restarts at both ends."""
    values = np.array(time_courses.concentrations)
    restarts = np.array(time_courses.restarts)
    for misfit in misfits:
        first, end = misfit.first, misfit.last + 1
        if not misfit.pieces:
            values[misfit.trajectory, first:end] = np.nan
        restarts[misfit.trajectory, first : end : misfit.pieces or end] = True
        restarts[misfit.trajectory, end : end + 1] = True
    where = lambda courses: (courses.concentrations, courses.restarts)  # noqa: E731
    return eqx.tree_at(where, time_courses, (jnp.asarray(values), jnp.asarray(restarts)))
