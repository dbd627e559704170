"""Files of what was recovered: tables of metabolites, types and reactions, and a summary."""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from escapement_jax.homeostasis.recovery import Recovery

METABOLITE_COLUMNS = (
    "metabolite",
    "type",
    "type_probability",
    "slope",
    "slope_stderr",
    "offset",
    "offset_stderr",
)
TYPE_COLUMNS = (
    "type",
    "metabolites",
    "weight",
    "slope",
    "slope_stderr",
    "offset",
    "offset_stderr",
    "baseline",
    "baseline_stderr",
)
REACTION_COLUMNS = ("reaction", "log10_rate", "stderr", "identifiable")


def write_metabolites(path: Path, recovery: Recovery) -> None:
    """Write type, slope and offset of every metabolite; types are counted from 0.

    Args:
        path: CSV file to write.
        recovery: What was recovered.
    """
    types = np.asarray(recovery.types)
    probabilities = np.asarray(recovery.type_probabilities)[np.arange(len(types)), types]
    columns = (
        recovery.network.metabolite_names,
        types,
        probabilities,
        recovery.slopes,
        recovery.slope_stderr,
        recovery.offsets,
        recovery.offset_stderr,
    )
    _write_columns(path, METABOLITE_COLUMNS, columns)


def write_types(path: Path, recovery: Recovery) -> None:
    """Write the pooled slope, offset and set point of every type.

    Args:
        path: CSV file to write.
        recovery: What was recovered.
    """
    members = np.bincount(np.asarray(recovery.types), minlength=recovery.num_types)
    columns = (
        np.arange(recovery.num_types),
        members,
        recovery.type_weights,
        recovery.type_slopes,
        recovery.type_slope_stderr,
        recovery.type_offsets,
        recovery.type_offset_stderr,
        recovery.type_baselines,
        recovery.type_baseline_stderr,
    )
    _write_columns(path, TYPE_COLUMNS, columns)


def write_reactions(path: Path, recovery: Recovery) -> None:
    """Write the rate constant of every reaction; empty where it is not known.

    Args:
        path: CSV file to write.
        recovery: What was recovered.
    """
    identifiable = ["yes" if known else "no" for known in np.asarray(recovery.identifiable)]
    columns = (
        recovery.network.reaction_names,
        recovery.log10_rates,
        recovery.log10_rates_stderr,
        identifiable,
    )
    _write_columns(path, REACTION_COLUMNS, columns)


def write_summary(
    path: Path,
    recovery: Recovery,
    *,
    seconds: Mapping[str, float],
    peak_memory_mb: float,
    **further: object,
) -> None:
    """Write the summary of a recovery as JSON; what is not known, such as a NaN, is null.

    Args:
        path: File to write.
        recovery: What was recovered.
        seconds: Wall time, `compile` and `run`.
        peak_memory_mb: Largest memory of the process, 10^6 bytes.
        further: More entries.
    """
    codes = recovery.trajectory_codes()
    identifiability = recovery.identifiability
    summary = {
        "verdict": recovery.verdict,
        "num_metabolites": recovery.network.num_metabolites,
        "num_reactions": recovery.network.num_reactions,
        "num_types": recovery.num_types,
        "law": type(recovery.law).__name__,
        "integrator": recovery.integrator,
        "method": recovery.method,
        "noise_relative": recovery.noise_relative,
        "noise_absolute": recovery.noise_absolute,
        "chi_square": recovery.chi_square,
        "bayesian_information": recovery.bayesian_information,
        "trajectories": [{"code": int(code), "message": code.message} for code in codes],
        "identifiability": {
            "verdict": identifiability.verdict,
            "identifiable_reactions": int(np.asarray(recovery.identifiable).sum()),
            "indistinguishable_reactions": [
                [recovery.network.reaction_names[index] for index in group]
                for group in identifiability.groups
            ],
            "reactions_without_substrates": [
                recovery.network.reaction_names[index] for index in identifiability.edgeless
            ],
            "conserved_moieties": len(identifiability.moieties),
            "expected_pooled_slope_stderr": identifiability.expected_pooled_slope_stderr,
            "confounders": list(identifiability.confounders),
        },
        **further,
        "seconds": dict(seconds),
        "peak_memory_mb": peak_memory_mb,
        "warnings": list(recovery.warnings),
    }
    text = json.dumps(_plain(summary), indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_analysis_log(path: Path, metrics: Mapping[str, float]) -> None:
    """Write metrics as lines of `name: value`, the published format.

    Args:
        path: File to write.
        metrics: By their published names.
    """
    lines = [f"{name}: {value:.6g}" for name, value in metrics.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _plain(value: object) -> object:
    """Turn arrays into lists and what is no finite number into null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _plain(np.asarray(value).tolist())


def _write_columns(path: Path, header: Sequence[str], columns: Iterable[object]) -> None:
    lists = [
        column if isinstance(column, list | tuple) else np.asarray(column).tolist()
        for column in columns
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([_field(value) for value in row] for row in zip(*lists, strict=True))


def _field(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.8g}" if math.isfinite(value) else ""
    return value
