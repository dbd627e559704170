"""Checkpoints of a run: named arrays and a few facts, written by Orbax; nothing is ever unpickled.

A thread writes in the background, and Orbax lets a checkpoint appear only when it is whole. Then a
seal is added, with the facts and the SHA-256 of every file, and checked before Orbax reads
anything: what a bad sector or a careless hand has damaged is told in one line, and the checkpoint
before it is taken.

All use of Orbax is in this file. Its traps: arrays without entries are refused (their shapes go to
the seal); a damaged file or a full disk floods the terminal with tracebacks of its threads (hence
the seal, and room is reserved before anything is written); of numpy arrays only those of process 0
are written (processes that share a run part before they keep anything); and its import is left to
the first use.
"""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from escapement_jax.training.digests import digest_of_file

FORMAT = 1
SEAL = ".seal.json"
SPARE_BYTES = 1 << 16
"""Room that a checkpoint takes beside its arrays."""
_LOG = logging.getLogger(__name__)

Arrays = Mapping[str, np.ndarray]
"""Arrays by name; a name may hold slashes."""


@dataclass(frozen=True)
class Checkpoint:
    """What was read back.

    Attributes:
        number: Checkpoints are counted from 1.
        arrays: The arrays by name.
        facts: What was said of them, as JSON can hold it.
    """

    number: int
    arrays: Arrays
    facts: dict[str, Any]


class CheckpointError(OSError):
    """A checkpoint could not be written, or none could be read; says what to do."""


