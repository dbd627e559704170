"""Separable least squares: rates and homeostasis are solved for, only the law is searched.

For every law the best linear coefficients are found in closed form, so that the cost is a function
of the few parameters of the law alone. Its Gauss-Newton step projects the tangents of the law off
the linear columns.

Source: G. H. Golub and V. Pereyra, SIAM Journal on Numerical Analysis 10, 413 (1973), with the
simplification of L. Kaufman, BIT 15, 49 (1975).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.homeostasis.rate_laws import AbstractRateLaw
from escapement_jax.homeostasis.regression.equations import (
    BalanceEquations,
    Coefficients,
    Factor,
    best_coefficients,
    normal_matrix,
)

MOST_STEPS = 40
LARGEST_DAMPING = 1e6
SMALLEST_GAIN = 1e-9
"""The search ends when the cost falls by less than this share in a step."""


class SeparableFit(eqx.Module):
    """A fit of the balance equations.

    Attributes:
        law: The fitted law.
        coefficients: Rates and homeostasis.
        residuals: Weighted, measured less modelled.
        tangents: Change of the modelled side with each parameter of the law.
        normal: Normal matrix of coefficients and parameters of the law together.
        relative_residual: Root mean square of the residuals over that of the weighted derivatives.
    """

    law: AbstractRateLaw
    coefficients: Coefficients
    residuals: Float[Array, "rows metabolites"]
    tangents: Float[Array, "rows metabolites parameters"]
    normal: Float[Array, "all all"]
    relative_residual: float


class _Evaluation(eqx.Module):
    vector: Float[Array, " coefficients"]
    residuals: Float[Array, "rows metabolites"]
    tangents: Float[Array, "rows metabolites parameters"]
    normal: Float[Array, "all all"]
    cost: Float[Array, ""]
    gradient: Float[Array, " parameters"]
    curvature: Float[Array, "parameters parameters"]


def fit_separable(equations: BalanceEquations, law: AbstractRateLaw) -> SeparableFit:
    """Fit the law by Levenberg and Marquardt's method, everything else in closed form.

    Args:
        equations: The balance equations.
        law: Where the search starts.
    """
    values, damping = law.parameters, 1e-3
    best = _evaluate(equations, law, values)
    for _ in range(MOST_STEPS if values.size else 0):
        step = _damped_step(best, damping)
        trial = _evaluate(equations, law, values + step)
        gain = 1.0 - float(trial.cost) / float(best.cost)
        if np.isfinite(gain) and gain > 0:
            values, best, damping = values + step, trial, max(damping / 10, 1e-12)
            if gain < SMALLEST_GAIN:
                break
        else:
            damping *= 10
            if damping > LARGEST_DAMPING:
                break
    size = jnp.sqrt(jnp.sum(equations.weighted_derivatives() ** 2))
    return SeparableFit(
        law=law.with_parameters(values),
        coefficients=Coefficients.of_vector(best.vector, equations.stoichiometry.shape[0]),
        residuals=best.residuals,
        tangents=best.tangents,
        normal=best.normal,
        relative_residual=float(jnp.sqrt(best.cost) / size),
    )


def _damped_step(at: _Evaluation, damping: float) -> Float[Array, " parameters"]:
    diagonal = jnp.diag(jnp.diag(at.curvature))
    floor = 1e-12 * jnp.max(jnp.diag(at.curvature)) * jnp.eye(len(at.gradient))
    return jnp.linalg.solve(at.curvature + damping * diagonal + floor, at.gradient)


@eqx.filter_jit
def _evaluate(
    equations: BalanceEquations, law: AbstractRateLaw, values: Float[Array, " parameters"]
) -> _Evaluation:
    """Cost, gradient and Gauss-Newton curvature of the law, with the rest at its best."""
    fluxes = equations.mean_unit_fluxes(law.with_parameters(values))
    normal = normal_matrix(equations, fluxes)
    factor = Factor.of(normal)
    vector = best_coefficients(equations, fluxes, factor)
    residuals = equations.weighted_derivatives() - equations.predict(vector, fluxes)

    def predict(values: Array) -> Array:
        law_fluxes = equations.mean_unit_fluxes(law.with_parameters(values))
        return equations.predict(vector, law_fluxes)

    tangents = _jacobian_by_columns(predict, values)
    _, pull_back = jax.vjp(lambda vector: equations.predict(vector, fluxes), vector)
    cross = jax.lax.map(lambda tangent: pull_back(tangent)[0], jnp.moveaxis(tangents, -1, 0)).T
    own = jnp.einsum("tim,tik->mk", tangents, tangents)
    return _Evaluation(
        vector=vector,
        residuals=residuals,
        tangents=tangents,
        normal=jnp.block([[normal, cross], [cross.T, own]]),
        cost=jnp.sum(residuals**2),
        gradient=jnp.einsum("tim,ti->m", tangents, residuals),
        curvature=own - cross.T @ factor.solve(cross),
    )


def _jacobian_by_columns(function, values: Float[Array, " parameters"]) -> Array:
    """Jacobian one column at a time, to save memory."""
    if not values.size:
        shape = jax.eval_shape(function, values).shape
        return jnp.zeros((*shape, 0), values.dtype)
    directions = jnp.eye(values.size, dtype=values.dtype)
    columns = jax.lax.map(lambda v: jax.jvp(function, (values,), (v,))[1], directions)
    return jnp.moveaxis(columns, 0, -1)
