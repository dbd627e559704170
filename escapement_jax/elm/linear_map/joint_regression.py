"""Epistasis by regression of every sensitivity on all loci at once."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.jit
def interactions_by_regression(
    jacobians: Float[Array, "individuals traits loci"],
    genotypes: Float[Array, "individuals loci"],
) -> Float[Array, "traits loci loci"]:
    """Return `b_ij` from `Gamma_i = (X'X)^-1 X' s_i`, with `X` and `s_i` centred.

    For a phenotype with pairwise epistasis `s_i = b_i + sum_j b_ij x_j`, so the regression is
    exact, whatever the allele frequencies and linkage disequilibrium. The two estimates
    `Gamma_ij` and `Gamma_ji` are averaged; the diagonal is zero.

    Args:
        jacobians: sensitivities `s`.
        genotypes: coded alleles; at least one individual more than loci.

    Raises:
        ValueError: there are too few individuals.
    """
    individuals, loci = genotypes.shape
    if individuals <= loci:
        raise ValueError(
            f"{individuals} individuals cannot separate {loci} loci; give at least {loci + 1}"
        )
    centred = genotypes - jnp.mean(genotypes, axis=0, keepdims=True)
    deviations = jacobians - jnp.mean(jacobians, axis=0, keepdims=True)
    moments = jnp.einsum("nj,nti->jti", centred, deviations)
    factor = jax.scipy.linalg.cho_factor(centred.T @ centred)
    solved = jax.scipy.linalg.cho_solve(factor, moments.reshape(loci, -1))
    gamma = jnp.moveaxis(solved.reshape(moments.shape), 0, 2)
    symmetric = (gamma + jnp.swapaxes(gamma, 1, 2)) / 2
    return jnp.where(jnp.eye(loci, dtype=bool)[None], 0.0, symmetric)
