"""Time courses and their network in one NumPy archive, the format of `simulate homeostasis`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.time_courses import TimeCourses
from escapement_jax.io.archives import read_arrays
from escapement_jax.io.reader import reader

NETWORK_ARRAYS = ("stoichiometry", "substrate_orders", "metabolite_names", "reaction_names")
DATA_ARRAYS = ("times", "concentrations", "activities", "restarts")


@reader
def read_archive(
    path: Path, *, allow_negative: bool = False, mass_balance: bool = True
) -> tuple[TimeCourses, Network]:
    """Read time courses and their network.

    Args:
        path: `.npz` with `times` [frames], `concentrations` [trajectories x] frames x metabolites
            (NaN = missing), `stoichiometry` and `substrate_orders` metabolites x reactions; and, if
            there, `metabolite_names`, `reaction_names`, `activities` trajectories x reactions
            (factors on the rate constants) and `restarts` trajectories x frames (true where the
            state was changed just before the frame).
        allow_negative: Whether noise may have made concentrations negative.
        mass_balance: Whether a network that cannot conserve mass is refused.

    Raises:
        FileNotFoundError: The file is absent.
        ValueError: An array is missing, has the wrong kind or shape, or holds impossible values.
    """
    arrays = read_arrays(path)
    network = _network(path, arrays, mass_balance)
    for name in ("times", "concentrations"):
        _require(path, arrays, name)
    optional = {name: arrays[name] for name in ("activities", "restarts") if name in arrays}
    courses = TimeCourses.create(
        arrays["times"],
        arrays["concentrations"],
        network,
        allow_negative=allow_negative,
        **optional,
    )
    return courses, network


@reader
def read_network_archive(path: Path, *, mass_balance: bool = True) -> Network:
    """Read the network of an archive, with or without time courses.

    Args:
        path: `.npz`.
        mass_balance: Whether a network that cannot conserve mass is refused.

    Raises:
        FileNotFoundError: The file is absent.
        ValueError: There is no stoichiometry, or it cannot be used.
    """
    return _network(path, read_arrays(path), mass_balance)


def write_archive(path: Path, courses: TimeCourses, network: Network) -> None:
    """Write time courses and their network; `read_archive` gives them back.

    Args:
        path: `.npz` file to write.
        courses: What was measured.
        network: The reactions.
    """
    arrays: dict[str, Any] = network_arrays(network) | data_arrays(courses)
    np.savez_compressed(path, **arrays)


def network_arrays(network: Network) -> dict[str, np.ndarray]:
    """Return the arrays of a network by their names in an archive.

    Args:
        network: The reactions.
    """
    return {name: np.asarray(getattr(network, name)) for name in NETWORK_ARRAYS}


def data_arrays(courses: TimeCourses) -> dict[str, np.ndarray]:
    """Return the arrays of time courses by their names in an archive.

    Args:
        courses: What was measured.
    """
    return {name: np.asarray(getattr(courses, name)) for name in DATA_ARRAYS}


def _network(path: Path, arrays: Mapping[str, np.ndarray], mass_balance: bool) -> Network:
    _require(path, arrays, "stoichiometry")
    names = {
        name: arrays[name].astype(str).tolist()
        for name in ("metabolite_names", "reaction_names")
        if name in arrays
    }
    return Network.create(
        arrays["stoichiometry"],
        arrays.get("substrate_orders"),
        mass_balance=mass_balance,
        **names,
    )


def _require(path: Path, arrays: Mapping[str, np.ndarray], name: str) -> None:
    if name not in arrays:
        found = ", ".join(arrays) or "nothing"
        raise ValueError(f"{path}: the array {name} is missing; the archive holds {found}")
    if not np.issubdtype(arrays[name].dtype, np.number):
        raise ValueError(f"{path}: the array {name} holds {arrays[name].dtype}; give numbers")
