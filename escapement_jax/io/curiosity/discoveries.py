"""Tables of parameters and behaviours as CSV."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from escapement_jax.curiosity.history import History
from escapement_jax.io.reader import reader
from escapement_jax.io.text_files import read_text, to_number


def write_discoveries(
    path: Path, history: History, parameter_names: Sequence[str], descriptor_names: Sequence[str]
) -> None:
    """Write every rollout that shows the behaviour looked for, one line each.

    Args:
        path: The CSV file.
        history: The rollouts.
        parameter_names: Name of every parameter.
        descriptor_names: Name of every descriptor.
    """
    rows = np.flatnonzero(history.found)
    header = ["rollout", "parent", *descriptor_names, "quality", *parameter_names]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        for row in rows.tolist():
            numbers = [*history.descriptors[row], history.quality[row], *history.parameters[row]]
            table.writerow([row, int(history.parents[row]), *map(_shortest, numbers)])


def write_parameters(
    path: Path, parameters: Float[np.ndarray, " parameters"], names: Sequence[str]
) -> None:
    """Write one parameter vector, a line `name,value` each."""
    lines = [f"{name},{_shortest(x)}" for name, x in zip(names, parameters, strict=True)]
    path.write_text("\n".join(["name,value", *lines, ""]), encoding="utf-8")


@reader
def read_parameters(path: Path, names: Sequence[str]) -> Float[np.ndarray, " parameters"]:
    """Read a parameter vector that `write_parameters` has written.

    Args:
        path: The CSV file.
        names: Name of every parameter of the system, in its order.

    Raises:
        ValueError: A name is missing, not known or there twice, or a value is no finite number.
    """
    rows = list(csv.DictReader(io.StringIO(read_text(Path(path)), newline=""), strict=True))
    values = {row["name"]: row["value"] for row in rows}
    if len(values) < len(rows):
        raise ValueError(f"{path}: a parameter is there twice; give every name one line")
    for name in [*names, *values]:
        if name not in values or name not in names:
            kind = "missing" if name not in values else "not known to the system"
            raise ValueError(f"{path}: the parameter {name} is {kind}; it has {', '.join(names)}")
    return np.array([_finite(values[name], name, path) for name in names])


def _finite(text: str, name: str, path: Path) -> float:
    try:
        value = to_number(text)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{path}: the parameter {name} is {text!r}; give a finite number")
    return value


def _shortest(value: np.floating) -> str:
    """Write a number with as few digits as read back to the same number of its own precision."""
    return np.format_float_positional(value, unique=True, trim="0")
