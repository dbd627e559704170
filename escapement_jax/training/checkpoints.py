"""Checkpoints of a run: named arrays and a few facts, written by Orbax; nothing is ever unpickled.

Orbax writes in the background and lets a checkpoint appear only when it is whole. A seal with the
SHA-256 of every file is added then, and checked before Orbax reads anything: what a bad sector or a
careless hand has damaged is told in one line, and the checkpoint before it is taken.

All use of Orbax is in this file. Its traps: arrays without entries are refused (their shapes go to
the metadata); a damaged file or a full disk floods the terminal with tracebacks of its threads
(hence the seal, and room is reserved before anything is written); and its import is left to the
first use.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

FORMAT = 1
SEAL = ".sha256.json"
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
        self._orbax: Any = None

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
            if self._orbax is not None:
                self._orbax.close()
                self._orbax = None

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

    def _checkpointer(self) -> Any:
        if self._orbax is None:
            from orbax.checkpoint import v1 as ocp

            # Its threads log what is raised here as well.
            logging.getLogger("absl").setLevel(logging.CRITICAL)
            policy = ocp.training.preservation_policies.LatestN(self.kept)
            # Each process of a run on several keeps its own work and waits for no other.
            own = jax.process_index()
            alone = ocp.options.MultiprocessingOptions(
                primary_host=own, active_processes={own}, barrier_sync_key_prefix=f"process_{own}"
            )
            with ocp.Context(multiprocessing_options=alone):
                self._orbax = ocp.training.Checkpointer(
                    str(self.folder), preservation_policy=policy
                )
        return self._orbax

    def _write(self, number: int, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
        _require_room(self.folder, sum(array.nbytes for array in arrays.values()))
        orbax = self._checkpointer()
        orbax.save_async(number, arrays, custom_metadata=metadata).result()
        seal = self.folder / f"{number}{SEAL}"
        partial = seal.with_suffix(".partial")
        partial.write_text(json.dumps(_digests(self.folder / str(number))), encoding="utf-8")
        partial.replace(seal)
        for old in self.folder.glob(f"*{SEAL}"):
            if not (self.folder / old.name.removesuffix(SEAL)).is_dir():
                old.unlink()

    def _fault(self, number: int) -> str | None:
        """Say what is wrong with the files of a checkpoint, None if nothing."""
        try:
            seal = (self.folder / f"{number}{SEAL}").read_text(encoding="utf-8")
            told = json.loads(seal)
        except (OSError, ValueError) as error:
            return f"its seal cannot be read: {_first_line(error)}"
        found = _digests(self.folder / str(number))
        for name in sorted({*told, *found}):
            if told.get(name) != found.get(name):
                what = "is not the file that was written" if name in found else "is missing"
                return f"{name} {what}"
        return None

    def _read(self, number: int) -> Checkpoint:
        orbax = self._checkpointer()
        metadata = orbax.metadata(number).custom_metadata
        if metadata["format"] != FORMAT:
            raise CheckpointError(
                f"checkpoint {number} in {self.folder} has format {metadata['format']}, this "
                f"version reads {FORMAT}; resume with the version that wrote it"
            )
        arrays = {name: np.asarray(array) for name, array in orbax.load(number).items()}
        for name, (shape, dtype) in metadata["empty"].items():
            arrays[name] = np.empty(shape, dtype)
        return Checkpoint(number, arrays, metadata["facts"])


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
    digests = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        digests[str(path.relative_to(folder))] = digest
    return digests


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
