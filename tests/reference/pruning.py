"""Site likelihoods by plain pruning, on a tskit tree and on a level matrix."""

import numpy as np
import tskit


def leaf_message(allele: int, genotype_error: float) -> np.ndarray:
    """Probability of an observed allele given the true ancestral (0) or derived (1) state."""
    if allele < 0:
        return np.ones(2)
    error = genotype_error
    return np.array([1 - error, error]) if allele == 0 else np.array([error, 1 - error])


def along_branch(message: np.ndarray, mutation_rate: float, duration: float) -> np.ndarray:
    """Carry a message up a branch of the two-state symmetric model."""
    change = -np.expm1(-2 * mutation_rate * duration) / 2
    return (1 - change) * message + change * message[::-1]


def tree_log_likelihood(
    tree: tskit.Tree,
    alleles: np.ndarray,
    *,
    mutation_rate: float,
    genotype_error: float,
    derived_root: float,
) -> float:
    """Log-likelihood of one site on a tskit tree, recursing from its root."""

    def message(node: int) -> np.ndarray:
        if tree.is_sample(node):
            return leaf_message(alleles[node], genotype_error)
        product = np.ones(2)
        for child in tree.children(node):
            duration = tree.time(node) - tree.time(child)
            product = product * along_branch(message(child), mutation_rate, duration)
        return product

    return float(np.log(np.array([1 - derived_root, derived_root]) @ message(tree.root)))


def level_matrix_log_likelihood(
    levels: np.ndarray,
    times: np.ndarray,
    alleles: np.ndarray,
    *,
    mutation_rate: float,
    genotype_error: float,
    derived_root: float,
) -> float:
    """Log-likelihood of one site on a level matrix, merging blocks level by level to its root."""
    blocks = [([j], leaf_message(allele, genotype_error)) for j, allele in enumerate(alleles)]
    previous = 0.0
    for level in range(levels.max() + 1):
        duration = times[level] - previous
        previous = times[level]
        merged: list[tuple[list[int], np.ndarray]] = []
        for members, message in blocks:
            message = along_branch(message, mutation_rate, duration)
            for index, (others, product) in enumerate(merged):
                if levels[others[0], members[0]] <= level:
                    merged[index] = (others + members, product * message)
                    break
            else:
                merged.append((members, message))
        blocks = merged
    return float(np.log(np.array([1 - derived_root, derived_root]) @ blocks[0][1]))