class Checkpoints:
    """The checkpoints in one folder; `with Checkpoints(folder) as checkpoints: ...`.

    Attributes:
        folder: Where they are.
        kept: How many are kept, the newest ones.
    """

    def __init__(self, folder: Path, *, kept: int = 2) -> None:
        self.folder = Path(folder).resolve()
        self.kept = kept
        self._writer = ThreadPoolExecutor(1, "checkpoint")
        self._pending: Future[None] | None = None

    def __enter__(self) -> "Checkpoints":
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *error: object) -> None:
        self.close(wait=error[0] is None)

    @property
    def numbers(self) -> list[int]:
        """Numbers of the checkpoints that are whole, newest last."""
        seals = self.folder.glob(f"*{SEAL}")
        numbers = sorted(int(seal.name.removesuffix(SEAL)) for seal in seals)
        return [number for number in numbers if (self.folder / str(number)).is_dir()]

    def save(self, arrays: Arrays, facts: Mapping[str, Any]) -> int:
        """Start to write a checkpoint, and return its number; it is written in the background.

        Args:
            arrays: Arrays by name, on the host; they must not change afterwards.
            facts: Anything that JSON can hold.

        Raises:
            CheckpointError: The checkpoint before could not be written.
        """
        self.wait()
        number = max(self._all_numbers(), default=0) + 1
        empty = {name: [list(a.shape), a.dtype.str] for name, a in arrays.items() if not a.size}
        # Orbax turns numpy scalars into Python numbers, but leaves arrays as they are.
        full = {name: np.asarray(array) for name, array in arrays.items() if array.size}
        metadata = {"format": FORMAT, "empty": empty, "facts": dict(facts)}
        self._pending = self._writer.submit(self._write, number, full, metadata)
        return number

    def wait(self) -> None:
        """Wait until what was saved is on the disk.

        Raises:
            CheckpointError: It could not be written; older checkpoints are as they were.
        """
        pending, self._pending = self._pending, None
        if pending is None:
            return
        try:
            pending.result()
        except Exception as error:
            self._sweep()
            kept = self.numbers[-1:]
            rest = f"checkpoint {kept[0]} is kept" if kept else "there is no earlier one"
            raise CheckpointError(
                f"a checkpoint could not be written to {self.folder} ({_first_line(error)}); {rest}"
                ": free some space or lift the quota, then go on with --resume"
            ) from error

    def close(self, *, wait: bool = True) -> None:
        """Finish writing and let go of the folder.

        Args:
            wait: Whether an error of the last checkpoint is raised, rather than logged.
        """
        try:
            self.wait()
        except CheckpointError as error:
            if wait:
                raise
            _LOG.warning("%s", error)
        finally:
            self._writer.shutdown()

    def newest(self) -> Checkpoint | None:
        """Read the newest checkpoint that is whole, or return None if none was ever written.

        Damaged ones are told in the log and removed.

        Raises:
            CheckpointError: There are checkpoints, but all are damaged or of another format.
        """
        damaged = []
        for number in reversed(self.numbers):
            fault = self._fault(number)
            if fault is None:
                for worse in damaged:
                    self._remove(worse)
                self._sweep()
                return self._read(number)
            damaged.append(number)
            _LOG.warning("checkpoint %d is damaged (%s); trying the one before", number, fault)
        if damaged:
            raise CheckpointError(
                f"all checkpoints in {self.folder} are damaged; use --force to start anew"
            )
        self._sweep()
        return None

    def _all_numbers(self) -> list[int]:
        return [int(path.name) for path in self.folder.iterdir() if path.name.isdigit()]

    def _remove(self, number: int) -> None:
        # First the seal: a checkpoint without one does not count.
        (self.folder / f"{number}{SEAL}").unlink(missing_ok=True)
        shutil.rmtree(self.folder / str(number), ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what a process that was killed has left unfinished."""
        good = {str(number) for number in self.numbers}
        for path in self.folder.iterdir():
            if path.name.removesuffix(SEAL) in good:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _write(self, number: int, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
        _require_room(self.folder, sum(array.nbytes for array in arrays.values()))
        path, seal = self.folder / str(number), self.folder / f"{number}{SEAL}"
        _orbax().save(path, arrays)
        partial = seal.with_suffix(".partial")
        text = json.dumps({**metadata, "files": _digests(path)})
        partial.write_text(text, encoding="utf-8")
        partial.replace(seal)
        for old in self.numbers[: -self.kept]:
            self._remove(old)

    def _fault(self, number: int) -> str | None:
        """Say what is wrong with the files of a checkpoint, None if nothing."""
        try:
            told = self._seal(number)["files"]
        except (OSError, ValueError, KeyError) as error:
            return f"its seal cannot be read: {_first_line(error)}"
        found = _digests(self.folder / str(number))
        for name in sorted({*told, *found}):
            if told.get(name) != found.get(name):
                what = "is not the file that was written" if name in found else "is missing"
                return f"{name} {what}"
        return None

    def _seal(self, number: int) -> dict[str, Any]:
        return json.loads((self.folder / f"{number}{SEAL}").read_text(encoding="utf-8"))

    def _read(self, number: int) -> Checkpoint:
        metadata = self._seal(number)
        if metadata["format"] != FORMAT:
            raise CheckpointError(
                f"checkpoint {number} in {self.folder} has format {metadata['format']}, this "
                f"version reads {FORMAT}; resume with the version that wrote it"
            )
        found = _orbax().load(self.folder / str(number))
        arrays = {name: np.asarray(array) for name, array in found.items()}
        for name, (shape, dtype) in metadata["empty"].items():
            arrays[name] = np.empty(shape, dtype)
        return Checkpoint(number, arrays, metadata["facts"])


def _orbax() -> Any:
    from orbax.checkpoint import v1

    # Its threads log what is raised here as well.
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    return v1


def _require_room(folder: Path, num_bytes: int) -> None:
    """Raise what writing so many bytes would raise: no space, a quota, a limit on files."""
    if not hasattr(os, "posix_fallocate"):  # Not on macOS.
        return
    probe = folder / "room.partial"
    try:
        with probe.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, num_bytes + SPARE_BYTES)
    finally:
        probe.unlink(missing_ok=True)


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): digest_of_file(path) for path in files}


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
