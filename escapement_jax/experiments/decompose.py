"""Decompose phenotypes of a file into additive and epistatic effects."""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.config.execution import DEFAULT_EXECUTION, Execution
from escapement_jax.config.toml import to_toml
from escapement_jax.elm.decompose import decompose
from escapement_jax.elm.effects import Effects
from escapement_jax.elm.genotypes.study import Study
from escapement_jax.elm.method_table import MethodRow, compare_methods, method_table
from escapement_jax.elm.simulation.environment import add_environment
from escapement_jax.experiments.double_precision import chosen_precision
from escapement_jax.experiments.surviving_run import identify_run, surviving_run
from escapement_jax.io.elm_results import (
    write_additive,
    write_anchors,
    write_epistatic,
    write_summary,
    write_variance_components,
)
from escapement_jax.io.elm_studies import read_study
from escapement_jax.io.run_directory import CONFIG_FILE
from escapement_jax.plotting.elm import save_figures
from escapement_jax.training.devices import device_mesh
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.progress import progress_bar
from escapement_jax.training.run_log import note, note_warnings
from escapement_jax.training.run_report import RunReport

FALSE_DISCOVERY_RATE = 0.05


def run_decompose(
    input: Path,
    output: Path,
    config: DecomposeConfig,
    *,
    progress: bool,
    force: bool,
    execution: Execution = DEFAULT_EXECUTION,
) -> None:
    """Read a study, decompose its traits, write a run directory and print a summary.

    The directory holds `additive.csv`, `epistatic.csv`, `variance_components.csv`, `methods.csv`,
    `summary.json`, `figures/` and `config.toml`; it appears when everything has succeeded.

    Args:
        input: the study, in any format of `read_study`.
        output: the directory to create.
        config: how to decompose.
        progress: whether to show progress bars.
        force: whether an existing run directory may be replaced.
        execution: how to carry it out.

    Raises:
        FileExistsError: `output` is not empty and `force` is off, or an unfinished run is there.
        ImportError: the reader of this kind of file is not installed.
        ValueError: the input cannot be used; says why.
    """
    config.check_complete()
    identity = identify_run("decompose", config, execution=execution, replaces=force, input=input)
    survival = surviving_run(output, identity, execution)
    mesh = device_mesh(execution.devices)
    with survival as (directory, keeper), RunReport() as report, chosen_precision(execution), mesh:
        study, dropped = prepare_study(read_study(input, config.phenotypes), config)
        individuals, loci = study.genotypes.shape
        note("read", f"read {input}", individuals=individuals, loci=loci, loci_dropped=dropped)
        effects, rows, study = decompose_study(study, config, progress=progress, keeper=keeper)
        note("decomposed", "estimated effects", pairs_found=sum(pairs_found(effects)))
        write_additive(directory / "additive.csv", effects)
        write_epistatic(directory / "epistatic.csv", effects)
        write_variance_components(directory / "variance_components.csv", effects)
        write_anchors(directory / "methods.csv", rows, effects.trait_names)
        save_figures(directory / "figures", effects, rows, study.truth)
        summary = summarise(effects, rows, dropped)
        summary |= {"seconds": report.seconds, "peak_memory_mb": report.peak_memory_mb}
        write_summary(directory / "summary.json", summary)
        (directory / CONFIG_FILE).write_text(to_toml(config), encoding="utf-8")
        note_warnings(effects.warnings)
    print(describe(effects, rows, dropped, report.seconds))
    for warning in effects.warnings:
        print(f"warning: {warning}")
    print(f"written to {output}")


def prepare_study(study: Study, config: DecomposeConfig) -> tuple[Study, dict[str, int]]:
    """Leave out loci that the settings say to leave out, and count them by reason.

    Args:
        study: as read.
        config: `drop_unusable_loci` and `prune_r2`.

    Raises:
        ValueError: the coding of the genotypes is not recognised.
    """
    if config.drop_unusable_loci or config.prune_r2 is not None:
        return study.usable(config.prune_r2)
    return study, {}


def decompose_study(
    study: Study,
    config: DecomposeConfig,
    *,
    progress: bool = False,
    keeper: Keeper | None = None,
) -> tuple[Effects, tuple[MethodRow, ...], Study]:
    """Decompose a study and compare the result with its anchors, and with the truth if known.

    Args:
        study: genotypes and phenotypes; environmental noise is added if `config` says so.
        config: how to decompose.
        progress: whether to show progress bars.
        keeper: takes the fit of every replicate, and brings those made before.

    Returns:
        The effects, the comparison of methods, and the study with the noise that was added.

    Raises:
        ValueError: genotypes or phenotypes cannot be used; the message names the offender.
    """
    started = time.process_time()
    studies = [_with_noise(study, config, 0)]
    if config.fresh_noise:
        studies += [_with_noise(study, config, number) for number in range(1, config.replicates)]
        effects = _mean_over_noise(studies, config, keeper or Keeper(), progress=progress)
    else:
        effects = _decompose(studies[0], config, config.seed, progress=progress, keeper=keeper)
    seconds = time.process_time() - started - sum(a.cpu_seconds for a in effects.anchors)
    rows = compare_methods(
        effects, studies[0].truth, name=_name_of_method(config), cpu_seconds=seconds
    )
    return effects, rows, studies[0]


