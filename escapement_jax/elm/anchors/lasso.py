"""Lasso regression on features, its penalty chosen by cross-validation."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from escapement_jax.elm.anchors.moments import RegressionMoments, regression_moments, without

NUM_PENALTIES = 25
SMALLEST_PENALTY = 1e-3
ITERATIONS = 150
NUM_FOLDS = 4


class Lasso(eqx.Module):
    """Coefficients of centred features at the chosen penalty, and the path of held-out errors."""

    coefficient: Float[Array, "features traits"]
    penalty: Float[Array, " traits"]
    penalties: Float[Array, "penalties traits"]
    held_out_error: Float[Array, "penalties traits"]


def lasso(
    contrasts: Float[Array, "individuals columns"],
    phenotypes: Float[Array, "individuals traits"],
    pairs: Int[Array, "pairs 2"],
    moments: RegressionMoments | None = None,
    num_folds: int = NUM_FOLDS,
) -> Lasso:
    """Minimise |y - F b|^2 / 2n + l |D b|_1 with D the standard deviations, l by cross-validation.

    All penalties and traits are fitted at once by accelerated proximal gradient steps, whose cost
    is one matrix product; the folds are every `num_folds`-th individual.

    Args:
        contrasts: columns of the coded genotypes, individuals in random order.
        phenotypes: trait values, all finite.
        pairs: columns of each product among the features.
        moments: of all individuals, where they are known already.
        num_folds: parts of the cross-validation.

    Source: Tibshirani (1996); Beck & Teboulle (2009), FISTA; O'Donoghue & Candes (2015), restarts.
    """
    total: RegressionMoments = (
        regression_moments(contrasts, phenotypes, pairs) if moments is None else moments
    )
    penalties = _penalty_path(total)
    error = jnp.zeros_like(penalties)
    for fold in range(num_folds):
        part = regression_moments(contrasts[fold::num_folds], phenotypes[fold::num_folds], pairs)
        rest = without(total, part)
        error = error + _squared_error(part, rest, lasso_path(rest, penalties))
    best = jnp.argmin(error, axis=0)
    chosen = jnp.take_along_axis(penalties, best[None, :], axis=0)
    return Lasso(
        coefficient=lasso_path(total, chosen)[:, 0],
        penalty=chosen[0],
        penalties=penalties,
        held_out_error=error / total.num_individuals,
    )


def _penalty_path(moments: RegressionMoments) -> Float[Array, "penalties traits"]:
    """Return penalties from the smallest that leaves no effect, downwards in equal ratios."""
    scale = jnp.sqrt(jnp.diagonal(moments.gram) / moments.num_individuals)
    largest = jnp.max(jnp.abs(moments.moments) / scale[:, None], axis=0) / moments.num_individuals
    steps = jnp.linspace(0, jnp.log(SMALLEST_PENALTY), NUM_PENALTIES, dtype=largest.dtype)
    return jnp.exp(steps)[:, None] * largest[None, :]


@partial(jax.jit, static_argnames="iterations")
def lasso_path(
    moments: RegressionMoments,
    penalties: Float[Array, "penalties traits"],
    iterations: int = ITERATIONS,
) -> Float[Array, "features penalties traits"]:
    """Fit every penalty and trait: accelerated proximal gradient with restarts.

    Args:
        moments: sums of squares and products of features and traits.
        penalties: weights of the absolute values of standardised effects.
        iterations: gradient steps.
    """
    scale = jnp.sqrt(jnp.diagonal(moments.gram) / moments.num_individuals)
    correlation = moments.gram / moments.num_individuals / jnp.outer(scale, scale)
    target = moments.moments / moments.num_individuals / scale[:, None]
    num_problems = penalties.size
    targets = jnp.broadcast_to(target[:, None, :], (scale.size, *penalties.shape))
    targets, flat = targets.reshape(scale.size, num_problems), penalties.reshape(num_problems)
    step = 1 / _largest_eigenvalue(correlation)

    def iterate(_: Int[Array, ""], state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        effect, ahead, momentum = state
        gradient = correlation @ ahead - targets
        moved = ahead - step * gradient
        new = jnp.sign(moved) * jnp.maximum(jnp.abs(moved) - step * flat[None, :], 0)
        faster = (1 + jnp.sqrt(1 + 4 * momentum**2)) / 2
        # Momentum that points uphill is dropped, problem by problem.
        uphill = jnp.sum((ahead - new) * (new - effect), axis=0) > 0
        weight = jnp.where(uphill, 0, (momentum - 1) / faster)
        return new, new + weight[None, :] * (new - effect), jnp.where(uphill, 1, faster)

    start = jnp.zeros_like(targets)
    effect, _, _ = lax.fori_loop(0, iterations, iterate, (start, start, jnp.ones_like(flat)))
    return effect.reshape(scale.size, *penalties.shape) / scale[:, None, None]


def _largest_eigenvalue(matrix: Float[Array, "n n"]) -> Float[Array, ""]:
    """Bound the largest eigenvalue by 30 power steps, with 5 % to spare."""
    start = jnp.ones(matrix.shape[0], matrix.dtype) + jnp.arange(matrix.shape[0]) % 7 / 7

    def multiply(_: Int[Array, ""], vector: Array) -> Array:
        image = matrix @ vector
        return image / jnp.linalg.norm(image)

    vector = lax.fori_loop(0, 30, multiply, start.astype(matrix.dtype))
    return 1.05 * (vector @ (matrix @ vector))


@jax.jit
def _squared_error(
    part: RegressionMoments,
    rest: RegressionMoments,
    coefficient: Float[Array, "features penalties traits"],
) -> Float[Array, "penalties traits"]:
    """Return the sum of squared errors on `part` of fits to `rest`, intercepts included."""
    fitted = jnp.einsum("fpt,fg,gpt->pt", coefficient, part.gram, coefficient)
    product = jnp.einsum("fpt,ft->pt", coefficient, part.moments)
    offset = (part.trait_mean - rest.trait_mean)[None, :] - jnp.einsum(
        "f,fpt->pt", part.feature_mean - rest.feature_mean, coefficient
    )
    centred = part.sum_squares[None, :] - 2 * product + fitted
    return centred + part.num_individuals * offset**2
