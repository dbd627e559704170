"""Time courses and the SBML network of a PEtab problem (version 1)."""

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.time_courses import TimeCourses
from escapement_jax.io.homeostasis.held_metabolites import hold_others_constant
from escapement_jax.io.homeostasis.samples import gather_samples
from escapement_jax.io.homeostasis.sbml_network import read_sbml_network
from escapement_jax.io.reader import reader
from escapement_jax.io.text_files import read_text, require_file, to_number

MEASUREMENT_COLUMNS = ("observableId", "simulationConditionId", "measurement", "time")
CONDITION_COLUMNS = {"conditionId", "conditionName"}


@reader
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
        kind: _files(path, problem, f"{kind}_files")
        for kind in ("sbml", "measurement", "observable", "condition")
    }
    if len(files["sbml"]) != 1:
        raise ValueError(f"{path}: names {len(files['sbml'])} SBML files; give one")
    network = read_sbml_network(files["sbml"][0])
    species: dict[str, str] = {}
    for file in files["observable"]:
        for row in _rows(file, "observableId", "observableFormula"):
            if row["observableId"] in species:
                raise ValueError(f"{file}: the observable {row['observableId']!r} is there twice")
            species[row["observableId"]] = _species(file, row, network)
    for file in files["condition"]:
        _check_conditions(file, network)
    rows = [row for file in files["measurement"] for row in _rows(file, *MEASUREMENT_COLUMNS)]
    unknown = [row["observableId"] for row in rows if row["observableId"] not in species]
    if unknown:
        raise ValueError(f"{path}: measured, but not among the observables: {unknown[0]}")
    measured = list(dict.fromkeys(species[row["observableId"]] for row in rows))
    if hold_unmeasured:
        network = hold_others_constant(network, set(measured))
    values = np.full((len(rows), len(measured)), np.nan)
    for index, row in enumerate(rows):
        column = measured.index(species[row["observableId"]])
        values[index, column] = _number(path, index + 1, row, "measurement")
    courses = gather_samples(
        path,
        network,
        times=np.array([_number(path, one, row, "time") for one, row in enumerate(rows, start=1)]),
        trajectories=[row["simulationConditionId"] for row in rows],
        metabolites=measured,
        values=values,
        allow_negative=allow_negative,
    )
    return courses, network


def _files(path: Path, problem: dict[str, Any], key: str) -> list[Path]:
    """Return the files of one kind; all lie in the folder of the problem or below."""
    names = problem.get(key)
    if not isinstance(names, list) or not names or not all(isinstance(one, str) for one in names):
        raise ValueError(f"{path}: {key} must be a list of file names, but is {names!r}")
    folder = path.parent.resolve()
    for name in names:
        if not (folder / name).resolve().is_relative_to(folder):
            raise ValueError(f"{path}: {key} names {name!r}, which lies outside {folder}")
    return [path.parent / name for name in names]


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
        text = read_text(path)
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise ValueError(f"{path}: YAML aliases (*) are not read; write the values out")
        document = yaml.safe_load(text)
        problems = document["problems"]
        version = str(document["format_version"])
    except (yaml.YAMLError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: not a PEtab problem: {error!r}") from None
    if not isinstance(problems, list) or not all(isinstance(one, dict) for one in problems):
        raise ValueError(f"{path}: problems must be a list, each with its files")
    if not version.startswith("1"):
        raise ValueError(f"{path}: PEtab version {version} is not supported; give version 1")
    if len(problems) != 1:
        raise ValueError(f"{path}: holds {len(problems)} problems; give one")
    return problems[0]


def _rows(path: Path, *columns: str) -> list[dict[str, str]]:
    """Read a table and check that it has the columns needed, once, and as many cells a line."""
    table = csv.DictReader(io.StringIO(read_text(path), newline=""), delimiter="\t", strict=True)
    header = list(table.fieldnames or ())
    for name in columns:
        if name not in header:
            raise ValueError(f"{path}: the column {name} is missing")
    for name in header:
        if header.count(name) > 1:
            raise ValueError(f"{path}: the column {name!r} is there twice; keep one")
    rows = []
    for row in table:
        if None in row or None in row.values():
            raise ValueError(f"{path}, line {table.line_num}: not as many fields as in the header")
        rows.append(row)
    return rows


def _number(path: Path, place: int, row: dict[str, str], name: str) -> float:
    try:
        return to_number(row[name])
    except ValueError:
        raise ValueError(
            f"{path}: measurement {place}: {name} is {row[name]!r}, no number"
        ) from None


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
