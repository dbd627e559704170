"""Genotype errors at sites that truly vary.

Sites are listed because they vary. If errors could make a variant of any base, a recent tree with
an error at every singleton would explain the data better than any mutation, at an error rate of
one in a thousand already. So the errors are confined to bases that truly vary among all the
haplotypes: with `L` the probability of the genotypes, errors included, and `C_a` that all true
alleles are `a`,

    p(genotypes, variable | T) = L - sum_a C_a prod_j P(genotype_j | a).

While the graph is being built the missing haplotypes may still make the base vary, with
probability `kappa_i`, about the mutation rate times the branch length that is still to come; then
the second term counts `1 - kappa_i`. On the complete graph `kappa = 0`, and the weights of
threading are those of the exact target whatever the stepping stones.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Int8

from escapement_jax.array_types import HaplotypeMask, LevelMatrix, Levels, LineageMessage
from escapement_jax.genealogy.model.merge_order import merge_order
from escapement_jax.genealogy.model.mutation_model import MutationModel, leaf_likelihood
from escapement_jax.genealogy.model.pruned_tree import PrunedTree
from escapement_jax.genealogy.model.pruning import attach_clade, leaf_log_likelihood

_TRUE_ALLELES = (0, 1)


def hidden_variation(
    mutation_rate: Float[Array, ""],
    unseen_length: Float[Array, " counts"],
    num_present: Int[Array, "*shape"],
) -> Float[Array, "*shape"]:
    """Probability `kappa` that haplotypes still to come make a base vary, `mu E[L_n - L_i]`.

    Args:
        mutation_rate: per generation at the site.
        unseen_length: expected branch length still to come, by number of haplotypes, generations.
        num_present: haplotypes in the graph.
    """
    return jnp.clip(mutation_rate * unseen_length[num_present], 0.0, 1.0)


def variable_site_attachment(
    pruned: PrunedTree,
    alleles: Int8[Array, " haplotypes"],
    scaled_times: Levels,
    model: MutationModel,
    kappa: tuple[Float[Array, ""], Float[Array, ""]],
) -> LineageMessage:
    """Ratio of `p(genotypes, variable)` with and without a clade at each position of a tree.

    Args:
        pruned: the tree and the clade.
        alleles: genotypes at the site (0, 1, or -1 for missing).
        scaled_times: mutation rate at the site times the representative time of each level.
        model: root prior and genotype error, which must be positive.
        kappa: probability that haplotypes to come make the base vary, without and with the clade.

    Returns:
        Ratio for every (haplotype below the branch, level), up to a constant if the clade has more
        than one haplotype; 0 for haplotypes not in the tree.
    """
    order = merge_order(pruned.forest, scaled_times.shape[0])
    leaves = leaf_likelihood(alleles, model.genotype_error)
    seen = attach_clade(order, pruned, leaves, scaled_times, model.root_prior)
    before, after = kappa
    joined, alone = seen.ratio, jnp.ones_like(before)
    for allele in _TRUE_ALLELES:
        constant = _all_true(leaves, allele)
        same = attach_clade(order, pruned, constant, scaled_times, model.root_prior)
        of_tree = same.log_tree - seen.log_tree + _log_errors(leaves, pruned.trunk, allele)
        of_clade = same.log_clade - seen.log_clade + _log_errors(leaves, pruned.clade, allele)
        share = jnp.minimum(of_tree, 0.0)
        joined = joined - (1 - after) * jnp.exp(share + of_clade) * same.ratio
        alone = alone - (1 - before) * jnp.exp(share)
    # The first haplotype alone is given: it has no likelihood of its own to divide by.
    alone = jnp.where(pruned.trunk.sum() > 1, alone, 1.0)
    return jnp.maximum(joined, 0.0) / jnp.maximum(alone, jnp.finfo(alone.dtype).tiny)


def variable_site_log_likelihood(
    tree: LevelMatrix,
    present: HaplotypeMask,
    alleles: Int8[Array, " haplotypes"],
    scaled_times: Levels,
    model: MutationModel,
    kappa: Float[Array, ""],
) -> Float[Array, ""]:
    """Log of `p(genotypes, variable | T) = L - (1 - kappa) sum_a C_a prod_j P(genotype_j | a)`.

    Args:
        tree: level matrix of the tree.
        present: haplotypes in the tree.
        alleles: genotypes at the site (0, 1, or -1 for missing).
        scaled_times: mutation rate at the site times the representative time of each level.
        model: root prior and genotype error.
        kappa: probability that haplotypes to come make the base vary; 0 on the complete graph.
    """
    order = merge_order(tree, scaled_times.shape[0])
    leaves = leaf_likelihood(alleles, model.genotype_error)

    def log_probability(leaves: Float[Array, " alleles haplotypes"]) -> Float[Array, ""]:
        return leaf_log_likelihood(order, present, leaves, scaled_times, model.root_prior)

    log_likelihood = log_probability(leaves)
    constants = [
        log_probability(_all_true(leaves, allele)) + _log_errors(leaves, present, allele)
        for allele in _TRUE_ALLELES
    ]
    shares = jnp.exp(jnp.minimum(jnp.stack(constants) - log_likelihood, 0.0))
    return log_likelihood + jnp.log1p(-(1 - kappa) * shares.sum())


def _all_true(
    leaves: Float[Array, " alleles haplotypes"], allele: int
) -> Float[Array, " alleles haplotypes"]:
    return jnp.zeros_like(leaves).at[allele].set(1.0)


def _log_errors(
    leaves: Float[Array, " alleles haplotypes"], present: HaplotypeMask, allele: int
) -> Float[Array, ""]:
    return jnp.where(present, jnp.log(leaves[allele]), 0.0).sum()
