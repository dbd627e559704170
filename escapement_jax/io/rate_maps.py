"""Recombination and mutation maps from text files."""

from pathlib import Path

import numpy as np

from escapement_jax.genealogy.genome.rate_map import RateMap
from escapement_jax.io.reader import reader
from escapement_jax.io.regions import require_contig
from escapement_jax.io.text_files import number_field, read_fields

_MORGANS_PER_CENTIMORGAN = 0.01
_CONTIG_NAMES = ("chr", "chrom", "chromosome")
_POSITION_NAMES = ("pos", "position", "position(bp)")
_CENTIMORGAN_NAMES = ("cm", "map(cm)", "genetic_map(cm)")
_RECOMBINATION_FORMS = '"pos chr cM" or "Chromosome Position(bp) Rate(cM/Mb) Map(cM)"'


@reader
def read_recombination_map(path: Path, contig: str) -> RateMap:
    """Read a genetic map: positions, counted from 1, with their distance in centimorgans.

    The columns are found by the header: `pos chr cM`, or HapMap's
    `Chromosome Position(bp) Rate(cM/Mb) Map(cM)`, with or without the chromosome. Between two
    positions the rate is `(difference in cM) / 100 / (difference in bp)`; the base pair of the
    last position keeps the rate before it, so that a map from 1 to L covers `[0, L)`.

    Args:
        path: the map, plain or gzip-compressed.
        contig: the contig to read; other contigs of the file are left out.

    Returns:
        Crossovers per base pair per generation.

    Raises:
        FileNotFoundError: when the file is absent.
        ValueError: when the header is unknown, the contig absent, a field is not a number, the
            positions do not increase, or the distance decreases.
    """
    lines = read_fields(path)
    _, header = next(lines, (0, []))
    names = [name.lower() for name in header]
    contig_column = _find_column(names, _CONTIG_NAMES)
    position_column = _find_column(names, _POSITION_NAMES)
    distance_column = _find_column(names, _CENTIMORGAN_NAMES)
    if position_column is None or distance_column is None:
        raise ValueError(
            f"{path}: a recombination map starts with a header {_RECOMBINATION_FORMS}; "
            f"seen {' '.join(header)!r}"
        )
    contigs: dict[str, None] = {}
    rows: list[tuple[float, float]] = []
    for line, fields in lines:
        if len(fields) < len(header):
            raise ValueError(f"{path}: line {line} has fewer columns than the header")
        if contig_column is not None:
            contigs[fields[contig_column]] = None
            if fields[contig_column] != contig:
                continue
        rows.append(
            (
                number_field(fields, position_column, path, line),
                number_field(fields, distance_column, path, line),
            )
        )
    if contig_column is not None:
        require_contig(contig, contigs, str(path))
    return _rates_from_distances(np.array(rows, dtype=np.float64).reshape(-1, 2), path)


@reader
def read_mutation_map(path: Path, contig: str) -> RateMap:
    """Read a mutation map: lines `chromosome start end rate`, counted from 0 and half-open.

    Args:
        path: the map, plain or gzip-compressed; a header line must start with `#`.
        contig: the contig to read; other contigs of the file are left out.

    Returns:
        Mutations per base pair per generation.

    Raises:
        FileNotFoundError: when the file is absent.
        ValueError: when the contig is absent, a field is not a number, an interval does not start
            where the one before it ends, or a rate is negative.
    """
    contigs: dict[str, None] = {}
    rows: list[list[float]] = []
    for line, fields in read_fields(path):
        contigs[fields[0]] = None
        if fields[0] != contig:
            continue
        start, end, rate = (number_field(fields, column, path, line) for column in (1, 2, 3))
        if rows and start != rows[-1][1]:
            raise ValueError(
                f"{path}: line {line} starts at {start:.12g} but the interval before it ends at "
                f"{rows[-1][1]:.12g}; a mutation map must be sorted, without gaps or overlaps"
            )
        rows.append([start, end, rate])
    require_contig(contig, contigs, str(path))
    starts, ends, rates = np.array(rows, dtype=np.float64).T
    return _checked_map(np.concatenate([starts[:1], ends]), rates, path)


def _find_column(names: list[str], accepted: tuple[str, ...]) -> int | None:
    return next((i for i, name in enumerate(names) if name in accepted), None)


def _rates_from_distances(rows: np.ndarray, path: Path) -> RateMap:
    if len(rows) < 2:
        raise ValueError(f"{path}: a recombination map needs two positions, seen {len(rows)}")
    positions, centimorgans = rows.T
    spans, distances = np.diff(positions), np.diff(centimorgans)
    for wrong, problem in (
        (np.flatnonzero(~(spans > 0)), "positions must be strictly increasing"),
        (np.flatnonzero(~(distances >= 0)), "genetic distance must not decrease"),
    ):
        if wrong.size:
            row = wrong[0] + 1
            raise ValueError(
                f"{path}: {problem}; position {positions[row]:.12g} ({centimorgans[row]:.12g} cM) "
                f"follows {positions[row - 1]:.12g} ({centimorgans[row - 1]:.12g} cM)"
            )
    edges = positions - 1.0
    edges[-1] += 1.0
    return _checked_map(edges, distances * _MORGANS_PER_CENTIMORGAN / spans, path)


def _checked_map(edges: np.ndarray, rates: np.ndarray, path: Path) -> RateMap:
    try:
        return RateMap(edges, rates)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
