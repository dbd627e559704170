"""A lock on a folder, so that two runs never write into the same one."""

import errno
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

LOCK_FILE = "lock"
_UNSUPPORTED = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is created, while the block runs.

    The operating system releases the lock when the process ends, however it ends, so a lock that
    a killed run has left does not hinder. File systems without locks are judged by the process
    that the lock names.

    Raises:
        FileExistsError: Another run holds the lock; says which.
    """
    file = _acquire(folder)
    with file:
        try:
            yield
        finally:
            # Still locked: nobody else can have put a lock of their own there.
            if _is_at(file, folder / LOCK_FILE):
                (folder / LOCK_FILE).unlink()


def _acquire(folder: Path) -> TextIO:
    path = folder / LOCK_FILE
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            file = path.open("a+", encoding="utf-8")
        except FileNotFoundError:
            continue  # The run before has just removed the folder.
        file.seek(0)
        told = file.read()
        if not _try_lock(file, told):
            file.close()
            raise FileExistsError(
                f"another run is working in {folder} ({_owner(told)}); wait for it, stop it, or "
                "name another output folder"
            )
        if _is_at(file, path):
            break
        file.close()  # Locked, but removed meanwhile: not the lock that others see.
    file.truncate(0)
    json.dump({"pid": os.getpid(), "host": platform.node()}, file)
    file.flush()
    return file


def _try_lock(file: TextIO, told: str) -> bool:
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except ImportError:
        return not _is_alive(told)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        return not _is_alive(told)
    return True


def _is_at(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _is_alive(told: str) -> bool:
    """Whether the process that a lock names may still run: unknown ones on other hosts may."""
    try:
        owner = json.loads(told)
        if owner["host"] != platform.node():
            return True
        os.kill(owner["pid"], 0)
    except (ValueError, KeyError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _owner(told: str) -> str:
    try:
        owner = json.loads(told)
        return f"process {owner['pid']} on {owner['host']}"
    except (ValueError, KeyError):
        return "it has not told who it is"
