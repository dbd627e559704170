"""Time courses and networks as CSV tables."""

import csv
import io
import math
from pathlib import Path

import numpy as np

from escapement_jax.homeostasis.network import Network
from escapement_jax.io.reader import reader
from escapement_jax.io.text_files import read_text, to_number

NETWORK_COLUMNS = ("reaction", "metabolite", "stoichiometry")


@reader
def read_samples_table(path: Path) -> tuple[np.ndarray, list[str] | None, list[str], np.ndarray]:
    """Read a table of samples: `time`, `trajectory` if there are several, and the metabolites.

    Args:
        path: CSV with a header; one sample a line, empty fields are missing values.

    Returns:
        Times; trajectories, None without that column; names of the metabolites; concentrations
        [samples, metabolites], NaN where missing.

    Raises:
        FileNotFoundError: The file is absent.
        ValueError: There is no column `time`, or a number cannot be read; names the line.
    """
    header, lines = _read_rows(path)
    if "time" not in header:
        raise ValueError(f"{path}: the column time is missing; the header is {', '.join(header)}")
    metabolites = [name for name in header if name not in ("time", "trajectory")]
    if not metabolites:
        raise ValueError(f"{path}: no metabolite; give each a column")
    times = np.array([_number(path, line, row, "time") for line, row in lines])
    values = np.array(
        [[_number(path, line, row, name) for name in metabolites] for line, row in lines]
    ).reshape(len(lines), len(metabolites))
    labels = [row["trajectory"] for _, row in lines] if "trajectory" in header else None
    return times, labels, metabolites, values


@reader
def read_network_table(path: Path, *, mass_balance: bool = True) -> Network:
    """Read a network from a table: `reaction, metabolite, stoichiometry` and, if there, `order`.

    Without an order, a metabolite acts with the number of its molecules that a reaction consumes. A
    catalyst has stoichiometry 0 and an order.

    Args:
        path: CSV with a header; one line for every metabolite of every reaction.
        mass_balance: Whether a network that cannot conserve mass is refused.

    Raises:
        FileNotFoundError: The file is absent.
        ValueError: A column is missing, a number cannot be read, a pair appears twice, or the
            network cannot be; names the line.
    """
    header, lines = _read_rows(path)
    for name in NETWORK_COLUMNS:
        if name not in header:
            raise ValueError(f"{path}: the column {name} is missing; name it in the header")
    if not lines:
        raise ValueError(f"{path}: no reaction; write at least one line below the header")
    metabolites = list(dict.fromkeys(row["metabolite"] for _, row in lines))
    reactions = list(dict.fromkeys(row["reaction"] for _, row in lines))
    stoichiometry = np.full((len(metabolites), len(reactions)), np.nan)
    orders = np.zeros_like(stoichiometry)
    for line, row in lines:
        place = metabolites.index(row["metabolite"]), reactions.index(row["reaction"])
        if not math.isnan(stoichiometry[place]):
            pair = f"{row['metabolite']} in {row['reaction']}"
            raise ValueError(f"{path}, line {line}: {pair} appears twice; add up its coefficients")
        stoichiometry[place] = _number(path, line, row, "stoichiometry")
        order = _number(path, line, row, "order") if "order" in header else math.nan
        orders[place] = max(-stoichiometry[place], 0.0) if math.isnan(order) else order
    return Network.create(
        np.nan_to_num(stoichiometry),
        orders,
        metabolite_names=metabolites,
        reaction_names=reactions,
        mass_balance=mass_balance,
    )


def write_network_table(path: Path, network: Network) -> None:
    """Write a network as `reaction, metabolite, stoichiometry, order`.

    Args:
        path: CSV file to write.
        network: The reactions; one without any metabolite has no line.
    """
    stoichiometry, orders = np.asarray(network.stoichiometry), np.asarray(network.substrate_orders)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*NETWORK_COLUMNS, "order"])
        for reaction, metabolite in np.argwhere(((stoichiometry != 0) | (orders != 0)).T):
            place = metabolite, reaction
            names = network.reaction_names[reaction], network.metabolite_names[metabolite]
            writer.writerow([*names, f"{stoichiometry[place]:g}", f"{orders[place]:g}"])


def _read_rows(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    table = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    header = [name.strip() for name in table.fieldnames or ()]
    for name in header:
        if header.count(name) > 1:
            raise ValueError(f"{path}: the column {name!r} is there twice; keep one")
    table.fieldnames = header
    lines = [(table.line_num, row) for row in table]
    for line, row in lines:
        if None in row or None in row.values():
            raise ValueError(f"{path}, line {line}: not as many fields as in the header")
    return header, lines


def _number(path: Path, line: int, row: dict[str, str], name: str) -> float:
    text = row[name].strip()
    try:
        return to_number(text) if text else math.nan
    except ValueError:
        raise ValueError(f"{path}, line {line}: {name} is {text!r}, not a number") from None
