"""Recover homeostasis from a file of metabolic time courses."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np

from escapement_jax.config.execution import DEFAULT_EXECUTION, Execution
from escapement_jax.config.gradient_baseline import GradientConfig
from escapement_jax.config.homeostasis import RecoverConfig
from escapement_jax.config.toml import to_toml
from escapement_jax.experiments.double_precision import chosen_precision
from escapement_jax.experiments.surviving_run import identify_run, surviving_run
from escapement_jax.homeostasis.recovery_report import RecoveryReport, report_recovery
from escapement_jax.io.homeostasis.fitted_model import model_to_sbml, write_model_arrays
from escapement_jax.io.homeostasis.gradient_results import write_trials
from escapement_jax.io.homeostasis.read_input import read_metabolic_input
from escapement_jax.io.homeostasis.recovery_results import (
    write_analysis_log,
    write_metabolites,
    write_reactions,
    write_summary,
    write_types,
)
from escapement_jax.io.homeostasis.truth import read_truth
from escapement_jax.io.run_directory import CONFIG_FILE
from escapement_jax.plotting.homeostasis import save_figures
from escapement_jax.training.devices import device_mesh
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.run_log import note, note_warnings
from escapement_jax.training.run_report import RunReport


@dataclasses.dataclass(frozen=True)
class RecoverInputs:
    """Where the data of a recovery are, and what else is known of them.

    Attributes:
        time_courses: Measurements in any format of `read_metabolic_input`.
        network: The reactions, where the measurements do not bring them.
        truth: What is true, to score the result after the fit.
        hold_unmeasured: Whether metabolites of the network without measurements are constant.
        held_out: How many trajectories, from the last, are not fitted but predicted.
    """

    time_courses: Path
    network: Path | None = None
    truth: Path | None = None
    hold_unmeasured: bool = False
    held_out: int = 0


def run_recover(
    inputs: RecoverInputs,
    output: Path,
    config: RecoverConfig,
    *,
    gradient: GradientConfig | None = None,
    progress: bool,
    force: bool,
    execution: Execution = DEFAULT_EXECUTION,
) -> None:
    """Read time courses, recover homeostasis, write a run directory and print a summary.

    The directory holds `metabolites.csv`, `types.csv`, `reactions.csv`, `summary.json`,
    `model.npz`, `model.xml` (where the law has a formula), `figures/` and `config.toml`; with a
    truth `analysis.log`, and with the published recipe `trials.csv`.

    Args:
        inputs: Where the data are.
        output: The directory to create.
        config: How to recover.
        gradient: How to train the published recipe beside it; by default not at all.
        progress: Whether to show a progress bar.
        force: Whether an existing run directory may be replaced.
        execution: How to carry it out.

    Raises:
        FileExistsError: `output` is not empty and `force` is off, or an unfinished run is there.
        ValueError: The input cannot be used; says why.
    """
    tables = [config] if gradient is None else [config, gradient]
    files = {name: getattr(inputs, name) for name in ("time_courses", "network", "truth")}
    identity = identify_run("recover", *tables, execution=execution, replaces=force, **files)
    told = f"hold_unmeasured {inputs.hold_unmeasured}, held_out {inputs.held_out}"
    identity = dataclasses.replace(identity, inputs={**identity.inputs, "choice of data": told})
    survival = surviving_run(output, identity, execution)
    precision = chosen_precision(execution, needed="recover")
    mesh = device_mesh(execution.devices)
    with survival as (directory, keeper), RunReport() as run, precision, mesh:
        report = _read_and_report(inputs, config, gradient, progress=progress, keeper=keeper)
        note("recovered", report.recovery.verdict, types=report.recovery.num_types)
        _write(directory, report, config, gradient)
        write_summary(
            directory / "summary.json",
            report.recovery,
            seconds=run.seconds,
            peak_memory_mb=run.peak_memory_mb,
            **_further(report),
        )
        note_warnings(report.recovery.warnings)
    print(describe(report, run.seconds))
    print(f"written to {output}")


def _read_and_report(
    inputs: RecoverInputs,
    config: RecoverConfig,
    gradient: GradientConfig | None,
    *,
    progress: bool,
    keeper: Keeper,
) -> RecoveryReport:
    courses, network = read_metabolic_input(
        inputs.time_courses,
        inputs.network,
        hold_unmeasured=inputs.hold_unmeasured,
        allow_negative=config.allow_negative,
        mass_balance=config.mass_balance,
    )
    note(
        "read",
        f"read {inputs.time_courses}",
        metabolites=courses.num_metabolites,
        reactions=network.num_reactions,
        trajectories=courses.num_trajectories,
        frames=courses.num_frames,
    )
    return report_recovery(
        courses,
        network,
        config,
        key=jax.random.key(config.seed),
        truth=read_truth(inputs.truth, network) if inputs.truth is not None else None,
        held_out=inputs.held_out,
        gradient=gradient,
        progress=progress,
        keeper=keeper,
    )


def _write(
    directory: Path,
    report: RecoveryReport,
    config: RecoverConfig,
    gradient: GradientConfig | None,
) -> None:
    recovery = report.recovery
    write_metabolites(directory / "metabolites.csv", recovery)
    write_types(directory / "types.csv", recovery)
    write_reactions(directory / "reactions.csv", recovery)
    model = recovery.pooled_model()
    write_model_arrays(directory / "model.npz", model)
    sbml = model_to_sbml(model, np.maximum(recovery.fitted[0, 0], 0.0))
    if sbml is not None:
        (directory / "model.xml").write_text(sbml, encoding="utf-8")
    if "recovered" in report.scores:
        write_analysis_log(directory / "analysis.log", report.scores["recovered"])
    if report.exploration is not None:
        write_trials(directory / "trials.csv", report.exploration)
    save_figures(report, directory / "figures")
    tables = to_toml(config) if gradient is None else to_toml(config) + "\n" + to_toml(gradient)
    (directory / CONFIG_FILE).write_text(tables, encoding="utf-8")


def _further(report: RecoveryReport) -> dict[str, Any]:
    """Return what the summary holds beside the recovery."""
    errors = [prediction.normalised_error for prediction in report.predictions]
    further: dict[str, Any] = {
        "prediction": {"held_out": report.held_out, "normalised_errors": errors}
    }
    if report.scores:
        further["scores"] = report.scores
    if report.exploration is not None:
        best = report.exploration.trials[report.exploration.best]
        further["published_recipe"] = {
            "trials": len(report.exploration.trials),
            "best_reward": best.reward,
            "best": dataclasses.asdict(best.recipe),
        }
    return further


def describe(report: RecoveryReport, seconds: dict[str, float]) -> str:
    """Return a few lines on a recovery for a person to read.

    Args:
        report: The result.
        seconds: Wall time, `compile` and `run`.
    """
    recovery, courses = report.recovery, report.courses
    lines = [
        f"{courses.num_metabolites} metabolites, {recovery.network.num_reactions} reactions "
        f"({int(recovery.identifiable.sum())} rates can be known), {courses.num_trajectories} "
        f"trajectories of {courses.num_frames:,} frames",
        recovery.verdict,
        f"{recovery.num_types} types of metabolites:",
    ]
    for kind in range(recovery.num_types):
        lines.append(
            f"  type {kind}: {int((recovery.types == kind).sum()):4d} metabolites, slope "
            f"{recovery.type_slopes[kind]:.6f} +- {recovery.type_slope_stderr[kind]:.6f}, "
            f"set point {recovery.type_baselines[kind]:.3f} +- "
            f"{recovery.type_baseline_stderr[kind]:.3f}"
        )
    error = np.mean([prediction.normalised_error for prediction in report.predictions])
    what = "held-out trajectories" if report.held_out else "the first trajectory"
    lines.append(f"prediction of {what} from the start alone: normalised error {error:.2%}")
    for name, scores in report.scores.items():
        lines.append(
            f"{name}: avg_slope_ratio {scores['avg_slope_ratio']:.4f}, accuracy of types "
            f"{scores['embedding_cluster_acc']:.2f}, rate_constants_R2 "
            f"{scores['rate_constants_R2']:.4f} (a perfect fit: "
            f"{scores['rate_constants_R2_ceiling']:.4f})"
        )
    lines += [f"warning: {warning}" for warning in recovery.warnings]
    lines.append(f"{seconds['compile']:.1f} s compiling, {seconds['run']:.1f} s running")
    return "\n".join(lines)
