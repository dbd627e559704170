"""Does a network conserve mass? Checked with molar masses, or without any."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

TOLERANCE = 1e-6


def check_mass_balance(
    stoichiometry: np.ndarray,
    metabolite_names: tuple[str, ...],
    reaction_names: tuple[str, ...],
    molar_masses: ArrayLike | None = None,
) -> None:
    """Refuse reactions that create or destroy mass.

    With masses ``m`` known, every reaction ``j`` must obey ``|sum_i m_i S_ij| = 0``. Without, some
    positive masses must exist that balance all reactions at once (stoichiometric consistency):
    ``A -> B`` beside ``A -> 2 B`` has none. Reactions with only substrates or only products
    exchange matter with the outside and are exempt.

    Args:
        stoichiometry: Metabolites x reactions.
        metabolite_names: One for each row.
        reaction_names: One for each column.
        molar_masses: One for each row, positive; None if unknown.

    Raises:
        ValueError: Reactions are unbalanced; the message names them.

    Source: A. Gevorgyan et al., Bioinformatics 24, 2245 (2008).
    """
    internal = (stoichiometry > 0).any(0) & (stoichiometry < 0).any(0)
    inside = stoichiometry[:, internal]
    if not inside.size:
        return
    if molar_masses is None:
        masses = _balancing_masses(inside)
        knowledge = "no positive masses of the metabolites balance"
    else:
        masses = _checked_masses(molar_masses, metabolite_names)
        knowledge = "the molar masses given do not balance"
    gained = masses @ inside
    unbalanced = np.abs(gained) > TOLERANCE * (masses @ np.abs(inside))
    if unbalanced.any():
        names = np.array(reaction_names)[internal][unbalanced]
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise ValueError(
            f"{knowledge} reaction {shown} with the others; correct the stoichiometry, or switch"
            " the check off with mass_balance=False if matter leaves by a metabolite that is not"
            " modelled"
        )


def _checked_masses(molar_masses: ArrayLike, metabolite_names: tuple[str, ...]) -> np.ndarray:
    masses = np.asarray(molar_masses, dtype=np.float64)
    if masses.shape != (len(metabolite_names),):
        raise ValueError(
            f"molar masses have shape {masses.shape}; give one for each of the "
            f"{len(metabolite_names)} metabolites"
        )
    sound = np.isfinite(masses) & (masses > 0)
    if not sound.all():
        worst = int(np.argmin(sound))
        raise ValueError(
            f"metabolite {metabolite_names[worst]} has the molar mass {masses[worst]}; masses are"
            " positive"
        )
    return masses


def _balancing_masses(inside: np.ndarray) -> np.ndarray:
    """Masses of 1 or more that leave the least imbalance, ``min sum_j |sum_i m_i S_ij|``."""
    metabolites, reactions = inside.shape
    if np.abs(inside.sum(0)).max() < TOLERANCE:
        return np.ones(metabolites)
    identity = np.eye(reactions)
    equations = np.concatenate([inside.T, -identity, identity], axis=1)
    cost = np.r_[np.zeros(metabolites), np.ones(2 * reactions)]
    bounds = [(1.0, None)] * metabolites + [(0.0, None)] * (2 * reactions)
    solution = linprog(cost, A_eq=equations, b_eq=np.zeros(reactions), bounds=bounds)
    return np.asarray(solution.x[:metabolites])