def _decompose(
    study: Study,
    config: DecomposeConfig,
    seed: int,
    *,
    progress: bool,
    keeper: Keeper | None = None,
) -> Effects:
    return decompose(
        study.coded(np.dtype(jnp.zeros(0).dtype).type),
        study.phenotypes,
        config,
        key=jax.random.key(seed),
        trait_names=study.trait_names,
        progress=progress,
        keeper=keeper,
    )


def _mean_over_noise(
    studies: list[Study], config: DecomposeConfig, keeper: Keeper, *, progress: bool
) -> Effects:
    """Average effects over data sets that differ in their noise; anchors are of the first alone.

    The first comes last: of the others nothing but their effects need be kept.
    """
    first = dataclasses.replace(config, replicates=1, fresh_noise=False)
    others = dataclasses.replace(first, anchors=())
    found = []
    with progress_bar(len(studies), "noise", enabled=progress) as bar:
        for number in range(1, len(studies)):
            found.append(_kept_or_found(number, studies[number], others, config, keeper))
            bar.update(1)
        effects = _decompose(studies[0], first, config.seed, progress=False)
        bar.update(1)
    means = [jnp.mean(jnp.stack(f), axis=0) for f in zip(_averaged(effects), *found, strict=True)]
    return eqx.tree_at(_averaged, effects, tuple(means))


def _kept_or_found(
    number: int, study: Study, settings: DecomposeConfig, config: DecomposeConfig, keeper: Keeper
) -> tuple[Array, ...]:
    """Effects of the data set with one of the noises."""
    section = f"noise {number}"
    if (kept := keeper.kept(section)) is not None:
        return tuple(jnp.asarray(kept[str(place)]) for place in range(len(kept)))
    found = _averaged(_decompose(study, settings, config.seed + number, progress=False))
    place = f"{number} of {config.replicates} noises decomposed"
    keeper.offer(section, place, lambda: {str(i): np.asarray(a) for i, a in enumerate(found)})
    return found


def _averaged(effects: Effects) -> tuple[Any, ...]:
    additive, epistatic = effects.additive, effects.epistatic
    return (additive.effect, additive.unshrunken, epistatic.effect, epistatic.unshrunken)


def _with_noise(study: Study, config: DecomposeConfig, number: int) -> Study:
    if config.heritability is None:
        return study
    generator = np.random.default_rng([config.seed, number])
    return add_environment(study, config.heritability, generator)


def _name_of_method(config: DecomposeConfig) -> str:
    if config.method == "debiased":
        return "debiased"
    runs = f", {config.replicates} runs" if config.replicates > 1 else ""
    return f"ELM{runs}{', new noise' if config.fresh_noise else ''}"


def summarise(
    effects: Effects, rows: tuple[MethodRow, ...], dropped: Mapping[str, int]
) -> dict[str, Any]:
    """Return the summary of a decomposition for programs.

    Args:
        effects: the result.
        rows: the comparison of methods.
        dropped: loci left out, by reason.
    """
    traits = effects.trait_names
    network = effects.network
    summary: dict[str, Any] = {
        "test_r2": dict(zip(traits, np.asarray(effects.test_r2).tolist(), strict=True)),
        "reconstruction_error": None if network is None else float(network.reconstruction_error),
        "pairs_found": dict(zip(traits, pairs_found(effects), strict=True)),
        "num_individuals": {"train": effects.num_train, "test": effects.num_test},
        "num_loci": len(effects.locus_names),
        "num_candidate_pairs": effects.num_candidate_pairs,
        "loci_dropped": dict(dropped),
        "methods": [dataclasses.asdict(row) for row in rows],
        "warnings": list(effects.warnings),
    }
    if network is not None:
        summary["network"] = {
            "test_r2": network.test_r2,
            "test_correlation": network.test_correlation,
            "gain": network.gain,
            "gain_stderr": network.gain_stderr,
            "variance_by_order": network.variance_spectrum,
            "epochs": network.num_epochs,
        }
    return summary


def pairs_found(effects: Effects) -> list[int]:
    """Return the number of pairs of each trait at a false discovery rate of 5 %.

    Args:
        effects: the result.
    """
    q_values = np.asarray(effects.epistatic.q_value)
    return np.sum(q_values <= FALSE_DISCOVERY_RATE, axis=1).tolist()


def describe(
    effects: Effects,
    rows: tuple[MethodRow, ...],
    dropped: Mapping[str, int],
    seconds: Mapping[str, float],
) -> str:
    """Return a few lines on a decomposition for a person to read.

    Args:
        effects: the result.
        rows: the comparison of methods.
        dropped: loci left out, by reason.
        seconds: wall time, `compile` and `run`.
    """
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items())
    lines = [
        f"{effects.num_train:,} individuals to learn from, {effects.num_test:,} to test on, "
        f"{len(effects.locus_names):,} loci, {effects.num_candidate_pairs:,} pairs",
        *([f"loci left out: {left_out}"] if left_out else []),
        method_table(rows, effects.trait_names),
    ]
    components = effects.variance
    if len(components.names) > 1:
        lines.append("variance (standard error)")
        values, errors = np.asarray(components.variance), np.asarray(components.stderr)
        for place, name in enumerate(components.names):
            cells = [
                f"{v:.3f} ({e:.3f})"
                for v, e in zip(values[:8, place], errors[:8, place], strict=True)
            ]
            lines.append(f"  {name:<22}{'  '.join(cells)}")
    lines.append(f"{seconds['compile']:.1f} s compiling, {seconds['run']:.1f} s running")
    return "\n".join(lines)
