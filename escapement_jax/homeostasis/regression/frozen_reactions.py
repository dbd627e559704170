"""Homeostasis beside reactions that were learned before and are frozen.

The error of frozen reactions is larger than homeostasis itself and leaks into whatever is fitted to
their residual. The residual is therefore projected off everything a small change of the frozen
rates could make: by the theorem of Frisch, Waugh and Lovell this is the fit of homeostasis beside
corrections of all rates, and exact if the frozen law is.
"""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from escapement_jax.homeostasis.regression.conservation_laws import ConservationEstimate
from escapement_jax.homeostasis.regression.equations import (
    BalanceEquations,
    Coefficients,
    Factor,
    best_coefficients,
    normal_matrix,
)

LARGEST_DISAGREEMENT = 0.1
SIGNIFICANT = 4.0


class FrozenReactions(eqx.Module):
    """Reactions as a first phase of training left them.

    Attributes:
        rates: Rate constant of each reaction of the network.
        unit_fluxes: From concentrations, frames x metabolites, to the flux of each reaction per
            unit of its rate constant, frames x reactions.
    """

    rates: Float[Array, " reactions"]
    unit_fluxes: Callable[[Float[Array, "frames metabolites"]], Float[Array, "frames reactions"]]


class FrozenEstimate(eqx.Module):
    """Homeostasis beside frozen reactions.

    Attributes:
        coefficients: Corrections of the rates kept, slopes and offsets.
        normal: Normal matrix of the coefficients.
        residuals: What remains unexplained, weighted.
        leak: Size of the unexplained residual over that of the homeostasis found; 0 without
            noise if the frozen law is right.
        naive_slopes: Slopes without the projection, for comparison.
    """

    coefficients: Coefficients
    normal: Float[Array, "coefficients coefficients"]
    residuals: Float[Array, "rows metabolites"]
    leak: float
    naive_slopes: Float[Array, " metabolites"]


def homeostasis_beside(
    frozen: FrozenReactions, equations: BalanceEquations, kept: Int[np.ndarray, " kept"]
) -> FrozenEstimate:
    """Fit homeostasis to the residual of frozen reactions, projected off their tangents.

    Args:
        frozen: The reactions.
        equations: Balance equations.
        kept: Reactions of the equations.
    """
    unit = frozen.unit_fluxes(equations.concentrations)
    fluxes = equations.windows.mean(unit[:, kept] * equations.activities)
    everything = equations.windows.mean(unit * jnp.broadcast_to(frozen.rates, unit.shape))
    explained = everything[:, kept] @ equations.stoichiometry.T
    residual = eqx.tree_at(lambda e: e.derivatives, equations, equations.derivatives - explained)
    normal = normal_matrix(residual, fluxes)
    vector = best_coefficients(residual, fluxes, Factor.of(normal))
    metabolites = equations.stoichiometry.shape[0]
    coefficients = Coefficients.of_vector(vector, metabolites)
    left = residual.weighted_derivatives() - residual.predict(vector, fluxes)
    means = equations.mean_concentrations()
    home = means * coefficients.slopes[None] + coefficients.offsets[None]
    leak = jnp.sqrt(jnp.sum(left**2) / jnp.sum((equations.row_weights * home) ** 2))
    return FrozenEstimate(coefficients, normal, left, float(leak), _naive(residual, means))


def _naive(residual: BalanceEquations, means: Array) -> Float[Array, " metabolites"]:
    """Slope of the line through each metabolite's residual, with no regard to reactions."""
    centred = means - means.mean(0, keepdims=True)
    return jnp.sum(centred * residual.derivatives, axis=0) / jnp.sum(centred**2, axis=0)


def frozen_verdict(estimate: FrozenEstimate, conserved: ConservationEstimate) -> str:
    """Return a sentence on whether the frozen law can be trusted; empty if it can.

    Args:
        estimate: Homeostasis beside the frozen reactions.
        conserved: Homeostasis from conserved moieties, which the reactions cannot contaminate.
    """
    both = np.isfinite(conserved.slopes)
    if not both.any():
        return ""
    gap = np.median(np.abs(np.asarray(estimate.coefficients.slopes) - conserved.slopes)[both])
    usual, error = (
        np.median(np.abs(conserved.slopes[both])),
        np.median(conserved.slope_stderr[both]),
    )
    if gap > LARGEST_DISAGREEMENT * usual and gap > SIGNIFICANT * error:
        return (
            f"homeostasis beside the frozen reactions differs by {gap / usual:.0%} from that of"
            f" conserved moieties, which no reaction can contaminate (unexplained residual:"
            f" {estimate.leak:.2g} times homeostasis): their law is wrong, so it was refitted"
            " together with homeostasis"
        )
    return ""
