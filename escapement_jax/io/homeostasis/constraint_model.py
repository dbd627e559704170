"""Stoichiometry of constraint-based models (COBRA and BiGG, JSON)."""

from pathlib import Path
from typing import Any

import numpy as np

from escapement_jax.homeostasis.network import Network
from escapement_jax.io.json_files import read_json
from escapement_jax.io.reader import reader

REVERSE = "_reverse"


@reader
def read_constraint_model(path: Path) -> Network:
    """Read the stoichiometry of a COBRA or BiGG model; bounds say in which directions it runs.

    A reversible reaction becomes two, the second with `_reverse` after its name; one that only runs
    backwards is turned around. Orders are the numbers of molecules consumed. Balance of mass is not
    asked for, as biomass and other pseudo-reactions do not conserve it.

    Args:
        path: JSON with `metabolites` and `reactions`.

    Raises:
        FileNotFoundError: The file is absent.
        ValueError: The file is no such model, or a reaction names an unknown metabolite.
    """
    model = read_json(path)
    try:
        metabolites = [str(item["id"]) for item in model["metabolites"]]
        reactions = [_directions(item) for item in model["reactions"]]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a COBRA or BiGG model in JSON: {error!r}") from None
    directed = [direction for reaction in reactions for direction in reaction]
    rows = {name: row for row, name in enumerate(metabolites)}
    stoichiometry = np.zeros((len(metabolites), len(directed)))
    for column, (name, coefficients) in enumerate(directed):
        for metabolite, coefficient in coefficients.items():
            if metabolite not in rows:
                raise ValueError(f"{path}: reaction {name} names the unknown {metabolite}")
            stoichiometry[rows[metabolite], column] = coefficient
    return Network.create(
        stoichiometry,
        metabolite_names=metabolites,
        reaction_names=[name for name, _ in directed],
        mass_balance=False,
    )


def _directions(reaction: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    name = str(reaction["id"])
    forward = {str(key): float(value) for key, value in reaction["metabolites"].items()}
    backward = {key: -value for key, value in forward.items()}
    runs_forward = float(reaction.get("upper_bound", 1000.0)) > 0
    runs_backward = float(reaction.get("lower_bound", 0.0)) < 0
    if runs_forward and runs_backward:
        return [(name, forward), (name + REVERSE, backward)]
    if runs_backward:
        return [(name, backward)]
    return [(name, forward)] if runs_forward else []
