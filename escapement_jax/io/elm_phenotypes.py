"""Tables with a name in the first column: phenotypes, and genotypes as text."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from escapement_jax.io.reader import reader
from escapement_jax.io.text_files import read_text, to_number

MISSING_WORDS = frozenset({"", "na", "nan", ".", "missing"})
NUM_NAMED = 5


class NamedTable(NamedTuple):
    """Numbers with a name for every row and column; NaN is missing."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: np.ndarray


@reader
def read_named_table(path: Path) -> NamedTable:
    """Read a table of numbers with a header line and a name in the first column.

    Args:
        path: comma- or tab-separated text; empty cells, NA and `.` are missing.

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: the table is empty or ragged, a name is repeated, or a cell is not a number;
            names the line.
    """
    lines = read_text(path).splitlines()
    delimiter = "\t" if lines and "\t" in lines[0] else ","
    records = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    if len(records) < 2 or len(records[0]) < 2:
        raise ValueError(
            f"{path}: give a header line, a name in the first column and numbers in the others"
        )
    header, *body = records
    values = np.empty((len(body), len(header) - 1))
    for number, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise ValueError(
                f"{path}, line {number}: {len(row)} cells under {len(header)} headings"
            )
        values[number - 2] = [_number(cell, path, number) for cell in row[1:]]
    rows = tuple(row[0].strip() for row in body)
    columns = tuple(name.strip() for name in header[1:])
    for kind, names in (("row", rows), ("column", columns)):
        if len(set(names)) < len(names):
            repeated = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"{path}: the {kind} {repeated!r} occurs more than once")
    return NamedTable(rows, columns, values)


def match_individuals(table: NamedTable, individuals: Sequence[str], path: Path) -> np.ndarray:
    """Put the rows of a phenotype table in the order of genotyped individuals.

    Args:
        table: phenotypes.
        individuals: names of the genotyped individuals, in order.
        path: the table, for messages.

    Raises:
        ValueError: somebody is in one of the two only; names up to five of each.
    """
    place = {name: row for row, name in enumerate(table.rows)}
    genotyped = set(individuals)
    without = [name for name in individuals if name not in place]
    beyond = [name for name in table.rows if name not in genotyped]
    if without or beyond:
        raise ValueError(
            f"{path}: the individuals of genotypes and phenotypes do not match: "
            f"{len(without)} have no phenotype ({_some(without)}) and {len(beyond)} no genotype "
            f"({_some(beyond)}); give both for the same individuals"
        )
    return table.values[[place[name] for name in individuals]]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NUM_NAMED]) + (", ..." if len(names) > NUM_NAMED else "") or "none"


def _number(cell: str, path: Path, line: int) -> float:
    if cell.strip().lower() in MISSING_WORDS:
        return float("nan")
    try:
        return to_number(cell)
    except ValueError:
        raise ValueError(f"{path}, line {line}: {cell!r} is not a number") from None
