"""Time courses and the SBML network of a PEtab problem (version 1)."""

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np

from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.time_courses import TimeCourses
from escapement_jax.io.homeostasis.held_metabolites import hold_others_constant
from escapement_jax.io.homeostasis.samples import gather_samples
from escapement_jax.io.homeostasis.sbml_network import read_sbml_network
from escapement_jax.io.text_files import require_file

CONDITION_COLUMNS = {"conditionId", "conditionName"}


def read_petab(
    path: Path, *, hold_unmeasured: bool = False, allow_negative: bool = False
) -> tuple[TimeCourses, Network]:
    """Read the measurements of a PEtab problem, one trajectory for every condition.

    Every observable must be the concentration of one species as it is. Conditions may set where
    species start; parameters that differ between conditions have no counterpart.

    Args:
        path: The problem's YAML file.
        hold_unmeasured: Whether species that are not observed are constant.
        allow_negative: Whether noise may have made concentrations negative.

    Raises:
        FileNotFoundError: A file is absent.
        ImportError: PyYAML or python-libsbml is not installed.
        ValueError: The problem is not as told above; says what is in the way.
    """
    problem = _problem(path)
    files = {
        kind: [path.parent / name for name in problem[f"{kind}_files"]]
        for kind in ("sbml", "measurement", "observable", "condition")
    }
    if len(files["sbml"]) != 1:
        raise ValueError(f"{path}: names {len(files['sbml'])} SBML files; give one")
    network = read_sbml_network(files["sbml"][0])
    species = {
        row["observableId"]: _species(file, row, network)
        for file in files["observable"]
        for row in _rows(file)
    }
    for file in files["condition"]:
        _check_conditions(file, network)
    rows = [row for file in files["measurement"] for row in _rows(file)]
    unknown = [row["observableId"] for row in rows if row["observableId"] not in species]
    if unknown:
        raise ValueError(f"{path}: measured, but not among the observables: {unknown[0]}")
    measured = list(dict.fromkeys(species[row["observableId"]] for row in rows))
    if hold_unmeasured:
        network = hold_others_constant(network, set(measured))
    values = np.full((len(rows), len(measured)), np.nan)
    for index, row in enumerate(rows):
        column = measured.index(species[row["observableId"]])
        values[index, column] = float(row["measurement"])
    courses = gather_samples(
        path,
        network,
        times=np.array([float(row["time"]) for row in rows]),
        trajectories=[row["simulationConditionId"] for row in rows],
        metabolites=measured,
        values=values,
        allow_negative=allow_negative,
    )
    return courses, network


def _problem(path: Path) -> dict[str, Any]:
    require_file(path)
    try:
        import yaml
    except ImportError:
        raise ImportError(
            "reading PEtab needs PyYAML, which is not installed; "
            'install it with: pip install "escapement-jax[sbml]"'
        ) from None
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        problems = document["problems"]
        version = str(document["format_version"])
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a PEtab problem: {error!r}") from None
    if not version.startswith("1"):
        raise ValueError(f"{path}: PEtab version {version} is not supported; give version 1")
    if len(problems) != 1:
        raise ValueError(f"{path}: holds {len(problems)} problems; give one")
    return problems[0]


def _rows(path: Path) -> list[dict[str, str]]:
    require_file(path)
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _species(path: Path, row: dict[str, str], network: Network) -> str:
    formula = row["observableFormula"].strip()
    if formula not in network.metabolite_names:
        raise ValueError(
            f"{path}: the observable {row['observableId']} is {formula!r}; only single species "
            "that reactions change can be used"
        )
    if row.get("observableTransformation", "").strip() not in ("", "lin"):
        raise ValueError(f"{path}: {row['observableId']} is transformed; give it as measured")
    return formula


def _check_conditions(path: Path, network: Network) -> None:
    """Refuse conditions that change a parameter; where species start is seen in the data."""
    rows = _rows(path)
    for name in set(rows[0] if rows else ()) - CONDITION_COLUMNS - set(network.metabolite_names):
        values = {row[name].strip() for row in rows}
        if len(values) > 1 or (values and not all(map(_is_number, values))):
            raise ValueError(
                f"{path}: {name} differs between conditions and is no species; only where species "
                "start may differ"
            )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
