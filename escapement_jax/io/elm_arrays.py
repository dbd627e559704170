"""Studies of genotypes and phenotypes as named arrays: .npz and .h5."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from escapement_jax.elm.genotypes.study import Study, Truth
from escapement_jax.io.archives import read_arrays
from escapement_jax.io.hdf5 import import_h5py, read_dataset, refuse_links
from escapement_jax.io.reader import reader
from escapement_jax.io.text_files import require_file

NAMES = ("individual_names", "locus_names", "trait_names")
TRUTH = (
    "true_additive",
    "true_interaction_trait",
    "true_interaction_columns",
    "true_interaction_effect",
)


@reader
def read_npz_study(path: Path) -> Study:
    """Read a study from a NumPy archive.

    It holds `genotypes` (individuals by loci) and `phenotypes` (individuals by traits), and may
    hold `individual_names`, `locus_names`, `trait_names`, `ploidy` and the arrays of a truth.

    Args:
        path: a .npz file.

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: not an archive of arrays, an array is missing, or their sizes do not match.
    """
    return _study(read_arrays(path), path)


@reader
def read_hdf5_study(path: Path) -> Study:
    """Read a study from an HDF5 file with the same datasets as a .npz archive.

    Args:
        path: a .h5 or .hdf5 file.

    Raises:
        FileNotFoundError: the file is absent.
        ImportError: h5py is not installed.
        ValueError: not an HDF5 file, a dataset is missing, or their sizes do not match.
    """
    require_file(path)
    h5py = import_h5py(path)
    try:
        with h5py.File(path, "r") as file:
            refuse_links(file, path)
            arrays = {
                name: read_dataset(item, path)
                for name, item in file.items()
                if isinstance(item, h5py.Dataset)
            }
    except OSError as error:
        raise ValueError(f"{path}: not a readable HDF5 file ({error})") from error
    return _study(arrays, path)


def write_npz_study(path: Path, study: Study) -> None:
    """Write a study, with its truth if there is one, as a compressed archive.

    Args:
        path: the file to write.
        study: the study; genotypes without missing calls are stored as whole numbers.
    """
    genotypes = study.genotypes
    whole = np.all(np.isfinite(genotypes))
    arrays: dict[str, Any] = {
        "genotypes": genotypes.astype(np.int8 if whole else np.float32),
        "phenotypes": study.phenotypes,
        **{name: np.array(getattr(study, name)) for name in NAMES},
    }
    if study.ploidy is not None:
        arrays["ploidy"] = np.array(study.ploidy)
    if study.truth is not None:
        fields = [name.removeprefix("true_") for name in TRUTH]
        arrays |= {f"true_{name}": getattr(study.truth, name) for name in fields}
    np.savez_compressed(path, **arrays)


def _study(arrays: Mapping[str, np.ndarray], path: Path) -> Study:
    for name in ("genotypes", "phenotypes"):
        if name not in arrays:
            listed = ", ".join(sorted(arrays)) or "nothing"
            raise ValueError(f"{path}: there is no array {name!r}; the file holds {listed}")
    truth = None
    if all(name in arrays for name in TRUTH):
        truth = Truth(*(np.asarray(arrays[name]) for name in TRUTH))
    try:
        return Study.from_arrays(
            arrays["genotypes"],
            arrays["phenotypes"],
            **{name: _strings(arrays[name]) if name in arrays else None for name in NAMES},
            ploidy=int(arrays["ploidy"]) if "ploidy" in arrays else None,
            truth=truth,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _strings(names: np.ndarray) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names.tolist()]
