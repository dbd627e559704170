"""From settings to the experiment that they describe."""

import dataclasses
from pathlib import Path

import jax
import numpy as np

from escapement_jax.config.curiosity import ExploreConfig
from escapement_jax.curiosity.behaviour.base import AbstractBehaviour
from escapement_jax.curiosity.behaviour.end_point import EndPoint
from escapement_jax.curiosity.behaviour.oscillation import Oscillation
from escapement_jax.curiosity.behaviour.source_oscillation import SourceOscillation
from escapement_jax.curiosity.experiment import Experiment
from escapement_jax.curiosity.models.reaction_system import ReactionSystem
from escapement_jax.curiosity.models.stiff_rollout import StiffRollout
from escapement_jax.curiosity.rollouts.base import AbstractRollout
from escapement_jax.curiosity.rollouts.codes import RolloutCode
from escapement_jax.curiosity.rollouts.fixed_step import FixedStepRollout
from escapement_jax.curiosity.systems.base import AbstractSystem
from escapement_jax.curiosity.systems.circuit import TranscriptionalCircuit

PROBES = 100
"""Rollouts from which the extent of end points is read."""


def experiment_of(config: ExploreConfig) -> Experiment:
    """Make the experiment that a configuration describes.

    Raises:
        ValueError: A state or constant is not known, or the model cannot be read.
    """
    system = _system(config)
    rollout = _rollout(config, system)
    return Experiment(system, rollout, _behaviour(config, system, rollout))


def check_model(path: Path) -> None:
    """Read a model, so that what is wrong with it is told before what is missing beside it.

    Raises:
        ValueError: The model cannot be read.
    """
    from escapement_jax.io.sbml import read_sbml

    read_sbml(path)


def _system(config: ExploreConfig) -> AbstractSystem:
    if config.model is None:
        return TranscriptionalCircuit(
            config.nodes,
            weight_range=config.weight_range,
            bias_range=config.bias_range,
            decay_range=config.decay_range,
        )
    # Reading SBML needs an extra, which circuits do without.
    from escapement_jax.io.sbml import read_sbml

    network = read_sbml(config.model)
    ranges = dict(map(parse_range, config.vary))
    states = {name: bounds for name, bounds in ranges.items() if name in network.states}
    constants = {name: bounds for name, bounds in ranges.items() if name not in states}
    return ReactionSystem(network, states=states, constants=constants)


def parse_range(text: str) -> tuple[str, tuple[float, float]]:
    """Read a range such as `ERK=0:2.5`.

    Raises:
        ValueError: The text has another form.
    """
    name, _, bounds = text.partition("=")
    low, _, high = bounds.partition(":")
    try:
        return name.strip(), (float(low), float(high))
    except ValueError:
        raise ValueError(f"vary is {text!r}; write NAME=LOW:HIGH, such as ERK=0:2.5") from None


def _rollout(config: ExploreConfig, system: AbstractSystem) -> AbstractRollout:
    names = config.observed or system.state_names[:1]
    unknown = [name for name in names if name not in system.state_names]
    if unknown:
        raise ValueError(
            f"there is no state {unknown[0]!r} to observe; choose {', '.join(system.state_names)}"
        )
    observed = tuple(map(system.state_names.index, names))
    kept = config.num_kept or max(config.num_steps // 2, 1)
    if config.solver == "stiff":
        return StiffRollout(
            num_steps=config.num_steps,
            step_size=config.step_size,
            num_kept=kept,
            observed=observed,
        )
    return FixedStepRollout(
        num_steps=config.num_steps,
        step_size=config.step_size,
        num_kept=kept,
        method=config.solver,
        observed=observed,
    )


def _behaviour(
    config: ExploreConfig, system: AbstractSystem, rollout: AbstractRollout
) -> AbstractBehaviour:
    if config.behaviour == "oscillation":
        return Oscillation()
    if config.behaviour == "source-oscillation":
        return SourceOscillation(num_bins=None if config.strategy == "imgep" else 0)
    names = tuple(system.state_names[state] for state in rollout.observed)
    return EndPoint(*end_point_extent(system, rollout), names)


def end_point_extent(
    system: AbstractSystem, rollout: AbstractRollout
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the extent of the end points of uniformly drawn parameters, widened by a quarter.

    The draws are always the same, so that the extent belongs to the system and its rollout.

    Raises:
        ValueError: All rollouts fail, or all end at the same place.
    """
    parameters = system.box.sample(PROBES, key=jax.random.key(0))
    last = dataclasses.replace(rollout, num_kept=1)
    seen = jax.jit(lambda rows: last(system, rows))(parameters)
    ends = np.asarray(seen.states[:, -1])[:, np.asarray(seen.codes) == RolloutCode.OK]
    if not ends.size:
        raise ValueError(
            "every rollout of uniformly drawn parameters fails; give narrower ranges, smaller "
            "steps, or solver stiff"
        )
    low, high = ends.min(axis=1), ends.max(axis=1)
    margin = 0.25 * (high - low)
    if not (high > low).all():
        raise ValueError(
            "an observed state always ends at the same value, so there is nothing to explore; "
            "observe others, or vary more"
        )
    bottom = np.where(low >= 0, np.maximum(low - margin, 0), low - margin)
    return tuple(bottom.tolist()), tuple((high + margin).tolist())
