"""From a history of rollouts to one that follows a wanted oscillation."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.curiosity.behaviour.feasibility import (
    Sinusoid,
    nearest_reachable_sinusoid,
    root_mean_square_floor,
    sinusoid_is_reachable,
)
from escapement_jax.curiosity.experiment import Experiment
from escapement_jax.curiosity.goals.levenberg_marquardt import levenberg_marquardt
from escapement_jax.curiosity.goals.phase_alignment import align
from escapement_jax.curiosity.goals.target import Target, sinusoid_target
from escapement_jax.curiosity.history import History
from escapement_jax.curiosity.rollouts.fixed_step import FixedStepRollout
from escapement_jax.curiosity.systems.circuit import TranscriptionalCircuit

TOLERANCES = (0.05, 0.1, 0.01)
"""Differences of offset, swing and frequency (Hz) that count alike when candidates are chosen."""

NUM_CANDIDATES = 30
MOST_STARTS = 8
LEAST_STEPS = 12
"""Steps per start before another start is worth more."""

GROWING = (3.0, 8.0, float("inf"), float("inf"), float("inf"), float("inf"))


class Reached(eqx.Module):
    """The rollout that came nearest to a target.

    Attributes:
        parameters: Its parameters.
        root_mean_square: Its distance from the target.
        rollouts: Rollouts spent after those of the history, tangents counted as one each.
        target: What was wanted.
        reachable: Whether a node of unit decay could follow the target exactly at all.
        nearest_target: The nearest sinusoid that it could follow.
        floor: Least distance of any circuit in the long run; 0 for reachable targets.
    """

    parameters: Float[Array, " parameters"]
    root_mean_square: float
    rollouts: int
    target: Sinusoid
    reachable: bool
    nearest_target: Sinusoid
    floor: float

    @property
    def verdict(self) -> str:
        """One sentence on what was wanted, what is possible, and what was reached."""
        wanted = _in_words(self.target)
        found = f"the best circuit is {self.root_mean_square:.3g} away (root mean square)"
        if self.reachable:
            return f"{wanted}: {found}"
        return (
            f"{wanted} cannot be followed by any circuit, the least distance in the long run is "
            f"{self.floor:.3g}; {found}; the nearest sinusoid that can is "
            f"{_in_words(self.nearest_target)}"
        )


def reach(
    experiment: Experiment, wanted: Sinusoid, history: History, *, budget: int = 100
) -> Reached:
    """Refine the rollouts of a history that are nearest to a wanted oscillation.

    The 30 nearest in (offset, swing, frequency) are put on their orbits in phase with the target;
    Levenberg-Marquardt steps spend the rest of the budget: on the best of them if it is small, on
    up to eight with a growing horizon otherwise. With few rollouts to spend in all, explore with
    four fifths of them.

    Args:
        experiment: The experiment of the history, with fixed steps and oscillation descriptors.
        wanted: The oscillation.
        history: Rollouts to start from.
        budget: Rollouts that may be spent.

    Returns:
        The best circuit, and what is possible at all.

    Raises:
        ValueError: The budget is too small for the candidates and one step, the solver is not one
            with fixed steps, or nothing was found in the history.
    """
    if not isinstance(experiment.rollout, FixedStepRollout):
        raise ValueError("targets are compared step by step; give an experiment with fixed steps")
    if not history.found.any():
        raise ValueError("the history holds no oscillation to start from; explore longer")
    target = sinusoid_target(experiment.system, experiment.rollout, wanted)
    near = nearest_candidates(history, wanted)
    per_step = history.parameters.shape[1] + 1
    if budget < near.size + per_step:
        raise ValueError(
            f"budget is {budget}; give at least {near.size + per_step}, for {near.size} "
            "candidates and one step"
        )
    unit, expected = align(target, _in_box(target, history.parameters[near]))
    order = np.argsort(np.asarray(expected))
    left = (budget - near.size) // per_step
    starts = min(max(left // LEAST_STEPS, 1), MOST_STARTS, near.size)
    steps = left // starts
    periods = GROWING if starts > 1 else (float("inf"),)
    ends, losses = levenberg_marquardt(
        target, unit[order[:starts]], num_steps=steps, periods=periods
    )
    best = int(np.nanargmin(np.asarray(losses)))
    spent = near.size + starts * steps * per_step
    return _result(target, wanted, ends[best], float(losses[best]), spent)


def nearest_candidates(
    history: History, wanted: Sinusoid, number: int = NUM_CANDIDATES
) -> np.ndarray:
    """Return the rows of the found rollouts nearest in offset, swing and frequency."""
    point = np.array([wanted.offset, 2 * wanted.amplitude, wanted.frequency])
    apart = np.square((history.descriptors - point) / np.array(TOLERANCES)).sum(1)
    order = np.argsort(np.where(history.found, apart, np.inf), kind="stable")
    return order[: min(number, int(history.found.sum()))]


def _in_box(target: Target, parameters: np.ndarray) -> Array:
    box = target.system.box
    return box.to_unit(jnp.asarray(parameters, box.low.dtype))


def _result(target: Target, wanted: Sinusoid, unit: Array, loss: float, spent: int) -> Reached:
    parameters = target.system.box.from_unit(unit)
    circuit = isinstance(target.system, TranscriptionalCircuit) and not target.system.free_decay
    known = circuit and not sinusoid_is_reachable(wanted)
    return Reached(
        parameters,
        loss,
        spent,
        wanted,
        not known,
        nearest_reachable_sinusoid(wanted) if known else wanted,
        root_mean_square_floor(wanted) if known else 0.0,
    )


def _in_words(wave: Sinusoid) -> str:
    return f"{wave.amplitude:.3g} cos(2 pi {wave.frequency:.3g} t) + {wave.offset:.3g}"
