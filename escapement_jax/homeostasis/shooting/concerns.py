"""What the user of a fit by shooting should be told, in words."""

import numpy as np

from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.shooting.fit import ShootingFit
from escapement_jax.homeostasis.shooting.misfits import Misfit
from escapement_jax.homeostasis.time_courses import TimeCourses

MOST_SENTENCES = 3
MOST_PLACES = 3


def shooting_concerns(
    fit: ShootingFit, time_courses: TimeCourses, network: Network
) -> tuple[str, ...]:
    """Tell what was left out of a fit, and where concentrations were stopped at 0.

    Args:
        fit: The fit.
        time_courses: What was fitted.
        network: Holds the names of the metabolites.
    """
    times, names = np.asarray(time_courses.times), network.metabolite_names
    sentences = [_sentence(misfit, times, names) for misfit in fit.misfits[:MOST_SENTENCES]]
    rest = fit.misfits[MOST_SENTENCES:]
    if rest:
        frames = sum(misfit.last - misfit.first + 1 for misfit in rest)
        sentences.append(f"{len(rest)} more stretches, {frames} frames, were treated likewise")
    return (*sentences, *_stopped(fit.stops, times, names))


def _sentence(misfit: Misfit, times: np.ndarray, names: tuple[str, ...]) -> str:
    place = (
        f"trajectory {misfit.trajectory}, times {times[misfit.first]:g} to {times[misfit.last]:g},"
    )
    if misfit.pieces:
        return (
            f"{place} was fitted in pieces of {misfit.pieces} frames: no longer solution could be"
            f" followed there (metabolite {names[misfit.metabolite]} strays most)"
        )
    return (
        f"{place} was left out: residuals are {misfit.chi_square:.3g} times their variance, those"
        f" of metabolite {names[misfit.metabolite]} the largest; look for a disturbance that should"
        " be a restart, or for wrong measurements"
    )


def _stopped(stops: np.ndarray, times: np.ndarray, names: tuple[str, ...]) -> tuple[str, ...]:
    """Where steps of Euler's method overshoot 0, if anywhere."""
    if not len(stops):
        return ()
    listed = "; ".join(
        f"metabolite {names[metabolite]} of trajectory {trajectory} at time {times[frame]:g}"
        for trajectory, frame, metabolite in stops[:MOST_PLACES]
    )
    more = f", and {len(stops) - MOST_PLACES} more" if len(stops) > MOST_PLACES else ""
    return (
        f"steps of Euler's method overshoot 0 and are stopped there ({listed}{more}): frames this"
        " far apart do not follow the differential equation",
    )
