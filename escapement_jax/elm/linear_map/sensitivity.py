"""What the spread of sensitivities over a population says about effects.

For a phenotype `P = mu + sum_i b_i x_i + sum_{i<j} b_ij x_i x_j` the sensitivity of locus `i` in an
individual is `s_i = b_i + sum_j b_ij x_j`. Over a population with means `m` and covariances `C`

    E[s_i]   = b_i + sum_j b_ij m_j = alpha_i    the average effect of substitution, per unit of x
    Var[s_i] = sum_jk b_ij b_ik C_jk
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

PairMatrix = Float[Array, "traits loci loci"]


class Sensitivities(eqx.Module):
    """Moments of `df / dx_i` over individuals.

    The mean is the average effect of substitution `alpha_i`, not `b_i`: they agree only where
    the partners' means are zero (allele frequency one half). The classical effect per allele
    copy of a haploid coded -1, +1 is `2 alpha_i`.
    """

    mean: Float[Array, "traits loci"]
    variance: Float[Array, "traits loci"]


def sensitivities(jacobians: Float[Array, "individuals traits loci"]) -> Sensitivities:
    """Return mean and unbiased variance of the sensitivities over individuals.

    Args:
        jacobians: see `jacobian.jacobians`.
    """
    return Sensitivities(jnp.mean(jacobians, axis=0), jnp.var(jacobians, axis=0, ddof=1))


def reference_effects(
    average_effects: Float[Array, "traits loci"],
    interactions: PairMatrix,
    means: Float[Array, " loci"],
) -> Float[Array, "traits loci"]:
    """Return `b_i = alpha_i - sum_j b_ij m_j`, the effects where every partner is at zero.

    Args:
        average_effects: `alpha_i`, per unit of `x`.
        interactions: symmetric `b_ij`, zero on the diagonal.
        means: population means `m_j` of the coded genotypes.
    """
    return average_effects - interactions @ means


def expected_variances(
    interactions: PairMatrix, covariance: Float[Array, "loci loci"]
) -> Float[Array, "traits loci"]:
    """Return `Var[s_i] = sum_jk b_ij b_ik C_jk`, linkage disequilibrium included.

    Args:
        interactions: symmetric `b_ij`, zero on the diagonal.
        covariance: `C_jk` of the coded genotypes.
    """
    return jnp.einsum("tij,jk,tik->ti", interactions, covariance, interactions)
