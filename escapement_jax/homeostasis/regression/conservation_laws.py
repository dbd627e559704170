"""Homeostasis from conserved sums alone: no rate law and no rate constant enters.

Reactions leave ``l c`` unchanged when ``l S = 0``, so ``d(l c)/dt = sum_i l_i (slope_i c_i +
offset_i)``: a linear regression that gives every slope, and the sum of the offsets.
"""

import equinox as eqx
import numpy as np
from jaxtyping import Float

from escapement_jax.homeostasis.regression.equations import BalanceEquations

LARGEST_CONDITION = 1e8


class ConservationEstimate(eqx.Module):
    """Homeostasis from conserved moieties.

    Attributes:
        slopes: Of each metabolite; NaN where no moiety tells.
        slope_stderr: Their standard errors.
        total_offsets: Weighted sum of the offsets of each moiety.
    """

    slopes: Float[np.ndarray, " metabolites"]
    slope_stderr: Float[np.ndarray, " metabolites"]
    total_offsets: Float[np.ndarray, " moieties"]


def homeostasis_from_moieties(
    equations: BalanceEquations, moieties: Float[np.ndarray, "moieties metabolites"]
) -> ConservationEstimate:
    """Regress the rate of change of each conserved moiety on its members.

    It needs data that are nearly free of noise, as sums of all metabolites are noisy.

    Args:
        equations: Balance equations in windows.
        moieties: Rows ``l`` with ``l S = 0``.
    """
    derivatives = np.asarray(equations.derivatives)
    means = np.asarray(equations.mean_concentrations())
    slopes = np.full(means.shape[1], np.nan)
    errors = np.full(means.shape[1], np.inf)
    totals = np.full(len(moieties), np.nan)
    for number, moiety in enumerate(moieties):
        members = np.flatnonzero(moiety)
        weights = moiety[members]
        table = np.column_stack([means[:, members] * weights, np.ones(len(means))])
        size = np.linalg.norm(table, axis=0)
        target = derivatives[:, members] @ weights
        left, values, right = np.linalg.svd(table / size, full_matrices=False)
        if values[0] > LARGEST_CONDITION * values[-1] or len(target) <= table.shape[1]:
            continue
        solution = right.T @ (left.T @ target / values) / size
        residual = target - table @ solution
        variance = residual @ residual / (len(target) - table.shape[1])
        spread = np.sqrt(variance * ((right.T / values**2) * right.T).sum(1)) / size
        better = spread[:-1] < errors[members]
        slopes[members[better]] = solution[:-1][better]
        errors[members[better]] = spread[:-1][better]
        totals[number] = solution[-1]
    return ConservationEstimate(slopes, errors, totals)
