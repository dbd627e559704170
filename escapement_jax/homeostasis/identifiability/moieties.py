"""Conserved moieties: sums of metabolites that no reaction changes."""

import numpy as np
from jaxtyping import Float
from scipy.linalg import null_space
from scipy.sparse.csgraph import connected_components

TOLERANCE = 1e-9


def conserved_moieties(
    stoichiometry: Float[np.ndarray, "metabolites reactions"],
) -> Float[np.ndarray, "moieties metabolites"]:
    """Return a basis of the left null space of ``S``: rows ``l`` with ``l S = 0``.

    Each row lives on one connected part of the network, and is scaled so that its largest entry is
    1. Along a row, ``d(l c)/dt`` is homeostasis alone: no rate law enters.

    Args:
        stoichiometry: ``S``.
    """
    touches = (stoichiometry != 0).astype(int)
    _, part = connected_components(touches @ touches.T, directed=False)
    rows = []
    for label in np.unique(part):
        members = np.flatnonzero(part == label)
        inside = stoichiometry[members]
        basis = np.ones((1, 1)) if not inside.any() else null_space(inside.T, rcond=1e-10).T
        for vector in _reduced(basis):
            row = np.zeros(len(stoichiometry))
            row[members] = vector / vector[np.argmax(np.abs(vector))]
            rows.append(row)
    return np.array(rows).reshape(-1, len(stoichiometry))


def _reduced(basis: np.ndarray) -> np.ndarray:
    """Reduced row echelon form, which makes the rows of a null space sparse."""
    basis = basis.copy()
    row = 0
    for column in range(basis.shape[1]):
        if row == len(basis):
            break
        pivot = row + int(np.argmax(np.abs(basis[row:, column])))
        if abs(basis[pivot, column]) < TOLERANCE:
            continue
        basis[[row, pivot]] = basis[[pivot, row]]
        basis[row] /= basis[row, column]
        others = np.arange(len(basis)) != row
        basis[others] -= np.outer(basis[others, column], basis[row])
        row += 1
    basis[np.abs(basis) < TOLERANCE] = 0.0
    return basis
