"""Epistasis as published: sensitivities averaged within the four genotypes of a pair."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

SIGNS = (1, 1, -1, -1)


@jax.jit
def four_genotype_means(
    jacobians: Float[Array, "individuals traits loci"],
    genotypes: Float[Array, "individuals loci"],
) -> Float[Array, "genotypes=4 traits loci loci"]:
    """Return `E[s_i | x_i = a, x_j = b]` for all pairs as matrix products.

    The first axis is (a, b) = (+, +), (-, +), (+, -), (-, -); the last two are `i` and `j`. A
    genotype that nobody has is NaN.

    Args:
        jacobians: sensitivities `s`.
        genotypes: haploid alleles; positive is `+`.
    """
    plus = (genotypes > 0).astype(jacobians.dtype)
    minus = 1 - plus

    def mean(
        own: Float[Array, "individuals loci"], other: Float[Array, "individuals loci"]
    ) -> Float[Array, "traits loci loci"]:
        totals = jnp.einsum("nti,nj->tij", jacobians * own[:, None], other)
        return totals / (own.T @ other)[None]

    cells = ((plus, plus), (minus, plus), (plus, minus), (minus, minus))
    return jnp.stack([mean(own, other) for own, other in cells])


@jax.jit
def four_genotype_contrast(
    jacobians: Float[Array, "individuals traits loci"],
    genotypes: Float[Array, "individuals loci"],
) -> Float[Array, "traits loci loci"]:
    """Return the published estimate of `b_ij`, symmetric with zeros on the diagonal.

        (E[s_i | ++] + E[s_i | -+] - E[s_i | +-] - E[s_i | --]) / 4,  averaged over i <-> j

    It is right only under linkage equilibrium: a locus `k` correlated with `j` is credited to
    `j`. `joint_regression` has no such fault.

    Args:
        jacobians: sensitivities `s`.
        genotypes: haploid alleles; positive is `+`.
    """
    means = four_genotype_means(jacobians, genotypes)
    signs = jnp.asarray(SIGNS, means.dtype)
    contrast = jnp.einsum("g,gtij->tij", signs, means) / 4
    symmetric = (contrast + jnp.swapaxes(contrast, 1, 2)) / 2
    # On the diagonal two of the four genotypes do not exist.
    return jnp.where(jnp.eye(genotypes.shape[1], dtype=bool)[None], 0.0, symmetric)
