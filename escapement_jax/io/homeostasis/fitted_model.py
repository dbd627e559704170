"""The fitted model for other programs: SBML text and arrays."""

from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from escapement_jax.homeostasis.model import MetabolicModel
from escapement_jax.homeostasis.rate_laws import MassAction, PowerLaw, Saturating
from escapement_jax.io.homeostasis.arrays import network_arrays

HEADER = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1">
<model id="homeostasis">
<listOfCompartments>
<compartment id="cell" spatialDimensions="3" size="1" constant="true"/>
</listOfCompartments>"""
MATHML = 'xmlns="http://www.w3.org/1998/Math/MathML"'


def write_model_arrays(path: Path, model: MetabolicModel) -> None:
    """Write network, rate constants, slopes, offsets and the law's parameters.

    Args:
        path: `.npz` file to write.
        model: The fitted model.
    """
    arrays: dict[str, Any] = network_arrays(model.network) | {
        "rates": np.asarray(model.rates),
        "slopes": np.asarray(model.slopes),
        "offsets": np.asarray(model.offsets),
        "law": np.array(type(model.law).__name__),
        "law_parameters": np.asarray(model.law.parameters),
    }
    np.savez_compressed(path, **arrays)


def model_to_sbml(model: MetabolicModel, start: np.ndarray) -> str | None:
    """Return the model as SBML (Level 3), homeostasis as one source of every metabolite.

    Args:
        model: The fitted model.
        start: Initial concentration of every metabolite.

    Returns:
        The document; None if the law has no formula, as splines and networks have none.
    """
    if not isinstance(model.law, MassAction | PowerLaw | Saturating):
        return None
    network = model.network
    stoichiometry, orders = np.asarray(network.stoichiometry), np.asarray(network.substrate_orders)
    species = [
        f"<species id={_identifier('metabolite', index)} name={quoteattr(name)} "
        f'compartment="cell" initialConcentration="{value:.12g}" hasOnlySubstanceUnits="false" '
        'boundaryCondition="false" constant="false"/>'
        for index, (name, value) in enumerate(zip(network.metabolite_names, start, strict=True))
    ]
    reactions = [
        _reaction(model, index, name, stoichiometry[:, index], orders[:, index])
        for index, name in enumerate(network.reaction_names)
    ]
    reactions += [_homeostasis(model, index) for index in range(network.num_metabolites)]
    parts = [HEADER, _listed("Species", species), _listed("Parameters", _parameters(model))]
    return "\n".join([*parts, _listed("Reactions", reactions), "</model>", "</sbml>"]) + "\n"


def _parameters(model: MetabolicModel) -> list[str]:
    values = {
        **{f"rate_{index}": value for index, value in enumerate(np.asarray(model.rates))},
        **{f"slope_{index}": value for index, value in enumerate(np.asarray(model.slopes))},
        **{f"offset_{index}": value for index, value in enumerate(np.asarray(model.offsets))},
        **{f"law_{index}": value for index, value in enumerate(_law_values(model))},
    }
    return [
        f'<parameter id="{name}" value="{value:.17g}" constant="true"/>'
        for name, value in values.items()
    ]


def _law_values(model: MetabolicModel) -> list[float]:
    if isinstance(model.law, PowerLaw):
        return [float(model.law.exponent)]
    if isinstance(model.law, Saturating):
        return [float(np.exp(model.law.log_constant))]
    return []


def _reaction(
    model: MetabolicModel, index: int, name: str, change: np.ndarray, orders: np.ndarray
) -> str:
    """Write one reaction; what drives it without being consumed is a modifier."""
    consumed = np.maximum(-change, 0.0)
    sides = _listed("Reactants", _references(consumed)) + _listed(
        "Products", _references(np.maximum(change, 0.0))
    )
    modifiers = [
        f"<modifierSpeciesReference species={_identifier('metabolite', row)}/>"
        for row in np.flatnonzero((orders > 0) & (change == 0)).tolist()
    ]
    factors = [f"<ci> rate_{index} </ci>"]
    factors += [_factor(model, row, float(orders[row])) for row in np.flatnonzero(orders).tolist()]
    # A reaction that changes nothing has a rate that nobody can know, and none is needed.
    law = f"<apply><times/>{''.join(factors)}</apply>" if change.any() else "<cn> 0 </cn>"
    return _reaction_text(f"reaction_{index}", name, sides + _listed("Modifiers", modifiers), law)


def _factor(model: MetabolicModel, row: int, order: float) -> str:
    concentration = f"<ci> metabolite_{row} </ci>"
    exponent = f"<cn> {order:.12g} </cn>"
    if isinstance(model.law, PowerLaw):
        concentration = f"<apply><power/>{concentration}<ci> law_0 </ci></apply>"
    if isinstance(model.law, Saturating):
        scale = "<apply><plus/><cn> 1 </cn><ci> law_0 </ci></apply>"
        top = f"<apply><times/>{scale}{concentration}</apply>"
        bottom = f"<apply><plus/><ci> law_0 </ci>{concentration}</apply>"
        concentration = f"<apply><divide/>{top}{bottom}</apply>"
    return concentration if order == 1 else f"<apply><power/>{concentration}{exponent}</apply>"


def _homeostasis(model: MetabolicModel, index: int) -> str:
    law = (
        f"<apply><plus/><ci> offset_{index} </ci><apply><times/><ci> slope_{index} </ci>"
        f"<ci> metabolite_{index} </ci></apply></apply>"
    )
    produced = np.zeros(model.network.num_metabolites)
    produced[index] = 1.0
    name = f"homeostasis of {model.network.metabolite_names[index]}"
    modifier = f"<modifierSpeciesReference species={_identifier('metabolite', index)}/>"
    sides = _listed("Products", _references(produced)) + _listed("Modifiers", [modifier])
    return _reaction_text(f"homeostasis_{index}", name, sides, law)


def _reaction_text(identifier: str, name: str, sides: str, law: str) -> str:
    return (
        f'<reaction id="{identifier}" name={quoteattr(name)} reversible="false" fast="false">\n'
        f"{sides}<kineticLaw><math {MATHML}>{law}</math></kineticLaw>\n</reaction>"
    )


def _references(amounts: np.ndarray) -> list[str]:
    return [
        f"<speciesReference species={_identifier('metabolite', row)} "
        f'stoichiometry="{amounts[row]:.12g}" constant="true"/>'
        for row in np.flatnonzero(amounts).tolist()
    ]


def _listed(kind: str, items: list[str]) -> str:
    if not items:
        return ""
    return f"<listOf{kind}>\n" + "\n".join(items) + f"\n</listOf{kind}>\n"


def _identifier(kind: str, index: int) -> str:
    return f'"{kind}_{index}"'
