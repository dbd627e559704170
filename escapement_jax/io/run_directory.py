"""Run directories that appear whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from escapement_jax.training.run_log import run_log

CONFIG_FILE = "config.toml"
"""Name of the settings file that every run directory holds; it marks a folder as one."""


@contextmanager
def new_run_directory(path: Path, *, force: bool, partial: Path | None = None) -> Iterator[Path]:
    """Give a temporary folder to write into, and move it to `path` when the block succeeds.

    When the block raises, the temporary folder is removed and `path` is as it was before. An old
    run directory is replaced only with `force`, and only at the very end.

    Args:
        path: the folder to create; its parents are created too.
        force: whether an existing run directory may be replaced.
        partial: the temporary folder, on the same file system; by default a hidden neighbour.

    Raises:
        FileExistsError: `path` is a file, holds files and `force` is off, or holds files that no
            run has written. Raised before the block starts.
    """
    # The target of a symbolic link is replaced, not the link.
    path = Path(path).resolve()
    refuse_to_lose_files(path, force)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial or _sibling(path, "partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        with run_log(partial):
            yield partial
        refuse_to_lose_files(path, force)
        _move_into_place(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text_atomically(path: Path, text: str) -> None:
    """Write a UTF-8 text file that readers see either whole or not at all.

    The text goes to a sibling file, which is then renamed over `path`.
    """
    path = Path(path)
    partial = _sibling(path, "partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def refuse_to_lose_files(path: Path, force: bool) -> None:
    """Check that a run directory may be created here, or replaced.

    Raises:
        FileExistsError: it may not; says what to do.
    """
    if not path.exists():
        return
    if not path.is_dir():
        raise FileExistsError(f"the output {path} is a file; give the name of a folder")
    if not any(path.iterdir()):
        return
    if not force:
        raise FileExistsError(
            f"the output folder {path} is not empty; use --force to replace it, or name another"
        )
    if not (path / CONFIG_FILE).is_file():
        raise FileExistsError(
            f"the output folder {path} holds files but no {CONFIG_FILE}, so no run has written it; "
            "--force does not delete it: empty it yourself, or name another"
        )


def _move_into_place(partial: Path, path: Path) -> None:
    if not path.exists():
        partial.rename(path)
        return
    old = _sibling(path, "old")
    path.rename(old)
    try:
        partial.rename(path)
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old)


def _sibling(path: Path, role: str) -> Path:
    """Name a hidden neighbour on the same file system, where a rename is atomic."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.{role}")
