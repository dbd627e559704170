"""The reactions of an SBML model as a network of unknown rates."""

from pathlib import Path

import numpy as np

from escapement_jax.homeostasis.network import Network
from escapement_jax.io.reader import reader
from escapement_jax.io.sbml.read import read_sbml
from escapement_jax.numerics.expressions import symbols
from escapement_jax.numerics.reaction_network import ReactionNetwork

REVERSE = "_reverse"


@reader
def read_sbml_network(path: Path) -> Network:
    """Read which metabolites every reaction of an SBML model needs, takes and gives.

    Rate laws and parameters are not used, they are what is to be recovered, except to see on what a
    rate depends: a metabolite that a law needs but the reaction does not consume acts as a catalyst
    of order 1, and a law that needs a product of its reaction runs both ways, the second under the
    name with `_reverse` after it. Species that are constant or at the boundary are held constant.

    Args:
        path: SBML of any level.

    Raises:
        ValueError: The file is absent, is no SBML, or has features that have no counterpart here;
            lists them.
        ImportError: python-libsbml is not installed.
    """
    return network_of_reactions(read_sbml(path), source=str(path))


def network_of_reactions(model: ReactionNetwork, *, source: str) -> Network:
    """Return the network of unknown rates behind a reaction network with known ones.

    Args:
        model: States and reactions.
        source: Where it is from, for messages.

    Raises:
        ValueError: A state changes by a rule, or there are no reactions.
    """
    if model.rate_rules:
        named = ", ".join(name for name, _ in model.rate_rules)
        raise ValueError(f"{source}: {named} changes by a rate rule, not by reactions")
    if not model.reactions:
        raise ValueError(f"{source}: the model has no reactions")
    columns = [
        column for reaction in range(len(model.reactions)) for column in _columns(model, reaction)
    ]
    change = np.stack([change for _, change, _ in columns], axis=1) / _sizes(model)[:, None]
    return Network.create(
        change,
        np.stack([orders for _, _, orders in columns], axis=1),
        metabolite_names=model.states,
        reaction_names=[name for name, _, _ in columns],
        # Species at the boundary are not among the states, so matter may come and go.
        mass_balance=False,
    )


def _columns(model: ReactionNetwork, reaction: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return name, change and orders of a reaction, and of its reverse if it has one."""
    taken, given = model.reactants[:, reaction], model.products[:, reaction]
    needed = _needed(model, reaction)
    backwards = needed & (given > 0) & (taken == 0)
    catalysts = (needed & (given == 0) & (taken == 0)).astype(float)
    name, change = model.reactions[reaction], given - taken
    columns = [(name, change, taken + catalysts)]
    if backwards.any():
        columns.append((name + REVERSE, -change, given + catalysts))
    return columns


def _needed(model: ReactionNetwork, reaction: int) -> np.ndarray:
    """Whether the rate of a reaction depends on each state, directly or by what is assigned."""
    assigned = dict(model.assignments)
    seen: set[str] = set()
    pending = list(symbols(model.rate_laws[reaction]))
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending += symbols(assigned[name]) if name in assigned else ()
    return np.array([name in seen for name in model.states])


def _sizes(model: ReactionNetwork) -> np.ndarray:
    """Sizes of the compartments relative to the first: a common one is absorbed by the rates."""
    values = dict(zip(model.constants, np.asarray(model.default_constants()), strict=True))
    sizes = np.array(
        [
            values[name] if (name := _only_symbol(size)) else 1.0
            for size in map(symbols, model.sizes)
        ]
    )
    return sizes / sizes[0]


def _only_symbol(names: frozenset[str] | set[str]) -> str | None:
    return next(iter(names), None)
