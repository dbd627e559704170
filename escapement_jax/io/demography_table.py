"""Population size through time from a table."""

import csv
from pathlib import Path

import numpy as np

from escapement_jax.io.text_files import require_file

COLUMNS = ("time_generations", "population_size")


def read_demography(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a piecewise-constant diploid population size, such as the `demography.csv` of a run.

    Args:
        path: CSV with a header and the columns `time_generations`, the left edges of the epochs,
            the first of them 0, and `population_size`; further columns are not read.

    Returns:
        Left edges in generations and diploid sizes, one of each per epoch.

    Raises:
        FileNotFoundError: when the file is absent.
        ValueError: when a column is missing, a number cannot be read, an epoch is out of order or a
            size is not positive; names the line.
    """
    require_file(path)
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{path}: the column {missing[0]} is missing; name it in the header")
        rows = [_numbers(path, reader.line_num, row) for row in reader]
    if not rows:
        raise ValueError(f"{path}: no epoch; write at least one line below the header")
    times, sizes = np.array(rows).T
    _check(path, times, sizes)
    return times, sizes


def _numbers(path: Path, line: int, row: dict[str, str]) -> list[float]:
    try:
        return [float(row[name]) for name in COLUMNS]
    except (TypeError, ValueError):
        shown = ", ".join(str(row[name]) for name in COLUMNS)
        raise ValueError(f"{path}, line {line}: {shown} are not two numbers") from None


def _check(path: Path, times: np.ndarray, sizes: np.ndarray) -> None:
    if times[0] != 0:
        raise ValueError(
            f"{path}: the first epoch starts at {times[0]:g} generations; it must be 0"
        )
    unordered = np.flatnonzero(~(np.diff(times) > 0) | ~np.isfinite(times[1:]))
    if unordered.size:
        epoch = unordered[0] + 1
        raise ValueError(
            f"{path}: epochs must be in order of time; {times[epoch]:g} follows "
            f"{times[epoch - 1]:g}"
        )
    wrong = np.flatnonzero(~(sizes > 0) | ~np.isfinite(sizes))
    if wrong.size:
        raise ValueError(
            f"{path}: the size {sizes[wrong[0]]:g} at {times[wrong[0]]:g} generations must be "
            "positive and finite"
        )
