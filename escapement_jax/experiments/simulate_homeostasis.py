"""Simulate metabolic time courses whose rates, set points and types are known."""

from pathlib import Path

import numpy as np

from escapement_jax.config.homeostasis_simulation import SimulateHomeostasisConfig
from escapement_jax.config.toml import to_toml
from escapement_jax.experiments.double_precision import double_precision
from escapement_jax.homeostasis.simulation.simulate import Simulation, simulate
from escapement_jax.io.homeostasis.arrays import write_archive
from escapement_jax.io.homeostasis.truth import write_truth
from escapement_jax.io.run_directory import CONFIG_FILE, new_run_directory


def run_simulate_homeostasis(
    output: Path, config: SimulateHomeostasisConfig, *, force: bool
) -> None:
    """Simulate time courses and write them, with the truth, to a run directory.

    The directory holds `time_courses.npz` (the input of `escapement recover`), `truth.json` (rate
    constants, types, slopes and baselines), `noise_free.npz` and `config.toml`.

    Args:
        output: The directory to create.
        config: What to simulate.
        force: Whether an existing run directory may be replaced.

    Raises:
        FileExistsError: `output` is not empty and `force` is off.
        ValueError: Every trajectory failed; says why.
    """
    with new_run_directory(output, force=force) as directory, double_precision():
        simulation = simulate(config)
        write_archive(directory / "time_courses.npz", simulation.time_courses, simulation.network)
        np.savez_compressed(
            directory / "noise_free.npz",
            times=np.asarray(simulation.time_courses.times),
            concentrations=np.asarray(simulation.states),
        )
        write_truth(directory / "truth.json", simulation.truth)
        (directory / CONFIG_FILE).write_text(to_toml(config), encoding="utf-8")
        print(_description(simulation))
    print(f"written to {output}")


def _description(simulation: Simulation) -> str:
    courses, network = simulation.time_courses, simulation.network
    lines = [
        f"{network.num_metabolites} metabolites, {network.num_reactions} reactions, "
        f"{courses.num_trajectories} trajectories of {courses.num_frames:,} frames",
        *(f"warning: {failure}" for failure in simulation.failures),
    ]
    return "\n".join(lines)
