"""Explore what a system can do and write everything down."""

import json
from functools import partial
from pathlib import Path

import jax
import numpy as np

from escapement_jax.config.curiosity import ExploreConfig
from escapement_jax.config.execution import DEFAULT_EXECUTION, Execution
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
from escapement_jax.experiments.double_precision import chosen_precision
from escapement_jax.experiments.exploration_figures import representatives, save_figures
from escapement_jax.experiments.explored_system import check_model, experiment_of
from escapement_jax.experiments.surviving_run import identify_run, surviving_run
from escapement_jax.experiments.target_circuit import build_target
from escapement_jax.io.curiosity.circuits import write_network
from escapement_jax.io.curiosity.discoveries import write_discoveries, write_parameters
from escapement_jax.io.curiosity.histories import HISTORY_FILE, read_history, write_history
from escapement_jax.io.resumable_directory import require_same_settings
from escapement_jax.io.run_directory import CONFIG_FILE
from escapement_jax.training.devices import device_mesh
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.run_log import note
from escapement_jax.training.run_report import RunReport

HISTORY = "history"
"""Section of the state that is kept."""


def run_explore(
    output: Path,
    config: ExploreConfig,
    *,
    progress: bool,
    force: bool,
    execution: Execution = DEFAULT_EXECUTION,
) -> None:
    """Search, write a run directory and print a summary.

    The directory holds ``summary.json``, ``history/``, ``discoveries.csv``, ``circuits/``,
    ``figures/`` and ``config.toml``; it appears when everything has succeeded. A run that was
    stopped can be resumed, and so can a finished one, with a larger budget.

    Args:
        output: The directory to create, or to go on from.
        config: What to explore, and how.
        progress: Whether to show a progress bar.
        force: Whether an existing run directory may be replaced.
        execution: How to carry it out.

    Raises:
        FileExistsError: ``output`` holds files, and is neither resumed nor forced.
        ValueError: A setting is not right, or the history belongs to another search.
    """
    if config.model is not None:
        check_model(config.model)
    config.check_complete()
    old = None if force else _finished_history(output, config, resume=execution.resume)
    identity = identify_run(
        "explore", config, execution=execution, replaces=force or old is not None
    )
    survival = surviving_run(output, identity, execution, growing="explore.budget")
    needed = "a stiff solver" if config.solver == "stiff" else None
    with (
        chosen_precision(execution, needed=needed),
        survival as (directory, keeper),
        RunReport() as report,
        device_mesh(execution.devices, batch=config.rollouts_per_batch, what="rollouts"),
    ):
        experiment = experiment_of(config)
        history = explore(
            experiment,
            config,
            key=jax.random.key(config.seed),
            history=_kept_history(keeper) or old,
            progress=progress,
            on_checkpoint=partial(_offer, keeper),
        )
        searching = report.seconds
        found = int(history.found.sum())
        note("searched", "searched for behaviours", rollouts=len(history), discoveries=found)
        _write(directory, experiment, history, config)
        summary = summarise(experiment, history, config)
        if config.target is not None:
            summary["target"] = build_target(directory, experiment, history, config)
        summary |= _costs(searching, report)
        _write_summary(directory / "summary.json", summary)
    print(describe(summary))
    print(f"written to {output}")


def _costs(searching: dict[str, float], report: RunReport) -> dict[str, object]:
    total = sum(report.seconds.values())
    seconds = {"compile": searching["compile"], "search": searching["run"], "total": total}
    return {"seconds": seconds, "peak_memory_mb": report.peak_memory_mb}


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


def _finished_history(output: Path, config: ExploreConfig, *, resume: bool) -> History | None:
    """The history of a finished run to go on from; None if there is none."""
    if not (output / "history" / HISTORY_FILE).is_file():
        return None
    if not resume:
        raise FileExistsError(
            f"the output folder {output} is not empty; use --resume to go on from it, --force to "
            "replace it, or name another"
        )
    require_same_settings(output, to_toml(config), growing="budget")
    return read_history(output / "history")


def _pack(history: History) -> dict[str, np.ndarray]:
    arrays = history.to_arrays()
    return arrays | {"identity": np.frombuffer(history.identity.encode(), np.uint8)}


def _offer(keeper: Keeper, history: History) -> None:
    keeper.offer(HISTORY, f"{len(history):,} rollouts", partial(_pack, history))


def _kept_history(keeper: Keeper) -> History | None:
    kept = keeper.kept(HISTORY)
    if kept is None:
        return None
    return History.from_arrays({**kept, "identity": np.array(bytes(kept["identity"]).decode())})


def _write_summary(path: Path, summary: dict[str, object]) -> None:
    path.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _write(output: Path, experiment: Experiment, history: History, config: ExploreConfig) -> None:
    system, behaviour = experiment.system, experiment.behaviour
    write_history(output / "history", history)
    (output / CONFIG_FILE).write_text(to_toml(config), encoding="utf-8")
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
