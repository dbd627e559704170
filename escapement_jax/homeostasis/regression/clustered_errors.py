"""Standard errors of a regression whose residuals are correlated in time.

What a law cannot follow repeats itself from frame to frame, so that rows are no independent
evidence. Blocks of time are, nearly: the sandwich estimator takes the scatter of their scores.

Source: K.-Y. Liang and S. L. Zeger, Biometrika 73, 13 (1986).
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.homeostasis.regression.equations import BalanceEquations, Factor
from escapement_jax.homeostasis.regression.separable import SeparableFit

BLOCKS = 60


@eqx.filter_jit
def clustered_covariance(fit: SeparableFit, equations: BalanceEquations) -> Float[Array, "all all"]:
    """Return the covariance of coefficients and parameters of the law.

    The model-based covariance is inflated by the median ratio of the variances after the sandwich
    to its own, which keeps it of full rank.

    Args:
        fit: The regression.
        equations: Its equations.
    """
    factor = Factor.of(fit.normal)
    bread = factor.solve(jnp.eye(fit.normal.shape[0], dtype=fit.normal.dtype))
    rows = fit.residuals.shape[0]
    counted = jnp.sum(equations.row_weights > 0).astype(bread.dtype)
    naive = bread * jnp.sum(fit.residuals**2) / jnp.maximum(counted - len(bread), 1.0)
    size = max(rows // BLOCKS, 1)
    blocks = rows // size
    scores = _scores(fit, equations)[: blocks * size]
    moves = scores.reshape(blocks, size, -1).sum(1) @ bread
    sandwich = jnp.sum(moves**2, axis=0) * blocks / max(blocks - 1, 1)
    plain = jnp.maximum(jnp.diag(naive), 1e-300)
    return naive * jnp.maximum(jnp.median(sandwich / plain), 1.0)


def _scores(fit: SeparableFit, equations: BalanceEquations) -> Float[Array, "rows all"]:
    """Gradient of each row's squared residuals, halved: columns as in the normal matrix."""
    fluxes = equations.mean_unit_fluxes(fit.law)
    pushed = equations.row_weights * fit.residuals
    parts = [
        fluxes * (pushed @ equations.stoichiometry),
        pushed * equations.mean_concentrations(),
        pushed,
        jnp.einsum("tim,ti->tm", fit.tangents, fit.residuals),
    ]
    return jnp.concatenate(parts, axis=1)
