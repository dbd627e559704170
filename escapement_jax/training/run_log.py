"""What a run says while it works: JSON lines in its folder, and words on the terminal.

Everything goes through the standard loggers below `escapement_jax`, so that a program that uses the
library may listen, filter or stay silent as it is used to. Only the command line adds a terminal.
"""

import importlib.metadata
import json
import logging
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LOG_FILE = "log.jsonl"
"""Name of the log in a run directory."""

COMMAND: ContextVar[str | None] = ContextVar("COMMAND", default=None)
"""The command that is being run, if it is one."""

DISTRIBUTIONS = ("escapement-jax", "jax", "jaxlib", "numpy", "scipy", "equinox", "tskit")
"""Distributions whose versions decide what comes out."""

_LOGGER = logging.getLogger("escapement_jax")
_TOLD = "told"  # Marks what the result on the terminal will say anyway.


def note(event: str, message: str, **fields: Any) -> None:
    """Log one step of a run.

    Args:
        event: Short name of the kind of step, for programs.
        message: What happened, for people.
        **fields: Figures of the step, as JSON values.
    """
    _LOGGER.info(message, extra={"event": event, "fields": fields})


def note_warnings(warnings: Iterable[str]) -> None:
    """Log the warnings that belong to a result; the terminal shows them with the result."""
    for warning in warnings:
        _LOGGER.warning(warning, extra={"event": "warning", "fields": {}, _TOLD: True})


@contextmanager
def run_log(directory: Path) -> Iterator[None]:
    """Log what happens in the block to `log.jsonl` in a folder; an older log there is continued.

    The first line tells where the run comes from (command, versions, machine), the last how it
    ended.

    Args:
        directory: An existing folder.
    """
    handler = logging.FileHandler(directory / LOG_FILE, encoding="utf-8", delay=True)
    handler.setFormatter(JsonLines())
    with _listening(handler, logging.INFO):
        started = time.monotonic()
        note("start", "run started", **provenance())
        try:
            yield
        except BaseException as error:
            _LOGGER.error(
                "run failed",
                extra={"event": "failed", "fields": {"error": str(error)}, _TOLD: True},
            )
            raise
        note("finish", "run finished", seconds=round(time.monotonic() - started, 3))


@contextmanager
def terminal_log(command: str, *, verbose: bool) -> Iterator[None]:
    """Show warnings, or with `verbose` every step, on standard error while a command runs.

    Args:
        command: The command, for the logs of its run.
        verbose: Whether steps are shown too.
    """
    handler = _Terminal(sys.stderr)
    handler.setFormatter(Words())
    handler.addFilter(lambda record: not getattr(record, _TOLD, False))
    token = COMMAND.set(command)
    # Orbax makes the root logger write to the terminal, too.
    before, _LOGGER.propagate = _LOGGER.propagate, False
    try:
        with _listening(handler, logging.INFO if verbose else logging.WARNING):
            yield
    finally:
        _LOGGER.propagate = before
        COMMAND.reset(token)


def provenance() -> dict[str, Any]:
    """Return what decides a result beside its input: command, versions, machine."""
    versions = {}
    for name in DISTRIBUTIONS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "command": COMMAND.get(),
        "versions": {"python": platform.python_version(), **versions},
        "system": f"{platform.system()} {platform.machine()}",
    }


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, event, message, and the figures of the event."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", record.name.rpartition(".")[2]),
            "message": record.getMessage(),
            "fields": getattr(record, "fields", {}),
        }
        return json.dumps(line, ensure_ascii=False, default=str)


class Words(logging.Formatter):
    """A line for people: time of day, the message, and the figures of the event."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as words."""
        figures = "".join(
            f"  {name}={value}"
            for name, value in getattr(record, "fields", {}).items()
            if not isinstance(value, dict)
        )
        label = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        return f"{clock} {label}{record.getMessage()}{figures}"


class _Terminal(logging.StreamHandler):
    """A stream that progress bars may share: they step aside for every line."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm.auto import tqdm

        with tqdm.external_write_mode(file=self.stream):
            super().emit(record)


@contextmanager
def _listening(handler: logging.Handler, level: int) -> Iterator[None]:
    """Add a handler to the project's logger for a block, and open the logger as far as it needs."""
    before = _LOGGER.level
    handler.setLevel(level)
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(min(level, before) if before else level)
    try:
        yield
    finally:
        _LOGGER.removeHandler(handler)
        _LOGGER.setLevel(before)
        handler.close()
