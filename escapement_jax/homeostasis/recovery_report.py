"""A recovery with everything that is told about it: predictions, the published view, scores."""

import dataclasses

import jax
import numpy as np

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.gradient_baseline import GradientConfig
from escapement_jax.config.homeostasis import RecoverConfig
from escapement_jax.homeostasis.gradient_baseline.explore import (
    Exploration,
    explore_gradient_recipes,
)
from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.recover import recover
from escapement_jax.homeostasis.recovery import Recovery
from escapement_jax.homeostasis.simulation.truth import Truth
from escapement_jax.homeostasis.source_view.analysis import analyse
from escapement_jax.homeostasis.source_view.distilled_recovery import distilled_recovery
from escapement_jax.homeostasis.source_view.node_function import NodeFunction
from escapement_jax.homeostasis.source_view.prediction import Prediction, predict
from escapement_jax.homeostasis.time_courses import TimeCourses
from escapement_jax.training.keeper import Keeper


@dataclasses.dataclass(frozen=True)
class RecoveryReport:
    """A recovery with everything that is written and drawn about it.

    Attributes:
        courses: What was fitted.
        recovery: What was recovered.
        node: The same as a node network with embeddings.
        predictions: Trajectories predicted from their start: those held out, or else the first.
        held_out: Whether they were held out.
        exploration: What the published recipe has found, if it was asked.
        truth: What is true, if it is known.
        scores: The published metrics, if the truth is known; of the recipe's best trial under
            `published recipe`.
    """

    courses: TimeCourses
    recovery: Recovery
    node: NodeFunction
    predictions: tuple[Prediction, ...]
    held_out: bool
    exploration: Exploration | None = None
    truth: Truth | None = None
    scores: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)


def report_recovery(
    courses: TimeCourses,
    network: Network,
    config: RecoverConfig,
    *,
    key: PRNGKey,
    truth: Truth | None = None,
    held_out: int = 0,
    gradient: GradientConfig | None = None,
    progress: bool = False,
    keeper: Keeper | None = None,
) -> RecoveryReport:
    """Fit, predict, distil, and score where the truth is known.

    Args:
        courses: Measurements.
        network: The reactions.
        config: How to recover.
        key: Random key.
        truth: What is true, to score the result after the fit.
        held_out: How many trajectories, from the last, are not fitted but predicted.
        gradient: How to train the published recipe beside it; by default not at all.
        progress: Whether to show a progress bar.
        keeper: Takes the state of long fits, and brings one to go on from.

    Raises:
        ValueError: The data cannot be used; says why.
    """
    fitted, rest = split_trajectories(courses, held_out)
    fit_key, distil_key, gradient_key, score_key = jax.random.split(key, 4)
    recovery = recover(fitted, network, config, key=fit_key, progress=progress, keeper=keeper)
    shown = fitted if rest is None else rest
    count = 1 if rest is None else rest.num_trajectories
    report = RecoveryReport(
        courses=fitted,
        recovery=recovery,
        node=distilled_recovery(recovery, key=distil_key),
        predictions=tuple(predict(recovery, shown, trajectory=place) for place in range(count)),
        held_out=rest is not None,
        truth=truth,
    )
    if gradient is not None:
        exploration = explore_gradient_recipes(
            fitted,
            network,
            gradient,
            euler=recovery.integrator == "euler",
            key=gradient_key,
            seed=config.seed,
            progress=progress,
            keeper=keeper,
        )
        report = dataclasses.replace(report, exploration=exploration)
    return dataclasses.replace(report, scores=_scores(report, score_key))


def split_trajectories(
    courses: TimeCourses, held_out: int
) -> tuple[TimeCourses, TimeCourses | None]:
    """Part the last trajectories from the others.

    Args:
        courses: All.
        held_out: How many to hold out.

    Raises:
        ValueError: None would be left.
    """
    if not 0 <= held_out < courses.num_trajectories:
        raise ValueError(
            f"{held_out} trajectories cannot be held out of {courses.num_trajectories}; at least "
            "one must be left to fit"
        )
    if not held_out:
        return courses, None
    parts = [
        TimeCourses(
            courses.times,
            courses.concentrations[place],
            courses.activities[place],
            courses.restarts[place],
        )
        for place in (slice(None, -held_out), slice(-held_out, None))
    ]
    return parts[0], parts[1]


def _scores(report: RecoveryReport, key: PRNGKey) -> dict[str, dict[str, float]]:
    if report.truth is None:
        return {}
    recovery, exploration = report.recovery, report.exploration
    known = np.asarray(recovery.identifiable)
    rates = np.asarray(recovery.log10_rates)
    scores = {"recovered": analyse(report.node, rates, known, report.truth, key=key)}
    if exploration is not None:
        rates = np.asarray(exploration.log10_rates, dtype=float)
        node = exploration.best_node
        scores["published recipe"] = analyse(node, rates, known, report.truth, key=key)
    return scores
