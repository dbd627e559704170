"""Files of a calibration: one for every replicate, and the summary."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from escapement_jax.genealogy.diagnostics.calibration import QuantityCalibration
from escapement_jax.io.json_files import read_json
from escapement_jax.io.run_directory import write_text_atomically

NUM_BINS = 10


def replicate_file(output: Path, index: int) -> Path:
    """Return the file of one replicate."""
    return output / "replicates" / f"replicate_{index:04d}.json"


def write_replicate(path: Path, replicate: Mapping[str, Any]) -> None:
    """Write a replicate, whole or not at all.

    Args:
        path: File to write.
        replicate: JSON values; `quantities` holds `truth` [places] and `draws` [draws, places] of
            every quantity by name.
    """
    write_text_atomically(path, json.dumps(replicate, allow_nan=False) + "\n")


def read_replicates(output: Path, number: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Read the first replicates of a calibration.

    Args:
        output: The run directory.
        number: How many.

    Returns:
        True values [replicates, places] and draws [replicates, draws, places] of every quantity.

    Raises:
        ValueError: If a file is no replicate; names it.
    """
    quantities = [_read_quantities(replicate_file(output, index)) for index in range(number)]
    return {
        name: (
            np.array([one[name]["truth"] for one in quantities], np.float64),
            np.array([one[name]["draws"] for one in quantities], np.float64),
        )
        for name in quantities[0]
    }


def _read_quantities(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)["quantities"]
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path}: not a replicate ({error}); delete it to run it anew") from error


def write_calibration(
    path: Path, results: Sequence[QuantityCalibration], num_replicates: int
) -> None:
    """Write the summary of a calibration as JSON; what is not known is null.

    Args:
        path: File to write.
        results: One for each quantity.
        num_replicates: Data sets that were simulated.
    """
    warnings = [warning for result in results for warning in result.warnings]
    summary = {
        "num_replicates": num_replicates,
        "calibrated": not warnings,
        "warnings": warnings,
        "quantities": {result.name: _quantity(result) for result in results},
    }
    write_text_atomically(path, json.dumps(summary, indent=2, allow_nan=False) + "\n")


def _quantity(result: QuantityCalibration) -> dict[str, Any]:
    shown: dict[str, Any] = {
        name: {key: _number(one) for key, one in value.items()}
        if isinstance(value, dict)
        else value
        for name, value in dataclasses.asdict(result).items()
        if name not in ("name", "ranks")
    }
    counts = np.histogram(result.ranks, NUM_BINS, range=(0.0, 1.0))[0]
    return {"num_ranks": result.ranks.size, "rank_histogram": counts.tolist()} | shown


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
