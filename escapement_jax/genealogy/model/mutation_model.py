"""Two-state symmetric mutation: parameters and the law along one branch.

A branch of length `d` changes the allele with probability `(1 - exp(-2 mu d)) / 2`. The allele at
the root is derived with a small prior probability (soft polarisation: the ancestral allele on
record may be wrong, and a derived allele may be fixed in a subsample). A leaf shows the wrong
allele with the genotype-error rate; a missing genotype is integrated out.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int8


class MutationModel(eqx.Module):
    """Root prior and genotype error of the two-state model.

    Attributes:
        root_prior: probability that the root carries the ancestral, the derived allele.
        genotype_error: probability that a called allele is the other one.
    """

    root_prior: Float[Array, " 2"]
    genotype_error: Float[Array, ""]


def mutation_model(ancestral_misassignment: float, genotype_error: float = 0.0) -> MutationModel:
    """Build the mutation model from two probabilities.

    Args:
        ancestral_misassignment: prior probability that the root carries the derived allele.
        genotype_error: probability that a called allele is wrong.

    Raises:
        ValueError: a probability is outside its range.
    """
    if not 0 < ancestral_misassignment < 1:
        raise ValueError(
            f"ancestral_misassignment must lie strictly between 0 and 1, got "
            f"{ancestral_misassignment}; use a small value such as 0.02 for a trusted annotation"
        )
    if not 0 <= genotype_error < 0.5:
        raise ValueError(
            f"genotype_error must lie in [0, 0.5), got {genotype_error}; 0 trusts every call"
        )
    prior = jnp.asarray([1 - ancestral_misassignment, ancestral_misassignment], dtype=float)
    return MutationModel(prior, jnp.asarray(genotype_error, dtype=float))


def change_probability(scaled_length: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Probability that a branch changes the allele, `(1 - exp(-2 mu d)) / 2`, from `mu d`."""
    return -0.5 * jnp.expm1(-2 * scaled_length)


def along_branch(
    message: Float[Array, " alleles *shape"], scaled_length: Float[Array, "*shape"]
) -> Float[Array, " alleles *shape"]:
    """Carry a message over a branch, `m'[a] = sum_b P(a -> b) m[b]`, of length `mu d`."""
    change = change_probability(scaled_length)[None]
    return (1 - change) * message + change * message[::-1]


def leaf_likelihood(
    alleles: Int8[Array, "*shape"], genotype_error: Float[Array, ""]
) -> Float[Array, " alleles *shape"]:
    """Probability of each genotype given the true allele; (1, 1) where it is missing (-1)."""
    right, wrong = 1 - genotype_error, genotype_error
    derived = jnp.where(alleles == 1, right, wrong)
    ancestral = jnp.where(alleles == 0, right, wrong)
    seen = jnp.stack([ancestral, derived])
    return jnp.where((alleles < 0)[None], jnp.ones_like(seen), seen)
