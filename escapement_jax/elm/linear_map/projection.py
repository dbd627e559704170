"""The additive and pairwise part of any function of genotypes, by least squares."""

import equinox as eqx
import jax
from jaxtyping import Array, Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.elm.linear_map.joint_moments import joint_sums


class Projection(eqx.Module):
    """Least-squares coefficients on contrasts and on centred products of contrasts."""

    additive: Float[Array, "columns traits"]
    epistatic: Float[Array, "pairs traits"]


def project(
    outputs: Float[Array, "individuals traits"],
    contrasts: Float[Array, "individuals columns"],
    pairs: Int[Array, "pairs 2"],
) -> Projection:
    """Return the best additive-plus-pairwise approximation of a function over a population.

    With independent loci at frequency one half the coefficients are Walsh coefficients, the
    averages of discrete derivatives.

    Args:
        outputs: the function's values.
        contrasts: statistical contrasts of the genotypes; more individuals than features.
        pairs: pairs of columns that may interact.

    Raises:
        ValueError: there are fewer individuals than features.
    """
    individuals, columns = contrasts.shape
    if individuals <= columns + pairs.shape[0]:
        raise ValueError(
            f"{individuals} individuals cannot separate {columns} contrasts and "
            f"{pairs.shape[0]} pairs; give more individuals or fewer pairs"
        )
    sums = joint_sums(contrasts, outputs, pairs).centred()
    factor = jax.scipy.linalg.cho_factor(sums.gram)
    solved = jax.scipy.linalg.cho_solve(factor, sums.moments)
    return Projection(solved[:columns], solved[columns:])


def independent_loci(
    num_individuals: int, num_loci: int, num_drawn: int, *, key: PRNGKey
) -> Int[Array, "drawn loci"]:
    """Return, for each locus of each drawn individual, whose alleles it gets.

    Drawing every locus on its own keeps the allele frequencies and removes all linkage.

    Args:
        num_individuals: size of the population to draw from.
        num_loci: number of loci.
        num_drawn: how many individuals to draw.
        key: random key.
    """
    return jax.random.randint(key, (num_drawn, num_loci), 0, num_individuals)
