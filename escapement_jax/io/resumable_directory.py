"""Run directories that grow: what is finished stays, and a rerun goes on from there."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from escapement_jax.io.run_directory import CONFIG_FILE, write_text_atomically
from escapement_jax.io.run_lock import run_lock


@contextmanager
def resumable_directory(path: Path, settings: str, *, growing: str, force: bool) -> Iterator[None]:
    """Create a run directory, or go on in one that was made with the same settings.

    While the block runs, no other run can; the lock is in the folder `PATH.unfinished`.

    Args:
        path: The directory; its parents are created too.
        settings: Settings of the run as TOML; they are kept in the directory.
        growing: Name of the one setting that may differ, since it only adds work.
        force: Whether a directory made with other settings is deleted first.

    Raises:
        FileExistsError: Another run is at work, or `path` is a file, holds files that no run has
            written, or was made with other settings and `force` is off; names the first that
            differs.
    """
    path = Path(path).resolve()
    folder = path.with_name(f"{path.name}.unfinished")
    with run_lock(folder):
        try:
            _enter(path, settings, growing=growing, force=force)
            yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _enter(path: Path, settings: str, *, growing: str, force: bool) -> None:
    kept = path / CONFIG_FILE
    if path.exists() and not path.is_dir():
        raise FileExistsError(f"the output {path} is a file; give the name of a folder")
    if path.exists() and any(path.iterdir()):
        if not kept.is_file():
            raise FileExistsError(
                f"the output folder {path} holds files but no {CONFIG_FILE}, so no run has written "
                "it; empty it yourself, or name another"
            )
        try:
            require_same_settings(path, settings, growing=growing)
        except FileExistsError:
            if not force:
                raise
            shutil.rmtree(path)
    path.mkdir(parents=True, exist_ok=True)
    write_text_atomically(kept, settings)


def require_same_settings(path: Path, settings: str, *, growing: str) -> None:
    """Check that a run directory was made with given settings.

    Args:
        path: The directory.
        settings: Settings as TOML.
        growing: Name of the one setting that may differ, since it only adds work.

    Raises:
        FileExistsError: It was made with others; names the first that differs.
    """
    kept = (path / CONFIG_FILE).read_text(encoding="utf-8")
    differing = _first_difference(kept, settings, growing)
    if differing:
        raise FileExistsError(
            f"the output folder {path} was made with other settings ({differing}); use --force "
            "to start it anew, or name another"
        )


def _first_difference(old: str, new: str, growing: str) -> str | None:
    before, after = (
        [line for line in text.splitlines() if not line.startswith(f"{growing} = ")]
        for text in (old, new)
    )
    for line in after:
        if line not in before:
            return f"not with {line}"
    for line in before:
        if line not in after:
            return f"with {line}"
    return None
