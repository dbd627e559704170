"""Explore what a system can do and write everything down."""

import json
import shutil
from contextlib import ExitStack
from pathlib import Path

import jax
import numpy as np

from escapement_jax.config.curiosity import ExploreConfig
from escapement_jax.config.toml import to_toml
from escapement_jax.curiosity.diversity.filled_bins import (
    filled_bins,
    percent_of_feasible,
    quality_diversity,
)
from escapement_jax.curiosity.diversity.grid import DescriptorGrid
from escapement_jax.curiosity.experiment import Experiment
from escapement_jax.curiosity.explore import explore
from escapement_jax.curiosity.history import History
from escapement_jax.curiosity.models.circuit_network import circuit_network
from escapement_jax.curiosity.rollouts.codes import RolloutCode
from escapement_jax.curiosity.systems.circuit import TranscriptionalCircuit
from escapement_jax.experiments.exploration_figures import representatives, save_figures
from escapement_jax.experiments.explored_system import check_model, experiment_of
from escapement_jax.experiments.target_circuit import build_target
from escapement_jax.io.curiosity.circuits import write_network
from escapement_jax.io.curiosity.discoveries import write_discoveries, write_parameters
from escapement_jax.io.curiosity.histories import HISTORY_FILE, read_history, write_history
from escapement_jax.io.resumable_directory import resumable_directory
from escapement_jax.io.run_directory import CONFIG_FILE, write_text_atomically
from escapement_jax.training.run_log import note, run_log
from escapement_jax.training.run_report import RunReport


def run_explore(
    output: Path, config: ExploreConfig, *, resume: bool, progress: bool, force: bool
) -> None:
    """Search, write a run directory and print a summary.

    The directory holds ``summary.json``, ``history/``, ``discoveries.csv``, ``circuits/``,
    ``figures/`` and ``config.toml``. The history is written as the search goes on, so a run that
    was stopped can be resumed, also with a larger budget.

    Args:
        output: The directory to create, or to go on in.
        config: What to explore, and how.
        resume: Whether to go on in a directory made with the same settings.
        progress: Whether to show a progress bar.
        force: Whether to delete an existing run directory first.

    Raises:
        FileExistsError: ``output`` holds files, and neither ``resume`` nor ``force`` is on.
        ValueError: A setting is not right, or the history belongs to another search.
    """
    if config.model is not None:
        check_model(config.model)
    config.check_complete()
    with jax.enable_x64(config.solver == "stiff"), RunReport() as report, ExitStack() as log:
        experiment = experiment_of(config)
        _prepare(output, config, resume=resume, force=force)
        log.enter_context(run_log(output))
        old = read_history(output / "history") if _has_history(output) else None
        history = explore(
            experiment,
            config,
            key=jax.random.key(config.seed),
            history=old,
            progress=progress,
            on_checkpoint=lambda so_far: write_history(output / "history", so_far),
        )
        searching = report.seconds
        found = int(history.found.sum())
        note("searched", "searched for behaviours", rollouts=len(history), discoveries=found)
        _write(output, experiment, history, config)
        summary = summarise(experiment, history, config)
        if config.target is not None:
            summary["target"] = build_target(output, experiment, history, config)
        summary["seconds"] = {
            "compile": searching["compile"],
            "search": searching["run"],
            "total": sum(report.seconds.values()),
        }
        summary["peak_memory_mb"] = report.peak_memory_mb
        text = json.dumps(summary, indent=2, allow_nan=False) + "\n"
        write_text_atomically(output / "summary.json", text)
    print(describe(summary))
    print(f"written to {output}")


def summarise(experiment: Experiment, history: History, config: ExploreConfig) -> dict[str, object]:
    """Return the figures that tell how rich a history is.

    Args:
        experiment: What was done with parameters.
        history: The rollouts.
        config: How they were chosen.
    """
    behaviour = experiment.behaviour
    grid = DescriptorGrid(behaviour.low, behaviour.high, config.bins)
    descriptors, found = history.descriptors, history.found
    failed = {
        RolloutCode(code).name.lower(): int(count)
        for code, count in zip(*np.unique(history.codes, return_counts=True), strict=True)
        if code != RolloutCode.OK
    }
    summary: dict[str, object] = {
        "rollouts": len(history),
        "discoveries": int(found.sum()),
        "qd_filled_bins": filled_bins(descriptors, found, grid),
        "qd_bins": config.bins,
        "qd_extent": [list(behaviour.low), list(behaviour.high)],
        "qd_score": quality_diversity(descriptors, found, history.quality, grid),
        "descriptors": list(behaviour.names),
        "strategy": config.strategy,
        "failed": failed,
    }
    if config.behaviour != "end-point":
        summary["oscillators"] = summary["discoveries"]
        if config.decay_range is None and config.model is None:
            summary["percent_of_feasible"] = percent_of_feasible(descriptors, found, grid)
    return summary


def describe(summary: dict[str, object]) -> str:
    """Return a few lines on a search for a person to read."""
    seconds = summary["seconds"]
    assert isinstance(seconds, dict)
    what = "oscillators" if "oscillators" in summary else "discoveries"
    lines = [
        f"{summary['discoveries']:,} {what} in {summary['rollouts']:,} rollouts by "
        f"{summary['strategy']}",
        f"{summary['qd_filled_bins']:,} different behaviours (filled cells of "
        f"{summary['qd_bins']} bins along each of {', '.join(summary['descriptors'])})",  # pyright: ignore
    ]
    if "percent_of_feasible" in summary:
        share = summary["percent_of_feasible"]
        lines.append(f"{share:.1f} % of the cells that any circuit can reach")
    if isinstance(target := summary.get("target"), dict):
        lines.append(target["verdict"])
    if summary["failed"]:
        lines.append(f"rollouts that failed: {summary['failed']}")
    lines.append(
        f"{seconds['compile']:.1f} s compiling, {seconds['search']:.1f} s searching, "
        f"{seconds['total']:.1f} s in all"
    )
    return "\n".join(lines)


def _prepare(output: Path, config: ExploreConfig, *, resume: bool, force: bool) -> None:
    occupied = output.is_dir() and any(output.iterdir())
    if occupied and force and (output / CONFIG_FILE).is_file():
        shutil.rmtree(output)
    elif occupied and not resume and not force:
        raise FileExistsError(
            f"the output folder {output} is not empty; use --resume to go on in it, --force to "
            "start anew, or name another"
        )
    resumable_directory(output, to_toml(config), growing="budget", force=False)


def _has_history(output: Path) -> bool:
    return (output / "history" / HISTORY_FILE).is_file()


def _write(output: Path, experiment: Experiment, history: History, config: ExploreConfig) -> None:
    system, behaviour = experiment.system, experiment.behaviour
    write_history(output / "history", history)
    names = system.parameter_names
    write_discoveries(output / "discoveries.csv", history, names, behaviour.names)
    grid = DescriptorGrid(behaviour.low, behaviour.high, config.bins)
    chosen = representatives(history, behaviour)
    circuits = output / "circuits"
    circuits.mkdir(exist_ok=True)
    for row in chosen.tolist():
        label = f"rollout_{row:05d}"
        write_parameters(circuits / f"{label}.csv", history.parameters[row], names)
        if isinstance(system, TranscriptionalCircuit):
            write_network(
                circuits,
                circuit_network(system, jax.numpy.asarray(history.parameters[row]), name=label),
            )
    save_figures(output / "figures", experiment, history, grid, chosen)
