"""Ordinary least squares with standard errors, and its shrunken form, genomic BLUP."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.scipy.linalg
from jaxtyping import Array, Float

from escapement_jax.elm.anchors.moments import RegressionMoments

LOG_RATIOS = (-16.0, 8.0)
NUM_RATIOS = 481


class LinearFit(eqx.Module):
    """Coefficients of centred features, their standard errors, and the noise variance."""

    coefficient: Float[Array, "features traits"]
    stderr: Float[Array, "features traits"]
    noise_variance: Float[Array, " traits"]


def least_squares(moments: RegressionMoments) -> LinearFit:
    """Regress traits on all features at once: b = C^-1 c, Var(b) = C^-1 s^2.

    C = F'F, c = F'y about the means and s^2 = (y'y - b'c) / (n - p - 1). On loci the coefficients
    are average effects of substitution; with all pairs they are unbiased, also under LD.

    Args:
        moments: sums of squares and products of features and traits.

    Raises:
        ValueError: there are not more individuals than features, or features are linearly
            dependent (a duplicated locus, or loci in complete disequilibrium).
    """
    num_features = moments.gram.shape[0]
    degrees = float(moments.num_individuals) - num_features - 1
    if degrees < 1:
        raise ValueError(
            f"least squares on {num_features} features needs more than {num_features + 1} "
            f"individuals, seen {float(moments.num_individuals):.0f}; use the spike-and-slab "
            "regression, or fewer loci"
        )
    inverse_factor, scale, least_pivot = _inverse_factor(moments.gram)
    # Below this, a pivot of the correlation matrix is nothing but rounding.
    if not float(least_pivot) > 50 * float(jnp.finfo(moments.gram.dtype).eps):
        raise ValueError(
            "some loci or pairs are linear combinations of others (duplicated loci, or loci in "
            "complete disequilibrium); prune tags first"
        )
    standardised = moments.moments / scale[:, None]
    coefficient = inverse_factor.T @ (inverse_factor @ standardised) / scale[:, None]
    residual = _residual_squares(moments, coefficient)
    noise = residual / degrees
    diagonal = jnp.sum(inverse_factor**2, axis=0) / scale**2
    return LinearFit(coefficient, jnp.sqrt(jnp.outer(diagonal, noise)), noise)


@jax.jit
def _inverse_factor(
    gram: Float[Array, "features features"],
) -> tuple[Float[Array, "features features"], Float[Array, " features"], Float[Array, ""]]:
    """Return L^-1 of the correlation matrix R = L L', the scales, and the least pivot of L."""
    scale = jnp.sqrt(jnp.diagonal(gram))
    factor = jnp.linalg.cholesky(gram / jnp.outer(scale, scale))
    identity = jnp.eye(scale.size, dtype=gram.dtype)
    inverse = jax.scipy.linalg.solve_triangular(factor, identity, lower=True)
    return inverse, scale, jnp.min(jnp.diagonal(factor)) ** 2


def _residual_squares(
    moments: RegressionMoments, coefficient: Float[Array, "features traits"]
) -> Float[Array, " traits"]:
    """Return y'y - 2 b'c + b'C b, which stays positive where y'y - b'c would not."""
    fitted = jnp.sum(coefficient * (moments.gram @ coefficient - 2 * moments.moments), axis=0)
    return moments.sum_squares + fitted


@jax.jit
def blup(moments: RegressionMoments) -> LinearFit:
    """Shrink all effects alike, by the variance of highest restricted likelihood.

    b ~ N(0, r s^2), e ~ N(0, s^2). In the eigenbasis of the gram matrix, with eigenvalues d_k, the
    likelihood profiled over s^2 is a sum over features, so a fine grid of log(n r) is cheap and
    cannot stop at a local optimum. The standard errors are posterior standard deviations. On loci
    alone this is genomic BLUP written as marker effects (Henderson 1975, VanRaden 2008).

    Args:
        moments: sums of squares and products of features and traits.
    """
    degrees = moments.num_individuals - 1
    eigenvalues, basis = jnp.linalg.eigh(moments.gram)
    eigenvalues = jnp.maximum(eigenvalues, 0)
    rotated = basis.T @ moments.moments
    grid = jnp.linspace(*LOG_RATIOS, NUM_RATIOS, dtype=eigenvalues.dtype)
    penalties = moments.num_individuals * jnp.exp(-grid)

    def noise(penalty: Float[Array, ""]) -> Float[Array, " traits"]:
        explained = jnp.sum(rotated**2 / (eigenvalues + penalty)[:, None], axis=0)
        return (moments.sum_squares - explained) / degrees

    def log_likelihood(penalty: Float[Array, ""]) -> Float[Array, " traits"]:
        determinant = jnp.sum(jnp.log1p(eigenvalues / penalty))
        return -0.5 * (degrees * jnp.log(noise(penalty)) + determinant)

    best = penalties[jnp.argmax(jax.vmap(log_likelihood)(penalties), axis=0)]
    shrunken = eigenvalues[:, None] + best[None, :]
    variance = jnp.diagonal(jax.vmap(noise)(best))
    spread = (basis**2 @ (1 / shrunken)) * variance[None, :]
    return LinearFit(basis @ (rotated / shrunken), jnp.sqrt(spread), variance)
