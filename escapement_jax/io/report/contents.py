"""What a run directory holds, ready to be shown: every verb's folder is read the same way."""

import base64
import csv
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from escapement_jax.config.toml import read_document, table_names
from escapement_jax.io.json_files import read_json
from escapement_jax.io.reader import reader
from escapement_jax.io.report.captions import caption, label, rank
from escapement_jax.io.run_directory import CONFIG_FILE
from escapement_jax.io.text_files import require_file
from escapement_jax.training.run_log import LOG_FILE

SUMMARIES = ("summary.json", "calibration.json", "truth.json")
"""Files that tell the result, the first that is there."""

MOST_ROWS = 25
"""Lines of a table that the page shows."""

MOST_LOG_LINES = 200
"""Lines of the log, the last ones, that the page shows."""

MOST_VALUES = 6
"""Values of a list that the page shows; longer ones are left to figures and programs."""

MOST_FIGURES = 40
"""Figures that the page shows."""

LARGEST_FIGURE = 8 * 2**20
"""Bytes of a figure that is still put into the page."""

IMAGE_KINDS = {".svg": "image/svg+xml", ".png": "image/png"}
"""Kinds of figures, the sharpest first."""


@dataclass(frozen=True)
class Figure:
    """An image with what it shows.

    Attributes:
        name: its file.
        source: the image as a data URI.
        caption: what it shows.
    """

    name: str
    source: str
    caption: str


@dataclass(frozen=True)
class Table:
    """The first lines of a table.

    Attributes:
        name: its file, or the part of the summary it is.
        header: headings of the columns.
        rows: cells as text.
        numeric: which columns hold numbers.
        total: how many lines there are in all.
    """

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    total: int


@dataclass(frozen=True)
class RunContents:
    """All that the page tells.

    Attributes:
        verbs: what was run, the names of its settings' tables.
        warnings: what a reader must know first.
        facts: figures of the summary by their names.
        sections: groups of further figures of the summary.
        tables: tables of the summary and of the CSV files.
        figures: images.
        settings: every setting, by table.
        log: the last lines of the log.
        provenance: command, versions, machine, times.
    """

    verbs: tuple[str, ...]
    warnings: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Table, ...]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    settings: tuple[Table, ...]
    log: tuple[dict[str, Any], ...]
    provenance: tuple[tuple[str, str], ...]


@reader
def read_contents(directory: Path) -> RunContents:
    """Read a run directory of any verb.

    Args:
        directory: a folder that a run has written.

    Raises:
        FileNotFoundError: the folder is absent.
        ValueError: it is no run directory, or one of its files cannot be read; names it.
    """
    require_file(directory)
    if not (directory / CONFIG_FILE).is_file():
        raise ValueError(f"{directory}: no run directory, since it has no {CONFIG_FILE}")
    document = read_document(directory / CONFIG_FILE)
    summary = next(
        (read_json(directory / one) for one in SUMMARIES if (directory / one).is_file()), {}
    )
    log = _log(directory / LOG_FILE)
    told = [str(one) for one in summary.get("warnings", ())]
    logged = [line["message"] for line in log if line["level"] in ("warning", "error")]
    facts, sections = _facts_and_sections(summary)
    return RunContents(
        verbs=tuple(table_names(document)),
        warnings=tuple(dict.fromkeys([*_unfinished(log), *told, *logged])),
        facts=facts,
        sections=sections,
        tables=tuple(map(_table, sorted(directory.glob("*.csv")))),
        figures=tuple(_figures(directory / "figures")),
        settings=tuple(_settings(document)),
        log=log,
        provenance=tuple(_provenance(directory, document, log)),
    )


