"""Build the oscillation that was asked for, from what a search has found."""

from pathlib import Path
from typing import Any

import numpy as np

from escapement_jax.config.curiosity import ExploreConfig
from escapement_jax.curiosity.behaviour.feasibility import Sinusoid
from escapement_jax.curiosity.experiment import Experiment
from escapement_jax.curiosity.goals.reach import reach
from escapement_jax.curiosity.history import History
from escapement_jax.curiosity.models.circuit_network import circuit_network
from escapement_jax.curiosity.systems.circuit import TranscriptionalCircuit
from escapement_jax.experiments.exploration_figures import SECONDS_SHOWN, solve_again
from escapement_jax.io.curiosity.circuits import write_network
from escapement_jax.io.curiosity.discoveries import write_parameters
from escapement_jax.plotting.curiosity import plot_target, save_figure


def build_target(
    output: Path, experiment: Experiment, history: History, config: ExploreConfig
) -> dict[str, Any]:
    """Refine discoveries towards the wanted oscillation; write the circuit and a figure.

    Args:
        output: The run directory.
        experiment: What was done with parameters.
        history: Rollouts to start from.
        config: Says what is wanted, and how many rollouts may be spent on it.

    Returns:
        What was reached, for the summary.
    """
    assert config.target is not None
    amplitude, offset, frequency = config.target
    wanted = Sinusoid(amplitude, offset, frequency)
    found = reach(experiment, wanted, history, budget=config.target_budget)
    best = np.asarray(found.parameters)
    folder = output / "circuits"
    write_parameters(folder / "target.csv", best, experiment.system.parameter_names)
    if isinstance(experiment.system, TranscriptionalCircuit):
        network = circuit_network(experiment.system, found.parameters, name="target")
        write_network(folder, network)
    times, courses = solve_again(experiment, best[None])
    course = offset + amplitude * np.cos(2 * np.pi * frequency * times)
    shown = times < SECONDS_SHOWN
    reached = {
        f"best circuit, off by {found.root_mean_square:.3g}": courses[
            0, experiment.rollout.observed[0], shown
        ]
    }
    save_figure(plot_target(times[shown], course[shown], reached), output / "figures" / "target")
    return {
        "root_mean_square": found.root_mean_square,
        "rollouts": found.rollouts,
        "reachable": found.reachable,
        "least_root_mean_square": found.floor,
        "verdict": found.verdict,
    }
