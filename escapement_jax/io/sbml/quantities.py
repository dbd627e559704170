"""From an SBML model to a reaction network: what changes, what stays, what is defined."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from escapement_jax.io.sbml.formulas import (
    Functions,
    UnsupportedFormula,
    expression_of,
    function_definitions,
)
from escapement_jax.numerics.expressions import (
    TIME,
    Call,
    Definition,
    Expression,
    Number,
    Symbol,
    in_order,
    substitute,
    symbols,
)
from escapement_jax.numerics.reaction_network import ReactionNetwork

ONE = Number(1.0)


@dataclass
class _Formulas:
    """Everything of a model that is written as a formula, by the identifier that it defines."""

    assignments: dict[str, Expression] = field(default_factory=dict)
    rates: dict[str, Expression] = field(default_factory=dict)
    starts: dict[str, Expression] = field(default_factory=dict)
    laws: dict[str, Expression] = field(default_factory=dict)
    local_values: dict[str, Expression] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def network_of_model(model: Any) -> tuple[ReactionNetwork, list[str]]:
    """Return the reaction network of a `libsbml.Model`, and what stands in the way of using it."""
    formulas = _read_formulas(model)
    values = {
        **{size.getId(): Number(_size(size)) for size in model.getListOfCompartments()},
        **{one.getId(): Number(one.getValue()) for one in model.getListOfParameters()},
        **{one.getId(): _stated_amount(one, model) for one in model.getListOfSpecies()},
        **formulas.local_values,
        **formulas.starts,
    }
    states = _states(model, formulas)
    constants = [name for name in values if name not in {*states, *formulas.assignments}]
    network = ReactionNetwork(
        name=model.getName() or model.getId() or "model",
        states=tuple(states),
        labels=tuple(model.getElementBySId(name).getName() or name for name in states),
        initial_values=tuple(values[name] for name in states),
        sizes=tuple(_divisor(model, name, formulas) for name in states),
        constants=tuple(constants),
        constant_values=tuple(values[name] for name in constants),
        reactions=tuple(formulas.laws),
        rate_laws=tuple(formulas.laws.values()),
        reactants=_amounts(model, states, "getListOfReactants"),
        products=_amounts(model, states, "getListOfProducts"),
        assignments=tuple(formulas.assignments.items()),
        rate_rules=tuple(formulas.rates.items()),
    )
    return network, formulas.problems + _problems(network)


def _read_formulas(model: Any) -> _Formulas:
    formulas = _Formulas()
    try:
        functions = function_definitions(model)
    except UnsupportedFormula as problem:
        formulas.problems.append(f"{problem} in a function definition")
        return formulas
    for kind, name, node in _written_formulas(model):
        try:
            getattr(formulas, kind)[name] = expression_of(node, functions)
        except UnsupportedFormula as problem:
            formulas.problems.append(f"{problem} in the formula of {name}")
    for reaction in model.getListOfReactions():
        _read_law(reaction, functions, formulas)
    return formulas


def _written_formulas(model: Any) -> Iterator[tuple[str, str, Any]]:
    for rule in model.getListOfRules():
        kind = "rates" if rule.isRate() else "assignments"
        yield kind, rule.getVariable(), rule.getMath()
    for start in model.getListOfInitialAssignments():
        yield "starts", start.getSymbol(), start.getMath()


def _read_law(reaction: Any, functions: Functions, formulas: _Formulas) -> None:
    """Read a kinetic law; its local parameters become constants named `reaction.parameter`."""
    name, law = reaction.getId(), reaction.getKineticLaw()
    local = law.getListOfLocalParameters() if law.getNumLocalParameters() else ()
    local = [*local, *law.getListOfParameters()] if not local else list(local)
    renamed = {one.getId(): Symbol(f"{name}.{one.getId()}") for one in local}
    formulas.local_values.update(
        {renamed[one.getId()].name: Number(one.getValue()) for one in local}
    )
    try:
        expression = expression_of(law.getMath(), functions)
        formulas.laws[name] = substitute(expression, renamed)
    except UnsupportedFormula as problem:
        formulas.problems.append(f"{problem} in the rate of {name}")


def _states(model: Any, formulas: _Formulas) -> list[str]:
    """Name what changes: first species, in the order of the model, then what else has a rate."""
    changed = {
        reference.getSpecies()
        for reaction in model.getListOfReactions()
        for reference in (*reaction.getListOfReactants(), *reaction.getListOfProducts())
    }
    species = [
        one.getId()
        for one in model.getListOfSpecies()
        if one.getId() in formulas.rates
        or (
            one.getId() in changed
            and not one.getBoundaryCondition()
            and not one.getConstant()
            and one.getId() not in formulas.assignments
        )
    ]
    return species + [name for name in formulas.rates if name not in species]


def _stated_amount(species: Any, model: Any) -> Expression:
    """Return the initial value in the unit that the species has in formulas."""
    compartment = model.getCompartment(species.getCompartment())
    size = Symbol(species.getCompartment())
    if species.isSetInitialConcentration():
        value = Number(species.getInitialConcentration())
        return Call("times", (value, size)) if _is_amount(species, compartment) else value
    value = Number(species.getInitialAmount() if species.isSetInitialAmount() else math.nan)
    return value if _is_amount(species, compartment) else Call("divide", (value, size))


def _is_amount(species: Any, compartment: Any) -> bool:
    """Whether formulas mean the amount of a species; otherwise they mean its concentration."""
    return species.getHasOnlySubstanceUnits() or compartment.getSpatialDimensions() == 0


def _size(compartment: Any) -> float:
    # A point has no size; Levels 1 and 2 take a volume that is not stated to be one.
    if compartment.getSpatialDimensions() == 0:
        return 1.0
    if compartment.getLevel() == 1 or compartment.isSetSize():
        return compartment.getSize()
    return math.nan if compartment.getLevel() > 2 else 1.0


def _divisor(model: Any, state: str, formulas: _Formulas) -> Expression:
    species = model.getSpecies(state)
    if species is None or state in formulas.rates:
        return ONE
    compartment = model.getCompartment(species.getCompartment())
    return ONE if _is_amount(species, compartment) else Symbol(compartment.getId())


def _amounts(model: Any, states: list[str], side: str) -> np.ndarray:
    amounts = np.zeros((len(states), model.getNumReactions()))
    places = {name: place for place, name in enumerate(states)}
    for column, reaction in enumerate(model.getListOfReactions()):
        for reference in getattr(reaction, side)():
            if reference.getSpecies() in places:
                amounts[places[reference.getSpecies()], column] += reference.getStoichiometry()
    return amounts


def _problems(network: ReactionNetwork) -> list[str]:
    """Say what has no value, no meaning or no order."""
    values: list[Definition] = [
        *zip(network.states, network.initial_values, strict=True),
        *zip(network.constants, network.constant_values, strict=True),
    ]
    laws = list(zip(network.reactions, network.rate_laws, strict=True))
    names = {TIME.name, *(name for name, _ in values + laws), *dict(network.assignments)}
    formulas = [*values, *laws, *network.assignments, *network.rate_rules]
    problems = [f"no value of {name}" for name, value in values if _is_missing(value)]
    for name, formula in formulas:
        strange = sorted(symbols(formula) - names)
        problems += [f"the unknown symbol {one} in the formula of {name}" for one in strange]
    try:
        in_order([*values, *network.assignments, *laws])
    except ValueError as problem:
        problems.append(f"a circle of definitions: {problem}")
    return problems


def _is_missing(value: Expression) -> bool:
    if isinstance(value, Call):
        return any(map(_is_missing, value.arguments))
    return isinstance(value, Number) and math.isnan(value.value)
