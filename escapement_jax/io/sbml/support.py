"""What an SBML model uses that cannot be read; all of it, so that one look is enough."""

from typing import Any

KNOWN = ("l3v2extendedmath",)
"""Required packages that change nothing here: the operators of Level 3 Version 2 are known."""


def unsupported_features(document: Any) -> list[str]:
    """List the features of a model that have no counterpart in a reaction network.

    Args:
        document: a `libsbml.SBMLDocument` with a model.
    """
    model = document.getModel()
    found = _counted("event", model.getNumEvents())
    found += _counted("algebraic rule", sum(rule.isAlgebraic() for rule in model.getListOfRules()))
    found += [f"the package {name}" for name in _required_packages(document)]
    if model.isSetConversionFactor() or _any_of(model.getListOfSpecies(), "isSetConversionFactor"):
        found.append("conversion factors")
    for reaction in model.getListOfReactions():
        found += _of_reaction(reaction, model)
    for compartment in model.getListOfCompartments():
        if model.getAssignmentRule(compartment.getId()) is not None:
            found.append(f"the size of compartment {compartment.getId()} set by a rule")
    return found


def _of_reaction(reaction: Any, model: Any) -> list[str]:
    name, found = reaction.getId(), []
    if reaction.isSetFast() and reaction.getFast():
        found.append(f"the fast reaction {name}")
    if not reaction.isSetKineticLaw() or reaction.getKineticLaw().getMath() is None:
        found.append(f"no kinetic law of reaction {name}")
    for reference in (*reaction.getListOfReactants(), *reaction.getListOfProducts()):
        if not _has_fixed_stoichiometry(reference, model):
            found.append(f"a stoichiometry of reaction {name} that is not a fixed number")
    return found


def _has_fixed_stoichiometry(reference: Any, model: Any) -> bool:
    if reference.isSetStoichiometryMath():
        return False
    identifier = reference.getId()
    if identifier and (
        model.getRuleByVariable(identifier) is not None
        or model.getInitialAssignmentBySymbol(identifier) is not None
    ):
        return False
    return reference.getStoichiometry() == reference.getStoichiometry()


def _required_packages(document: Any) -> list[str]:
    """Name the packages of Level 3 that change what the mathematics of a model means."""
    names = [
        document.getPlugin(place).getPackageName() for place in range(document.getNumPlugins())
    ]
    return [name for name in names if document.getPackageRequired(name) and name not in KNOWN]


def _counted(what: str, count: int) -> list[str]:
    return [f"{count} {what}{'s' if count > 1 else ''}"] if count else []


def _any_of(things: Any, question: str) -> bool:
    return any(getattr(thing, question)() for thing in things)
