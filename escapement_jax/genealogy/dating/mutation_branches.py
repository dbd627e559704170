"""On which branches of the local trees the alleles of sites changed.

A site is listed because it varies, so the true alleles of the samples are not all alike, however
the genotypes were called (see ``variable_sites``). To draw from the law given that, the alleles
below an item are told apart in three classes: all ancestral, all derived, and mixed.
"""

from dataclasses import dataclass

import numpy as np

from escapement_jax.genealogy.dating.tree_history import NO_ITEM

MIXED = 2
"""Class of an item with both alleles below it; 0 and 1 are the alleles that all share."""

_MIXED_PAIRS = tuple((x, y) for x in range(3) for y in range(3) if x != y or x == MIXED)


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
    """Draw all alleles given the genotypes and that the site varies; return what changed.

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
    trees = _SiteTrees.of(parents, times, mutation_rate)
    below = trees.below(_leaf_likelihoods(genotypes, genotype_error))
    derived = trees.sample_alleles(below, ancestral_misassignment, generator)
    above = np.take_along_axis(derived, np.maximum(parents, 0), axis=1)
    sites, changed = np.nonzero((derived != above) & (parents != NO_ITEM))
    return sites, changed


def _leaf_likelihoods(genotypes: np.ndarray, error: float) -> np.ndarray:
    """Likelihood of every class and true allele of the samples, [sites, n, 3, 2]."""
    leaves = np.zeros((*genotypes.shape, 3, 2))
    for allele in (0, 1):
        right = np.where(genotypes == allele, 1 - error, error)
        leaves[..., allele, allele] = np.where(genotypes == -1, 1.0, right)
    return leaves


@dataclass(frozen=True)
class _SiteTrees:
    """The local tree of every site.

    Attributes:
        order: Ancestors from the youngest to the oldest, int [n - 1, sites].
        children: Both items below every ancestor, int [sites, n - 1, 2].
        change: Probability that the allele of an item differs from its parent's [sites, 2n - 1].
    """

    order: np.ndarray
    children: np.ndarray
    change: np.ndarray

    @classmethod
    def of(cls, parents: np.ndarray, times: np.ndarray, rate: np.ndarray) -> "_SiteTrees":
        num_samples = (parents.shape[1] + 1) // 2
        # The root comes first, then the children of each ancestor in turn.
        by_parent = np.argsort(parents, axis=1, kind="stable")[:, 1:]
        above = np.take_along_axis(times, np.maximum(parents, 0), axis=1)
        length = np.where(parents == NO_ITEM, 0.0, above - times)
        return cls(
            order=num_samples + np.argsort(times[:, num_samples:], axis=1).T,
            children=by_parent.reshape(len(parents), num_samples - 1, 2),
            change=-0.5 * np.expm1(-2 * rate[:, None] * length),
        )

    @property
    def _num_samples(self) -> int:
        return self.children.shape[1] + 1

    def _children_of(self, item: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        both = self.children[np.arange(len(item)), item - self._num_samples]
        return both[:, 0], both[:, 1]

    def _across(self, below: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Likelihoods by the allele at the upper end of the branch, [sites, 3, 2]."""
        rows = np.arange(len(item))
        here, change = below[rows, item], self.change[rows, item][:, None, None]
        return (1 - change) * here + change * here[..., ::-1]

    def below(self, leaves: np.ndarray) -> np.ndarray:
        """Probability of all that is below every item, by class and allele, [sites, items, 3, 2].

        Every tree is scaled so that the largest entry of an ancestor is 1.
        """
        sites, num_samples = leaves.shape[:2]
        result = np.zeros((sites, 2 * num_samples - 1, 3, 2))
        result[:, :num_samples] = leaves
        rows = np.arange(sites)
        for item in self.order:
            left, right = (self._across(result, child) for child in self._children_of(item))
            alike = left[:, :MIXED] * right[:, :MIXED]
            pairs = np.stack([left[:, x] * right[:, y] for x, y in _MIXED_PAIRS], axis=1)
            here = np.concatenate([alike, pairs.sum(axis=1, keepdims=True)], axis=1)
            result[rows, item] = here / here.max(axis=(1, 2), keepdims=True)
        return result

    def sample_alleles(
        self, below: np.ndarray, misassignment: float, generator: np.random.Generator
    ) -> np.ndarray:
        """Draw whether every item is derived, bool [sites, items], where the samples vary."""
        rows = np.arange(len(below))
        classes, derived = np.zeros((2, *below.shape[:2]), int)
        root = self.order[-1]
        prior = np.array([1 - misassignment, misassignment])
        classes[rows, root] = MIXED
        derived[rows, root] = _choose(prior * below[rows, root, MIXED], generator)
        for item in self.order[::-1]:
            allele, children = derived[rows, item], self._children_of(item)
            left, right = (self._across(below, child)[rows, :, allele] for child in children)
            pairs = np.stack([left[:, x] * right[:, y] for x, y in _MIXED_PAIRS], axis=1)
            drawn = np.array(_MIXED_PAIRS)[_choose(pairs, generator)]
            own = classes[rows, item][:, None]
            drawn = np.where(own == MIXED, drawn, own)
            for child, its_class in zip(children, drawn.T, strict=True):
                classes[rows, child] = its_class
                differs = np.arange(2) != allele[:, None]
                change = self.change[rows, child][:, None]
                transition = np.where(differs, change, 1 - change)
                weights = transition * below[rows, child, its_class]
                derived[rows, child] = _choose(weights, generator)
        return derived.astype(bool)


def _choose(weights: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Draw one column of every row, with probability in proportion to its weight."""
    cumulative = np.cumsum(weights, axis=1)
    above_zero = 1 - generator.random((len(weights), 1))
    return (above_zero * cumulative[:, -1:] > cumulative).sum(axis=1)
