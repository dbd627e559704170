"""Infer genealogies and population size from a file of phased genomes."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax

from escapement_jax.config.execution import DEFAULT_EXECUTION, Execution
from escapement_jax.config.genealogy import InferConfig
from escapement_jax.config.toml import to_toml
from escapement_jax.experiments.double_precision import chosen_precision
from escapement_jax.experiments.surviving_run import identify_run, surviving_run
from escapement_jax.genealogy.demography.pair_fit import DemographyFit
from escapement_jax.genealogy.fit import infer
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.rate_map import RateMap
from escapement_jax.genealogy.posterior import Posterior
from escapement_jax.genealogy.predictive_checks import (
    PredictiveCheck,
    predictive_checks,
)
from escapement_jax.io.genealogy_results import (
    all_warnings,
    write_allele_ages,
    write_demography,
    write_draws,
    write_metrics,
    write_summary,
)
from escapement_jax.io.rate_maps import read_mutation_map, read_recombination_map
from escapement_jax.io.read_genotypes import read_genotypes
from escapement_jax.io.run_directory import CONFIG_FILE
from escapement_jax.plotting.genealogy import save_figures
from escapement_jax.plotting.predictive_checks import save_check_figures
from escapement_jax.training.devices import device_mesh
from escapement_jax.training.run_log import note, note_warnings
from escapement_jax.training.run_report import RunReport


def run_infer(
    input: Path,
    output: Path,
    config: InferConfig,
    *,
    progress: bool,
    force: bool,
    execution: Execution = DEFAULT_EXECUTION,
    pairs: DemographyFit | None = None,
    genome: str = "",
) -> None:
    """Read genomes, infer their genealogy, write a run directory and print a summary.

    The directory holds ``draws/*.trees``, ``summary.json``, ``demography.csv``,
    ``allele_ages.csv``, ``metrics.jsonl``, ``figures/`` and ``config.toml``; it appears when
    everything has succeeded.

    Args:
        input: Phased genomes in any format of ``read_genotypes``.
        output: The directory to create.
        config: How to infer.
        progress: Whether to show a progress bar.
        force: Whether an existing run directory may be replaced.
        execution: How to carry it out.
        pairs: N_e(t) and rates that were learned from more than this input.
        genome: What tells the genome that they were learned from.

    Raises:
        FileExistsError: If ``output`` is not empty and ``force`` is off, or an unfinished run is
            there.
        ValueError: If a setting is missing or the input cannot be used; says why.
    """
    config.check_complete()
    identity = identify_run("infer", config, execution=execution, replaces=force, input=input)
    if genome:
        identity = dataclasses.replace(identity, inputs={**identity.inputs, "genome": genome})
    survival = surviving_run(output, identity, execution)
    mesh = device_mesh(execution.devices, batch=config.num_chains, what="chains")
    precision = chosen_precision(execution)
    with survival as (directory, keeper), RunReport() as report, precision, mesh:
        genotypes, maps = read_genomes(input, config)
        key = jax.random.key(config.seed)
        posterior = infer(
            genotypes, config, key=key, progress=progress, keeper=keeper, pairs=pairs, **maps
        )
        note("inferred", "drew genealogies", draws=posterior.num_draws, elbo=posterior.elbo)
        checks = _predictive_checks(posterior, config, maps.get("mutation_map"))
        _write(directory, posterior, config, checks)
        cost = {"seconds": report.seconds, "peak_memory_mb": report.peak_memory_mb}
        write_summary(directory / "summary.json", posterior, checks, **cost)
        note_warnings(all_warnings(posterior, checks))
    print(describe(posterior, report.seconds))
    for warning in all_warnings(posterior, checks):
        print(f"warning: {warning}")
    print(f"written to {output}")


def read_genomes(input: Path, config: InferConfig) -> tuple[Genotypes, dict[str, RateMap]]:
    """Read phased genomes, and the maps that the settings name.

    Args:
        input: Phased genomes in any format of ``read_genotypes``.
        config: Settings: what to read of them.

    Raises:
        ValueError: If a file cannot be used; says why.
    """
    genotypes = read_genotypes(
        input,
        ancestral=config.ancestral,
        region=config.region,
        samples=config.samples,
        mask=config.mask,
    )
    note(
        "read",
        f"read {input}",
        haplotypes=genotypes.num_haplotypes,
        sites=genotypes.num_sites,
        sites_dropped=genotypes.sites_dropped,
    )
    return genotypes, _read_maps(genotypes, config)


def _read_maps(genotypes: Genotypes, config: InferConfig) -> dict[str, RateMap]:
    maps = {}
    if config.mutation_map is not None:
        maps["mutation_map"] = read_mutation_map(config.mutation_map, genotypes.contig)
    if config.recombination_map is not None:
        maps["recombination_map"] = read_recombination_map(
            config.recombination_map, genotypes.contig
        )
    return maps


def _predictive_checks(
    posterior: Posterior, config: InferConfig, mutation_map: RateMap | None
) -> tuple[PredictiveCheck, ...]:
    genotypes = posterior.genotypes
    if mutation_map is None:
        rate = config.mutation_rate or 0.0
        mutation_map = RateMap.constant(rate, genotypes.start, genotypes.end)
    error = posterior.redating.genotype_error if posterior.redating else config.genotype_error
    return predictive_checks(posterior, mutation_map, genotype_error=error)


def _write(
    directory: Path, posterior: Posterior, config: InferConfig, checks: Sequence[PredictiveCheck]
) -> None:
    write_draws(directory / "draws", posterior)
    write_demography(directory / "demography.csv", posterior.population_size)
    write_allele_ages(directory / "allele_ages.csv", posterior.allele_ages(), posterior.genotypes)
    write_metrics(directory / "metrics.jsonl", posterior)
    save_figures(posterior, directory / "figures")
    save_check_figures(posterior, checks, directory / "figures")
    (directory / CONFIG_FILE).write_text(to_toml(config), encoding="utf-8")


def describe(posterior: Posterior, seconds: dict[str, float]) -> str:
    """Return a few lines on a posterior for a person to read.

    Args:
        posterior: The result of an inference.
        seconds: Wall time, ``compile`` and ``run``.
    """
    genotypes = posterior.genotypes
    estimate = posterior.population_size
    dropped = ", ".join(f"{count:,} {name}" for name, count in genotypes.sites_dropped.items())
    lines = [
        f"{genotypes.num_haplotypes} haplotypes, {genotypes.num_sites:,} sites on "
        f"{genotypes.contig}:{genotypes.start + 1:,}-{genotypes.end:,}",
        f"sites dropped: {dropped or 'none'}",
        f"log P(genotypes) >= {posterior.elbo:,.1f} (standard error {posterior.elbo_stderr:.1f}, "
        f"{posterior.num_draws} draws)",
        f"told N_e {posterior.population_size_prior:,.0f}; inferred N_e(t), 95 % interval:",
    ]
    for time, size, lower, upper in zip(
        estimate.time_generations,
        estimate.population_size,
        estimate.lower_95,
        estimate.upper_95,
        strict=True,
    ):
        lines.append(
            f"  from {time:>9,.0f} generations {size:>10,.0f} ({lower:,.0f} - {upper:,.0f})"
        )
    lines.append(f"{seconds['compile']:.1f} s compiling, {seconds['run']:.1f} s running")
    return "\n".join(lines)
