"""Histories of a search: one compressed array file, no pickle, replaced as a whole."""

import os
from pathlib import Path

import numpy as np

from escapement_jax.curiosity.history import History
from escapement_jax.io.archives import read_arrays
from escapement_jax.io.reader import reader

HISTORY_FILE = "history.npz"


def write_history(folder: Path, history: History) -> None:
    """Write a history into a folder; a reader sees the old one or the new one, never half.

    Args:
        folder: Folder to write into; it is created.
        history: What to write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{HISTORY_FILE}"
    with partial.open("wb") as file:
        np.savez_compressed(file, **history.to_arrays())  # pyright: ignore[reportArgumentType]
    os.replace(partial, folder / HISTORY_FILE)


def read_history(folder: Path) -> History:
    """Read the history that `write_history` has written into a folder.

    Raises:
        ValueError: The folder holds no history, or its file cannot be read.
    """
    path = Path(folder) / HISTORY_FILE
    if not path.is_file():
        raise ValueError(f"{path}: there is no history here; explore without --resume first")
    return _history_of(path)


@reader
def _history_of(path: Path) -> History:
    return History.from_arrays(read_arrays(path))
