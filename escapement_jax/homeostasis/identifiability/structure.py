"""What the equations alone allow to be told apart, whatever the data.

Different monomials ``prod_i f(c_i)^E_ij`` are linearly independent functions along a generic
trajectory. So only parameters with the same monomial can be confused: reactions with the same
substrates, the slope of ``c_i`` with reactions of first order in it, and the offset with reactions
of order 0. Within such a group, the columns by which the parameters enter ``dc/dt`` decide.
"""

from collections import defaultdict

import equinox as eqx
import numpy as np
from jaxtyping import Bool, Float, Int

from escapement_jax.homeostasis.identifiability.moieties import conserved_moieties
from escapement_jax.homeostasis.network import Network

TOLERANCE = 1e-9

Parameter = tuple[str, int]
"""A kind, "slope", "offset" or "reaction", and the index of its metabolite or reaction."""


class Structure(eqx.Module):
    """Which parameters of a network can be identified at all.

    Attributes:
        kept: Reactions whose columns span those of all reactions; the others add nothing.
        combinations: What is identified: the effective rates of the kept reactions are
            ``combinations @ k``.
        identifiable: Whether the rate constant of each reaction is determined.
        slope_identifiable: Whether the slope of each metabolite is.
        offset_identifiable: Whether the offset of each metabolite is.
        groups: Reactions with one monomial that cannot all be told apart.
        edgeless: Reactions that change nothing.
        moieties: Basis of the conserved sums of metabolites, the left null space of ``S``.
        confounders: A sentence for every group of parameters that only a combination is known of.
    """

    kept: Int[np.ndarray, " kept"]
    combinations: Float[np.ndarray, "kept reactions"]
    identifiable: Bool[np.ndarray, " reactions"]
    slope_identifiable: Bool[np.ndarray, " metabolites"]
    offset_identifiable: Bool[np.ndarray, " metabolites"]
    groups: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    edgeless: tuple[int, ...] = eqx.field(static=True)
    moieties: Float[np.ndarray, "moieties metabolites"]
    confounders: tuple[str, ...] = eqx.field(static=True)


def structure_of(
    network: Network, activities: Float[np.ndarray, "trajectories reactions"] | None = None
) -> Structure:
    """Work out which parameters of a network can be identified.

    Args:
        network: The network.
        activities: Factor on each rate constant in each trajectory; knock-downs can tell reactions
            apart that are otherwise alike. By default all 1.
    """
    stoichiometry = np.asarray(network.stoichiometry)
    if activities is None:
        activities = np.ones((1, network.num_reactions))
    patterns = np.unique(np.asarray(activities), axis=0)
    answers = {"slope": {}, "offset": {}, "reaction": {}}
    kept, combinations, groups, sentences = [], [], [], []
    for members in _groups_of_equal_monomial(network).values():
        columns = _columns(members, stoichiometry, patterns)
        pivots, mixing, determined = _independent_columns(columns)
        for (kind, index), known in zip(members, determined, strict=True):
            answers[kind][index] = bool(known)
        for row, pivot in enumerate(pivots):
            kind, index = members[pivot]
            if kind == "reaction":
                kept.append(index)
                combinations.append(_spread(mixing[row], members, network.num_reactions))
        vague = [m for m, known in zip(members, determined, strict=True) if not known]
        with_effect = [m for m in vague if m[0] != "reaction" or stoichiometry[:, m[1]].any()]
        if with_effect:
            groups.append(tuple(index for kind, index in vague if kind == "reaction"))
            sentences.append(_sentence(with_effect, network))
    order = np.argsort(np.array(kept, dtype=int))
    edgeless = tuple(int(j) for j in np.flatnonzero(~stoichiometry.any(0)))
    return Structure(
        kept=np.array(kept, dtype=int)[order],
        combinations=np.array(combinations).reshape(-1, network.num_reactions)[order],
        identifiable=_flags(answers["reaction"]),
        slope_identifiable=_flags(answers["slope"]),
        offset_identifiable=_flags(answers["offset"]),
        groups=tuple(groups),
        edgeless=edgeless,
        moieties=conserved_moieties(stoichiometry),
        confounders=tuple(sentences),
    )


def _groups_of_equal_monomial(network: Network) -> dict[tuple, list[Parameter]]:
    orders = np.asarray(network.substrate_orders)
    groups: dict[tuple, list[Parameter]] = defaultdict(list)
    for i in range(network.num_metabolites):
        groups[((i, 1.0),)].append(("slope", i))
        groups[()].append(("offset", i))
    for j in range(network.num_reactions):
        substrates = np.flatnonzero(orders[:, j])
        groups[tuple((int(i), float(orders[i, j])) for i in substrates)].append(("reaction", j))
    return groups


def _columns(
    members: list[Parameter], stoichiometry: np.ndarray, patterns: np.ndarray
) -> Float[np.ndarray, "effects members"]:
    """How each parameter enters ``dc/dt``, over the distinct patterns of activity."""
    columns = []
    for kind, index in members:
        if kind == "reaction":
            columns.append(np.outer(patterns[:, index], stoichiometry[:, index]).ravel())
        else:
            unit = np.zeros(len(stoichiometry))
            unit[index] = 1.0
            columns.append(np.tile(unit, len(patterns)))
    table = np.stack(columns, axis=1)
    return table[table.any(1)] if table.any() else table[:1]


def _independent_columns(
    columns: Float[np.ndarray, "effects members"],
) -> tuple[list[int], Float[np.ndarray, "pivots members"], Bool[np.ndarray, " members"]]:
    """The first independent columns, all columns in terms of them, and which are determined."""
    if columns.shape[1] == 1:  # nearly all groups
        seen = bool(columns.any())
        return [0] * seen, np.ones((int(seen), 1)), np.array([seen])
    pivots: list[int] = []
    basis = np.zeros((len(columns), 0))
    for j, column in enumerate(columns.T):
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        if np.linalg.norm(rest) > TOLERANCE * max(1.0, float(np.linalg.norm(column))):
            basis = np.concatenate([basis, (rest / np.linalg.norm(rest))[:, None]], axis=1)
            pivots.append(j)
    mixing = (
        np.linalg.lstsq(columns[:, pivots], columns, rcond=None)[0]
        if pivots
        else np.zeros((0, columns.shape[1]))
    )
    mixing[np.abs(mixing) < TOLERANCE] = 0.0
    row_space = np.linalg.pinv(mixing) @ mixing
    determined = np.abs(row_space - np.eye(columns.shape[1])).max(1) < 1e-6
    return pivots, mixing, determined


def _spread(weights: np.ndarray, members: list[Parameter], reactions: int) -> np.ndarray:
    row = np.zeros(reactions)
    for weight, (kind, index) in zip(weights, members, strict=True):
        if kind == "reaction":
            row[index] = weight
    return row


def _flags(answers: dict[int, bool]) -> Bool[np.ndarray, " items"]:
    return np.array([answers[i] for i in range(len(answers))], dtype=bool)


def _sentence(members: list[Parameter], network: Network) -> str:
    names = [
        f"reaction {network.reaction_names[index]}"
        if kind == "reaction"
        else f"the {kind} of {network.metabolite_names[index]}"
        for kind, index in members
    ]
    listed = ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]
    return f"{listed} act alike: only a combination of them can be known"
