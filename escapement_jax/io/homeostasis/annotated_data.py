"""Samples of an AnnData file (.h5ad)."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from escapement_jax.io.hdf5 import import_h5py, read_dataset, refuse_links
from escapement_jax.io.limits import refuse_bomb
from escapement_jax.io.reader import reader
from escapement_jax.io.text_files import require_file


@reader
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
    h5py = import_h5py(path)
    try:
        with h5py.File(path, "r") as file:
            refuse_links(file, path)
            names = [str(name) for name in _index(file["var"], path)]
            values = _matrix(file["X"], path)
            observations = file["obs"]
            if "time" not in observations:
                found = ", ".join(observations)
                raise ValueError(f"{path}: obs has no column time; it has {found}")
            times = np.asarray(_column(observations["time"], path), dtype=float)
            labels = None
            if "trajectory" in observations:
                labels = [str(label) for label in _column(observations["trajectory"], path)]
    except (OSError, KeyError) as error:
        raise ValueError(f"{path}: not an AnnData file: {error}") from None
    return times, labels, names, values


def _index(group: Any, path: Path) -> list[str]:
    return _column(group[group.attrs.get("_index", "_index")], path)


def _column(item: Any, path: Path) -> Any:
    """Read a column, plain or categorical; text comes as str."""
    if not hasattr(item, "keys"):
        return read_dataset(item, path).tolist()
    categories = _column(item["categories"], path)
    codes = read_dataset(item["codes"], path).tolist()
    beyond = [row for row, code in enumerate(codes) if not 0 <= code < len(categories)]
    if beyond:
        raise ValueError(f"{path}: sample {beyond[0]} has no category in {item.name}; give it one")
    return [categories[code] for code in codes]


def _matrix(item: Any, path: Path) -> np.ndarray:
    """Read a matrix, dense or as compressed sparse rows, where what is absent is zero."""
    if not hasattr(item, "keys"):
        return read_dataset(item, path).astype(float)
    if item.attrs.get("encoding-type") != "csr_matrix":
        raise KeyError(f"X is encoded as {item.attrs.get('encoding-type')}; store it densely")
    shape = tuple(int(size) for size in item.attrs["shape"])
    refuse_bomb(8 * math.prod(shape), path, f"X of shape {shape}")
    parts = tuple(read_dataset(item[name], path) for name in ("data", "indices", "indptr"))
    matrix = sparse.csr_matrix(parts, shape=shape)
    matrix.check_format()
    return matrix.toarray().astype(float)
