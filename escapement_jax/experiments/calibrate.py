"""Simulate genomes, infer their genealogies, and see whether the truth is one of the draws."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from escapement_jax.config.calibration import CalibrateConfig
from escapement_jax.config.genealogy import InferConfig
from escapement_jax.config.toml import to_toml
from escapement_jax.experiments.calibration_replicate import run_replicate
from escapement_jax.experiments.simulate_genealogy import stepwise_history
from escapement_jax.genealogy.diagnostics.calibration import (
    Estimate,
    QuantityCalibration,
    calibrate,
)
from escapement_jax.io.calibration_results import (
    read_replicates,
    replicate_file,
    write_calibration,
    write_replicate,
)
from escapement_jax.io.demography_table import read_demography
from escapement_jax.io.resumable_directory import resumable_directory
from escapement_jax.plotting.calibration import save_calibration_figures
from escapement_jax.training.progress import progress_bar
from escapement_jax.training.run_log import note, note_warnings, run_log


def run_calibrate(
    output: Path, config: CalibrateConfig, told: InferConfig, *, progress: bool, force: bool
) -> None:
    """Calibrate inference by simulation, write what came out and print a summary.

    The directory holds `replicates/*.json`, written one by one, `calibration.json`, `figures/` and
    `config.toml`. With the same settings a rerun goes on where the last one ended, also to more
    replicates.

    Args:
        output: The directory.
        config: What to simulate.
        told: How to infer. Rates that it leaves open are the true ones, and so is nothing else: the
            population size comes from diversity unless it is given. What concerns input files is
            not used.
        progress: Whether to show a progress bar.
        force: Whether a directory made with other settings is started anew.

    Raises:
        FileExistsError: The directory cannot be used, or another run works on it; says why.
        ImportError: msprime is not installed.
        ValueError: The settings of the inference hold maps, or a replicate cannot be inferred.
    """
    told = complete_settings(config, told)
    history = None
    if config.demography_file is not None:
        history = stepwise_history(*read_demography(config.demography_file))
    settings = f"{to_toml(config)}\n{to_toml(told)}"
    with (
        resumable_directory(output, settings, growing="replicates", force=force),
        run_log(output),
        progress_bar(config.replicates, "calibrating", enabled=progress, unit="replicate") as bar,
    ):
        (output / "replicates").mkdir(exist_ok=True)
        for index in range(config.replicates):
            path = replicate_file(output, index)
            if not path.exists():
                write_replicate(path, run_replicate(index, config, told, history))
                note("replicate", f"finished replicate {index}", replicate=index)
            bar.update()
        quantities = read_replicates(output, config.replicates)
        results = [
            calibrate(name, truth, draws, seed=config.seed)
            for name, (truth, draws) in quantities.items()
        ]
        write_calibration(output / "calibration.json", results, config.replicates)
        save_calibration_figures(results, output / "figures")
        note_warnings(warning for result in results for warning in result.warnings)
    print(describe(results, config.replicates))
    print(f"written to {output}")


def complete_settings(config: CalibrateConfig, told: InferConfig) -> InferConfig:
    """Give the inference the true rates where it is told none.

    Raises:
        ValueError: The inference is told a map; simulated rates are constant.
    """
    for name in ("mutation_map", "recombination_map"):
        if getattr(told, name) is not None:
            raise ValueError(f"calibrate simulates constant rates; leave {name} out of [infer]")
    values = {
        name: getattr(told, name) or getattr(config, name)
        for name in ("mutation_rate", "recombination_rate")
    }
    return dataclasses.replace(told, **values)


def describe(results: Sequence[QuantityCalibration], num_replicates: int) -> str:
    """Return a table of a calibration for a person to read.

    Args:
        results: One for each quantity.
        num_replicates: Data sets that were simulated.
    """
    lines = [
        f"{num_replicates} replicates; means +- standard errors over replicates",
        f"{'':30}{'p of ranks':>10}{'in 50 %':>16}{'in 95 %':>16}{'bias':>18}{'RMSE':>18}"
        f"{'CRPS':>18}",
    ]
    for result in results:
        lines.append(
            f"{result.name:30}{result.ecdf_p_value:>10.3f}{_shown(result.coverage_50, 3):>16}"
            f"{_shown(result.coverage_95, 3):>16}{_shown(result.bias, 4):>18}"
            f"{_shown(result.rmse, 4):>18}{_shown(result.crps, 4):>18}"
        )
    attainable = results[0].attainable_50, results[0].attainable_95
    lines.append(
        f"as many draws of a perfect sampler hold {attainable[0]:.3f}, {attainable[1]:.3f}"
    )
    warnings = [warning for result in results for warning in result.warnings]
    lines += [f"warning: {warning}" for warning in warnings] or ["no sign of a wrong calibration"]
    return "\n".join(lines)


def _shown(estimate: Estimate, digits: int) -> str:
    return f"{estimate.mean:.{digits}f} +- {estimate.stderr:.{digits}f}"
