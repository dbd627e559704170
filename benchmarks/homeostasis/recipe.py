"""Recovery beside the published gradient recipe, in one run, on the published benchmark.

Run as ``python -m benchmarks.homeostasis.recipe`` from the root of the repository. The truth scores
the results and, in the case `true reactions`, stands in for a perfect phase 1; no fit sees it.
"""

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.record import write_result
from escapement_jax.config.gradient_baseline import GradientConfig
from escapement_jax.config.homeostasis import RecoverConfig
from escapement_jax.config.homeostasis_simulation import SimulateHomeostasisConfig
from escapement_jax.homeostasis.gradient_baseline.explore import (
    Exploration,
    explore_gradient_recipes,
)
from escapement_jax.homeostasis.recovery_report import report_recovery
from escapement_jax.homeostasis.simulation.simulate import Simulation, simulate
from escapement_jax.homeostasis.source_view.analysis import analyse

RESULT = Path(__file__).parents[1] / "results" / "homeostasis_recipe.json"


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--phase-one-steps", type=int, default=72_000)
    parser.add_argument("--phase-two-steps", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    settings = GradientConfig(
        phase_one_steps=options.phase_one_steps,
        phase_two_steps=options.phase_two_steps,
        rounds=options.rounds,
        parallel=options.parallel,
    )
    simulation = simulate(SimulateHomeostasisConfig(seed=options.seed, trajectories=2))
    result: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "seed": options.seed,
        "settings": dataclasses.asdict(settings),
        "cases": {},
    }
    for name, case in (
        ("recovered", recovered),
        ("published recipe", trained_reactions),
        ("published recipe, true reactions", true_reactions),
    ):
        start = time.process_time()
        figures = case(simulation, settings)
        result["cases"][name] = figures | {"cpu_seconds": time.process_time() - start}
        write_result(options.output, result)
        print(name, result["cases"][name], flush=True)


def recovered(simulation: Simulation, settings: GradientConfig) -> dict[str, Any]:
    del settings
    report = report_recovery(
        simulation.time_courses,
        simulation.network,
        RecoverConfig(),
        key=jax.random.key(1),
        truth=simulation.truth,
        held_out=1,
    )
    scores = report.scores["recovered"]
    error = report.predictions[0].normalised_error
    return {"scores": scores, "held_out_normalised_error": error}


def trained_reactions(simulation: Simulation, settings: GradientConfig) -> dict[str, Any]:
    return explored(simulation, settings, oracle=False)


def true_reactions(simulation: Simulation, settings: GradientConfig) -> dict[str, Any]:
    return explored(simulation, settings, oracle=True)


def explored(simulation: Simulation, settings: GradientConfig, *, oracle: bool) -> dict[str, Any]:
    """Train on the trajectory that the recovery was given as well."""
    courses = jax.tree.map(
        lambda leaf: leaf[:1] if leaf.ndim > 1 else leaf, simulation.time_courses
    )
    exploration = explore_gradient_recipes(
        courses,
        simulation.network,
        settings,
        euler=True,
        key=jax.random.key(1),
        reactions=simulation.truth.model if oracle else None,
    )
    trials = [
        trial_figures(exploration, number, simulation) for number in range(len(exploration.trials))
    ]
    return {
        "scores": trials[exploration.best]["scores"],
        "best": exploration.best,
        "trials": trials,
        "phase_one_losses": exploration.phase_one_losses.tolist(),
    }


def trial_figures(exploration: Exploration, number: int, simulation: Simulation) -> dict[str, Any]:
    trial = exploration.trials[number]
    known = np.asarray(simulation.network.substrate_orders).any(axis=0)
    scores = analyse(
        exploration.nodes[number],
        np.asarray(exploration.log10_rates, dtype=float),
        known,
        simulation.truth,
        key=jax.random.key(1),
    )
    return {
        "recipe": dataclasses.asdict(trial.recipe),
        "strategies": trial.recipe.strategies,
        "reward": trial.reward,
        "scores": scores,
    }


if __name__ == "__main__":
    main()
