"""Datasets of HDF5 files from anywhere: none that reaches into other files, none too large."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from escapement_jax.io.limits import refuse_bomb


def import_h5py(path: Path) -> ModuleType:
    """Import h5py.

    Raises:
        ImportError: it is missing; names the extra that brings it.
    """
    try:
        import h5py
    except ImportError:
        raise ImportError(
            f'{path}: reading HDF5 needs h5py; pip install "escapement-jax[tables]"'
        ) from None
    return h5py


def refuse_links(file: Any, path: Path) -> None:
    """Refuse a file that names others: they would be read in place of it.

    Args:
        file: an open `h5py.File`.
        path: the file, for messages.

    Raises:
        ValueError: it has an external link, external storage, or a virtual dataset.
    """
    h5py = import_h5py(path)
    found: list[str] = []

    def look(name: str, link: Any) -> None:
        if isinstance(link, h5py.ExternalLink):
            found.append(name)

    def look_inside(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            found.append(name)

    file.visititems_links(look)
    file.visititems(look_inside)
    if found:
        raise ValueError(f"{path}: {found[0]!r} is kept in another file; copy it into this one")


def read_dataset(dataset: Any, path: Path) -> Any:
    """Read a whole dataset, if it is not larger than allowed.

    Args:
        dataset: a `h5py.Dataset`.
        path: its file, for messages.

    Raises:
        ValueError: it is empty or too large.
    """
    if dataset.shape is None:
        raise ValueError(f"{path}: the dataset {dataset.name} is empty")
    refuse_bomb(int(dataset.size) * dataset.dtype.itemsize, path, f"the dataset {dataset.name}")
    if dataset.dtype.kind in "OS":
        return np.asarray(dataset.asstr()[()])
    return np.asarray(dataset[()])
