"""Files of an inferred genealogy: draws, tables and summaries."""

import csv
import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from escapement_jax.genealogy.demography.pair_coalescence import PopulationSizeEstimate
from escapement_jax.genealogy.diagnostics.verdict import Convergence
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.posterior import AlleleAges, Posterior
from escapement_jax.genealogy.predictive_checks import PredictiveCheck
from escapement_jax.genealogy.world.world_parameters import Estimate


def write_draws(folder: Path, posterior: Posterior) -> None:
    """Write every draw as ``draw_0000.trees`` and so on, samples in input haplotype order.

    Args:
        folder: Where to write; created if need be.
        posterior: The result of an inference.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index, tree_sequence in enumerate(posterior.tree_sequences):
        tree_sequence.dump(folder / f"draw_{index:04d}.trees")


def write_summary(
    path: Path,
    posterior: Posterior,
    checks: Sequence[PredictiveCheck] = (),
    *,
    seconds: Mapping[str, float],
    peak_memory_mb: float,
) -> None:
    """Write the summary of an inference as JSON; what is not known, such as a NaN, is null.

    Args:
        path: File to write.
        posterior: The result of the inference.
        checks: Its posterior predictive checks.
        seconds: Wall time, ``compile`` and ``run``.
        peak_memory_mb: Largest memory of the process, 10^6 bytes.
    """
    genotypes = posterior.genotypes
    summary = {
        "elbo": _number(posterior.elbo),
        "elbo_stderr": _number(posterior.elbo_stderr),
        "num_haplotypes": genotypes.num_haplotypes,
        "num_sites": genotypes.num_sites,
        "sites_dropped": dict(genotypes.sites_dropped),
        "num_draws": posterior.num_draws,
        "seconds": {stage: _number(value) for stage, value in seconds.items()},
        "peak_memory_mb": _number(peak_memory_mb),
        "converged": posterior.verdict.converged,
        "warnings": all_warnings(posterior, checks),
        "convergence": _convergence(posterior.verdict.convergence),
        "learned": {name: _estimate(value) for name, value in posterior.learned.items()},
        "predictive_checks": {check.name: _predictive_check(check) for check in checks},
    }
    path.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def all_warnings(posterior: Posterior, checks: Sequence[PredictiveCheck] = ()) -> list[str]:
    """Return what a reader of the result should know: on the data, the sampler and the model.

    Args:
        posterior: The result of an inference.
        checks: Its posterior predictive checks.
    """
    failed = (check.warning for check in checks if not check.passed)
    return [*posterior.warnings, *posterior.verdict.warnings, *failed]


def _estimate(estimate: Estimate) -> dict[str, object]:
    return {name: getattr(estimate, name).tolist() for name in ("mean", "lower_95", "upper_95")}


def _convergence(figures: Convergence | None) -> dict[str, float | None] | None:
    if figures is None:
        return None
    return {name: _number(value) for name, value in dataclasses.asdict(figures).items()}


def _predictive_check(check: PredictiveCheck) -> dict[str, object]:
    curves = {
        name: [_number(value) for value in getattr(check, name).tolist()]
        for name in ("edges", "observed", "mean", "lower", "upper")
    }
    return {"p_value": check.p_value, "passed": check.passed, **curves}


def write_metrics(path: Path, posterior: Posterior) -> None:
    """Write one line of JSON for every threading of the pass.

    Each has ``haplotypes``, how many are in the graph afterwards; ``log_z``, the mean over draws;
    and ``seconds``, the wall time of the threading, null if it was not measured.

    Args:
        path: File to write.
        posterior: The result of an inference.
    """
    means = posterior.log_weights.mean(axis=0)
    seconds = posterior.threading_seconds or (math.nan,) * len(means)
    lines = [
        json.dumps({"haplotypes": index + 2, "log_z": _number(mean), "seconds": _number(elapsed)})
        for index, (mean, elapsed) in enumerate(zip(means, seconds, strict=True))
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_demography(path: Path, estimate: PopulationSizeEstimate) -> None:
    """Write N_e(t) as CSV: left edges of the epochs (generations) and diploid sizes.

    Args:
        path: File to write.
        estimate: The population size through time.
    """
    header = ("time_generations", "population_size", "lower_95", "upper_95")
    columns = (getattr(estimate, name).tolist() for name in header)
    _write_csv(path, header, zip(*columns, strict=True))


def write_allele_ages(path: Path, ages: AlleleAges, genotypes: Genotypes) -> None:
    """Write the ages of derived alleles (generations) as CSV; empty where no draw dates a site.

    Sites are BED intervals ``contig, start, end``: the position counted from 0, and one more.

    Args:
        path: File to write.
        ages: Ages of the derived alleles.
        genotypes: The sites.
    """
    header = ("contig", "start", "end", "ancestral", "derived")
    figures = ("mean", "lower_95", "upper_95", "share_dated")
    columns = ([_blank(x) for x in getattr(ages, name).tolist()] for name in figures)
    positions = genotypes.positions.tolist()
    rows = zip(
        (genotypes.contig for _ in positions),
        positions,
        (position + 1 for position in positions),
        genotypes.ancestral_alleles,
        genotypes.derived_alleles,
        *columns,
        strict=True,
    )
    _write_csv(path, (*header, *figures), rows)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _blank(value: float) -> float | str:
    return value if math.isfinite(value) else ""


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([f"{x:.6g}" if isinstance(x, float) else x for x in row] for row in rows)
