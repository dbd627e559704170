"""On which branches of the local trees the alleles of sites changed."""

import numpy as np

from escapement_jax.genealogy.dating.tree_history import NO_ITEM


def sample_mutated_branches(
    parents: np.ndarray,
    times: np.ndarray,
    genotypes: np.ndarray,
    mutation_rate: np.ndarray,
    *,
    ancestral_misassignment: float,
    genotype_error: float,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the alleles of all ancestors given the genotypes; return the branches that changed.

    The two-state law of ``mutation_model``: an allele differs at the ends of a branch of ``d``
    generations with probability ``(1 - exp(-2 μ d)) / 2``. Alleles are drawn exactly, from the
    root down, after summing out what is below (Felsenstein 1981).

    Args:
        parents: Item above each item of each site's tree, int [sites, 2n - 1]; see ``TreeHistory``.
        times: Time of each item, generations [sites, 2n - 1].
        genotypes: 0 ancestral, 1 derived, -1 missing, int8 [sites, n].
        mutation_rate: Mutations per generation at each site.
        ancestral_misassignment: Prior probability that the root is derived.
        genotype_error: Probability that a called allele is wrong.
        generator: Source of randomness.

    Returns:
        Site and lower item of every branch that changed, two int arrays.
    """
    num_samples = genotypes.shape[1]
    order = num_samples + np.argsort(times[:, num_samples:], axis=1)
    samples = np.broadcast_to(np.arange(num_samples), genotypes.shape)
    items = np.concatenate([samples, order], axis=1).T
    change = _change_probability(parents, times, mutation_rate)
    ancestral, derived = np.ones(parents.shape), np.ones(parents.shape)
    ancestral[:, :num_samples] = _leaf_likelihood(genotypes, 0, genotype_error)
    derived[:, :num_samples] = _leaf_likelihood(genotypes, 1, genotype_error)
    rows = np.arange(len(parents))
    for item in items[:-1]:
        below, above = (rows, item), (rows, parents[rows, item])
        change_here, here = change[below], (ancestral[below], derived[below])
        ancestral[above] *= (1 - change_here) * here[0] + change_here * here[1]
        derived[above] *= (1 - change_here) * here[1] + change_here * here[0]
    partial = (ancestral, derived)
    is_derived = _alleles(parents, partial, change, items, ancestral_misassignment, generator)
    above = np.take_along_axis(is_derived, np.maximum(parents, 0), axis=1)
    sites, changed = np.nonzero((is_derived != above) & (parents != NO_ITEM))
    return sites, changed


def _change_probability(parents: np.ndarray, times: np.ndarray, rate: np.ndarray) -> np.ndarray:
    above = np.take_along_axis(times, np.maximum(parents, 0), axis=1)
    return -0.5 * np.expm1(-2 * rate[:, None] * np.where(parents == NO_ITEM, 0.0, above - times))


def _leaf_likelihood(genotypes: np.ndarray, allele: int, error: float) -> np.ndarray:
    return np.where(genotypes == -1, 1.0, np.where(genotypes == allele, 1 - error, error))


def _alleles(
    parents: np.ndarray,
    partial: tuple[np.ndarray, np.ndarray],
    change: np.ndarray,
    items: np.ndarray,
    misassignment: float,
    generator: np.random.Generator,
) -> np.ndarray:
    """Draw whether every item is derived, the root first, given the data below it."""
    rows = np.arange(len(parents))
    derived = np.zeros(parents.shape, bool)
    uniforms = generator.random(parents.shape)
    for item in items[::-1]:
        parent, here = parents[rows, item], (rows, item)
        prior = np.where(derived[rows, parent], 1 - change[here], change[here])
        prior = np.where(parent == NO_ITEM, misassignment, prior)
        ancestral, alternative = (1 - prior) * partial[0][here], prior * partial[1][here]
        derived[here] = uniforms[here] * (ancestral + alternative) < alternative
    return derived