def shown(value: Any) -> str:
    """Return a value as people read it: few digits, thousands set apart."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _shown_float(value)
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return str(value)


def _shown_float(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:.4g}"


def _facts_and_sections(
    summary: dict[str, Any],
) -> tuple[tuple[tuple[str, str], ...], tuple[Table, ...]]:
    """Split a summary into single figures and groups."""
    facts, sections = [], []
    for name, value in summary.items():
        if name == "warnings":
            continue
        if isinstance(value, dict):
            rows = list(_flat(value))
            if rows:
                sections.append(_make_table(label(name), ("what", "value"), rows))
        elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            header = tuple(dict.fromkeys(key for one in value for key in one))
            rows = [tuple(shown(one.get(key)) for key in header) for one in value]
            sections.append(_make_table(label(name), tuple(map(label, header)), rows))
        elif not _is_long(value):
            facts.append((label(name), shown(value)))
    return tuple(facts), tuple(sections)


def _flat(group: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in group.items():
        path = f"{prefix}{label(str(name))}"
        if isinstance(value, dict):
            yield from _flat(value, f"{path} \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} ")
        elif not _is_long(value):
            yield path, shown(value)


def _is_long(value: Any) -> bool:
    """Whether a value is for figures and programs: a curve, say."""
    return isinstance(value, list) and (
        len(value) > MOST_VALUES or any(isinstance(one, dict | list) for one in value)
    )


def _make_table(name: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    rows = tuple(rows)
    kept = rows[:MOST_ROWS]
    numeric = tuple(
        bool(kept) and all(_is_number(row[column]) for row in kept) for column in range(len(header))
    )
    return Table(name, header, kept, numeric, len(rows))


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", ""))
    except ValueError:
        return cell in ("", "\N{EN DASH}")
    return True


def _table(path: Path) -> Table:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = csv.reader(file)
            header = tuple(map(label, next(lines, [])))
            rows = [tuple(map(_cell, row)) for row in islice(lines, MOST_ROWS)]
            total = len(rows) + sum(1 for _ in lines)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: not a table ({error})") from None
    width = max([len(header), *map(len, rows)])
    rows = [(*row, *[""] * (width - len(row))) for row in rows]
    table = _make_table(path.name, (*header, *[""] * (width - len(header))), rows)
    return Table(path.name, table.header, table.rows, table.numeric, total)


def _cell(text: str) -> str:
    """Shorten a number; words stay as they are."""
    try:
        return shown(float(text)) if not text.strip("-").isdecimal() else f"{int(text):,}"
    except ValueError:
        return text


def _figures(folder: Path) -> Iterator[Figure]:
    """Put every figure into a data URI, once, in its sharpest form that is not too large."""
    stems = {path.stem for path in folder.glob("*.*")}
    count = 0
    for stem in sorted(stems, key=lambda stem: (rank(stem), stem)):
        for ending, kind in IMAGE_KINDS.items():
            path = folder / f"{stem}{ending}"
            if path.is_file() and path.stat().st_size <= LARGEST_FIGURE and count < MOST_FIGURES:
                data = base64.b64encode(path.read_bytes()).decode("ascii")
                yield Figure(path.name, f"data:{kind};base64,{data}", caption(stem))
                count += 1
                break


def _settings(document: dict[str, Any]) -> Iterator[Table]:
    for name in table_names(document):
        table = document
        for part in name.split("."):
            table = table[part]
        rows = [(key, shown(one)) for key, one in table.items() if not isinstance(one, dict)]
        yield Table(f"[{name}]", ("setting", "value"), tuple(rows), (False, False), len(rows))


def _unfinished(log: Iterable[dict[str, Any]]) -> list[str]:
    """Say that a run was stopped; without a log nobody can tell."""
    ends = [line["event"] for line in log if line["event"] in ("start", "finish", "failed")]
    return ["this run has not finished: what follows may be old"] if ends[-1:] == ["start"] else []


def _provenance(
    directory: Path,
    document: dict[str, Any],
    log: Iterable[dict[str, Any]],
) -> Iterator[tuple[str, str]]:
    yield "folder", directory.resolve().name
    starts = [line for line in log if line["event"] == "start"]
    finishes = [line for line in log if line["event"] == "finish"]
    if starts:
        fields = starts[-1]["fields"]
        yield "command", str(fields.get("command") or "called from Python")
        yield "started (UTC)", _clock(starts[0]["time"])
        if len(starts) > 1:
            yield "resumed (UTC)", ", ".join(_clock(line["time"]) for line in starts[1:])
    if finishes:
        yield "finished (UTC)", _clock(finishes[-1]["time"])
    for name in table_names(document):
        if name == "gradient":
            continue
        table = document
        for part in name.split("."):
            table = table[part]
        if "seed" in table:
            yield f"seed of [{name}]", shown(table["seed"])
    if starts:
        yield "system", str(starts[-1]["fields"].get("system", ""))
        versions = starts[-1]["fields"].get("versions", {})
        yield "versions", ", ".join(f"{name} {one}" for name, one in versions.items())


def _clock(time: str) -> str:
    return time[:19].replace("T", " ")


def _log(path: Path) -> tuple[dict[str, Any], ...]:
    """Read the last lines of the log; a line cut short by a kill is left out."""
    if not path.is_file():
        return ()
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and isinstance(line.get("fields"), dict):
            keys = ("time", "level", "event", "message")
            lines.append({key: str(line.get(key, "")) for key in keys} | {"fields": line["fields"]})
    starts = [line for line in lines[:-MOST_LOG_LINES] if line["event"] == "start"]
    return (*starts, *lines[-MOST_LOG_LINES:])
