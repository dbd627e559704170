"""Samples of an AnnData file (.h5ad)."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from escapement_jax.io.text_files import require_file


def read_annotated_data(
    path: Path,
) -> tuple[np.ndarray, list[str] | None, list[str], np.ndarray]:
    """Read the samples of an AnnData file: rows are samples, columns are metabolites.

    Args:
        path: `.h5ad` with the concentrations in `X` (dense or compressed sparse rows), the time of
            every sample in `obs["time"]` and, for several, its trajectory in `obs["trajectory"]`.

    Returns:
        Times; trajectories, or None; names of the metabolites; concentrations [samples,
        metabolites], NaN where missing.

    Raises:
        FileNotFoundError: The file is absent.
        ImportError: h5py is not installed.
        ValueError: The file is no AnnData file, or has no times.
    """
    require_file(path)
    h5py = _import_h5py()
    try:
        with h5py.File(path, "r") as file:
            names = [str(name) for name in _index(file["var"])]
            values = _matrix(file["X"])
            observations = file["obs"]
            if "time" not in observations:
                found = ", ".join(observations)
                raise ValueError(f"{path}: obs has no column time; it has {found}")
            times = np.asarray(_column(observations["time"]), dtype=float)
            labels = None
            if "trajectory" in observations:
                labels = [str(label) for label in _column(observations["trajectory"])]
    except (OSError, KeyError) as error:
        raise ValueError(f"{path}: not an AnnData file: {error}") from None
    return times, labels, names, values


def _index(group: Any) -> list[str]:
    return _column(group[group.attrs.get("_index", "_index")])


def _column(item: Any) -> Any:
    """Read a column, plain or categorical; text comes as str."""
    if hasattr(item, "keys"):
        categories, codes = _column(item["categories"]), item["codes"][()]
        return [categories[code] for code in codes]
    if item.dtype.kind in "OS":
        return item.asstr()[()].tolist()
    return item[()]


def _matrix(item: Any) -> np.ndarray:
    """Read a matrix, dense or as compressed sparse rows, where what is absent is zero."""
    if not hasattr(item, "keys"):
        return np.asarray(item[()], dtype=float)
    if item.attrs.get("encoding-type") != "csr_matrix":
        raise KeyError(f"X is encoded as {item.attrs.get('encoding-type')}; store it densely")
    dense = np.zeros(tuple(item.attrs["shape"]))
    pointers = item["indptr"][()]
    rows = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
    dense[rows, item["indices"][()]] = item["data"][()]
    return dense


def _import_h5py() -> ModuleType:
    try:
        import h5py
    except ImportError:
        raise ImportError(
            "reading .h5ad needs h5py, which is not installed; "
            'install it with: pip install "escapement-jax[tables]"'
        ) from None
    return h5py
