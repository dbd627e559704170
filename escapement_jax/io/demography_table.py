"""Population size through time from a table."""

import csv
import io
from pathlib import Path

import numpy as np

from escapement_jax.io.reader import reader
from escapement_jax.io.text_files import read_text, to_number

COLUMNS = ("time_generations", "population_size")


@reader
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
    table = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    for name in COLUMNS:
        count = list(table.fieldnames or ()).count(name)
        if count != 1:
            problem = "missing; name it in the header" if not count else "there twice; keep one"
            raise ValueError(f"{path}: the column {name} is {problem}")
    rows = [_numbers(path, table.line_num, row) for row in table]
    if not rows:
        raise ValueError(f"{path}: no epoch; write at least one line below the header")
    times, sizes = np.array(rows).T
    _check(path, times, sizes)
    return times, sizes


def _numbers(path: Path, line: int, row: dict[str, str]) -> list[float]:
    try:
        return [to_number(row[name]) for name in COLUMNS]
    except (AttributeError, TypeError, ValueError):
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
