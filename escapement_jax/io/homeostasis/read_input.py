"""Time courses and their network from files of any format, told by the name of the file."""

from collections.abc import Callable
from pathlib import Path

from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.time_courses import TimeCourses
from escapement_jax.io.homeostasis.annotated_data import read_annotated_data
from escapement_jax.io.homeostasis.arrays import read_archive, read_network_archive
from escapement_jax.io.homeostasis.constraint_model import read_constraint_model
from escapement_jax.io.homeostasis.held_metabolites import hold_others_constant
from escapement_jax.io.homeostasis.petab import read_petab
from escapement_jax.io.homeostasis.samples import gather_samples
from escapement_jax.io.homeostasis.sbml_network import read_sbml_network
from escapement_jax.io.homeostasis.tables import read_network_table, read_samples_table
from escapement_jax.io.reader import reader

SAMPLE_READERS = {".csv": read_samples_table, ".h5ad": read_annotated_data}
# Only of these is balance of mass asked: the models of the other formats are open systems.
BALANCED_READERS = {".npz": read_network_archive, ".csv": read_network_table}
NETWORK_READERS: dict[str, Callable[..., Network]] = {
    **BALANCED_READERS,
    ".json": read_constraint_model,
    ".xml": read_sbml_network,
    ".sbml": read_sbml_network,
}


@reader
def read_metabolic_input(
    path: Path,
    network_path: Path | None = None,
    *,
    hold_unmeasured: bool = False,
    allow_negative: bool = False,
    mass_balance: bool = True,
) -> tuple[TimeCourses, Network]:
    """Read time courses and the network they belong to.

    Args:
        path: `.npz` (brings its network), `.csv` or `.h5ad` (need one), `.yaml` of PEtab.
        network_path: Network as `.npz`, `.csv`, COBRA `.json`, or SBML (`.xml`, `.sbml`).
        hold_unmeasured: Whether metabolites of the network without measurements are constant.
        allow_negative: Whether noise may have made concentrations negative.
        mass_balance: Whether a network from `.npz` or `.csv` that cannot conserve mass is refused.

    Raises:
        FileNotFoundError: A file is absent.
        ImportError: A reader needs a library that is not installed.
        ValueError: A format is not known, the network is missing or not wanted, or a file cannot be
            used; says why.
    """
    kind = path.suffix.lower()
    if kind in (".yaml", ".yml"):
        _refuse_network(path, network_path)
        return read_petab(path, hold_unmeasured=hold_unmeasured, allow_negative=allow_negative)
    if kind == ".npz":
        _refuse_network(path, network_path)
        return read_archive(path, allow_negative=allow_negative, mass_balance=mass_balance)
    if kind not in SAMPLE_READERS:
        known = ", ".join([".npz", *SAMPLE_READERS, ".yaml (PEtab)"])
        hint = "; give the network with --network" if kind in NETWORK_READERS else ""
        raise ValueError(f"{path}: time courses are read from {known}{hint}")
    if network_path is None:
        raise ValueError(f"{path}: has no network; give one with --network (.npz, .csv, SBML, ...)")
    network = read_network(network_path, mass_balance=mass_balance)
    times, trajectories, metabolites, values = SAMPLE_READERS[kind](path)
    if hold_unmeasured:
        network = hold_others_constant(network, set(metabolites))
    courses = gather_samples(
        path,
        network,
        times=times,
        trajectories=trajectories,
        metabolites=metabolites,
        values=values,
        allow_negative=allow_negative,
    )
    return courses, network


def read_network(path: Path, *, mass_balance: bool = True) -> Network:
    """Read a network.

    Args:
        path: `.npz`, `.csv`, COBRA `.json`, or SBML (`.xml`, `.sbml`).
        mass_balance: Whether a network from `.npz` or `.csv` that cannot conserve mass is refused.

    Raises:
        FileNotFoundError: The file is absent.
        ValueError: The format is not known, or the file cannot be used.
    """
    kind = path.suffix.lower()
    if kind not in NETWORK_READERS:
        raise ValueError(f"{path}: networks are read from {', '.join(NETWORK_READERS)}")
    if kind in BALANCED_READERS:
        return BALANCED_READERS[kind](path, mass_balance=mass_balance)
    return NETWORK_READERS[kind](path)


def _refuse_network(path: Path, network_path: Path | None) -> None:
    if network_path is not None:
        raise ValueError(f"{path} brings its own network; leave out --network {network_path}")
