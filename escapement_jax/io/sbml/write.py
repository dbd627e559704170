"""Write a reaction network as SBML Level 3."""

from typing import Any

from escapement_jax.io.sbml.infix import identifier, infix
from escapement_jax.io.sbml.read import import_libsbml
from escapement_jax.numerics.expressions import Expression, Number, Symbol
from escapement_jax.numerics.reaction_network import ReactionNetwork

HOME = "everywhere"
"""Compartment, of size one, of species that are amounts."""


def to_sbml(network: ReactionNetwork) -> str:
    """Return a network as SBML Level 3 Version 1.

    Reading the text gives the same differential equations. Names that are no identifiers are
    spelled with underscores; units are not stated.

    Raises:
        ImportError: python-libsbml is missing.
    """
    libsbml = import_libsbml()
    document = libsbml.SBMLDocument(3, 1)
    model = document.createModel()
    model.setId(identifier(network.name))
    model.setName(network.name)
    _write_compartments(model, network)
    _write_constants(model, network)
    _write_states(model, network)
    for name, meaning in network.assignments:
        _parameter(model, name, constant=False)
        _set_formula(model.createAssignmentRule(), name, meaning)
    for name, meaning in network.rate_rules:
        _set_formula(model.createRateRule(), name, meaning)
    for column in range(len(network.reactions)):
        _write_reaction(model, network, column)
    return libsbml.writeSBMLToString(document)


def _compartments(network: ReactionNetwork) -> list[str]:
    return sorted({size.name for size in network.sizes if isinstance(size, Symbol)})


def _write_compartments(model: Any, network: ReactionNetwork) -> None:
    values = dict(zip(network.constants, network.constant_values, strict=True))
    values |= dict(zip(network.states, network.initial_values, strict=True))
    for name in _compartments(network):
        compartment = _compartment(model, name)
        compartment.setConstant(name in network.constants)
        _set_value(model, compartment.setSize, name, values[name])
    compartment = _compartment(model, HOME)
    compartment.setConstant(True)
    compartment.setSize(1.0)


def _compartment(model: Any, name: str) -> Any:
    compartment = model.createCompartment()
    compartment.setId(identifier(name))
    compartment.setSpatialDimensions(3)
    return compartment


def _write_constants(model: Any, network: ReactionNetwork) -> None:
    for name, value in zip(network.constants, network.constant_values, strict=True):
        if name not in _compartments(network):
            _set_value(model, _parameter(model, name, constant=True).setValue, name, value)


def _write_states(model: Any, network: ReactionNetwork) -> None:
    ruled = dict(network.rate_rules)
    states = zip(network.states, network.initial_values, network.sizes, strict=True)
    for name, value, size in states:
        if name in _compartments(network):
            continue
        if name in ruled:
            _set_value(model, _parameter(model, name, constant=False).setValue, name, value)
            continue
        species = model.createSpecies()
        species.setId(identifier(name))
        species.setConstant(False)
        species.setBoundaryCondition(False)
        is_amount = not isinstance(size, Symbol)
        species.setHasOnlySubstanceUnits(is_amount)
        species.setCompartment(HOME if is_amount else identifier(infix(size)))
        setter = species.setInitialAmount if is_amount else species.setInitialConcentration
        _set_value(model, setter, name, value)


def _write_reaction(model: Any, network: ReactionNetwork, column: int) -> None:
    reaction = model.createReaction()
    reaction.setId(identifier(network.reactions[column]))
    reaction.setReversible(False)
    reaction.setFast(False)
    taking_part = set()
    for amounts, create in (
        (network.reactants, reaction.createReactant),
        (network.products, reaction.createProduct),
    ):
        for name, amount in zip(network.states, amounts[:, column].tolist(), strict=True):
            if amount:
                reference = create()
                reference.setSpecies(identifier(name))
                reference.setStoichiometry(amount)
                reference.setConstant(True)
                taking_part.add(name)
    law = network.rate_laws[column]
    for name in _species_in(law, network):
        if name not in taking_part:
            reaction.createModifier().setSpecies(identifier(name))
    reaction.createKineticLaw().setMath(_tree(law))


def _species_in(law: Expression, network: ReactionNetwork) -> list[str]:
    from escapement_jax.numerics.expressions import symbols

    used = symbols(law)
    ruled = dict(network.rate_rules)
    return [name for name in network.states if name in used and name not in ruled]


def _parameter(model: Any, name: str, *, constant: bool) -> Any:
    parameter = model.createParameter()
    parameter.setId(identifier(name))
    parameter.setConstant(constant)
    return parameter


def _set_value(model: Any, setter: Any, name: str, value: Expression) -> None:
    if isinstance(value, Number):
        setter(value.value)
        return
    assignment = model.createInitialAssignment()
    assignment.setSymbol(identifier(name))
    assignment.setMath(_tree(value))


def _set_formula(rule: Any, name: str, meaning: Expression) -> None:
    rule.setVariable(identifier(name))
    rule.setMath(_tree(meaning))


def _tree(expression: Expression) -> Any:
    libsbml = import_libsbml()
    tree = libsbml.parseL3Formula(infix(expression))
    if tree is None:
        raise ValueError(f"no SBML formula: {libsbml.getLastParseL3Error()}")
    return tree
