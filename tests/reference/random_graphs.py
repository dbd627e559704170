"""Random ancestral recombination graphs as level matrices, by the rules of a record."""

import numpy as np

from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.graph.graph_draw import GraphDraw


def random_tree(generator: np.random.Generator, num_haplotypes: int, num_levels: int) -> np.ndarray:
    """A random chain of nested partitions; everything has merged at the last level."""
    tree = np.full((num_haplotypes, num_haplotypes), -1, np.int8)
    blocks = [[haplotype] for haplotype in range(num_haplotypes)]
    for level in range(num_levels):
        if level == num_levels - 1:
            labels = np.zeros(len(blocks), int)
        else:
            labels = generator.integers(0, len(blocks) + 1, len(blocks))
        merged: list[list[int]] = []
        for label in np.unique(labels):
            joining = [blocks[i] for i in np.flatnonzero(labels == label)]
            for a, first in enumerate(joining):
                for second in joining[a + 1 :]:
                    tree[np.ix_(first, second)] = tree[np.ix_(second, first)] = level
            merged.append(sum(joining, []))
        blocks = merged
    return tree


def random_record(
    generator: np.random.Generator, tree: np.ndarray, num_levels: int
) -> tuple[np.ndarray, int, int]:
    """The next tree, the moved haplotype and the cut level: any branch, anywhere above."""
    moved = int(generator.integers(len(tree)))
    cut = int(generator.integers(tree.max() + 1))
    below = tree[moved] < cut
    below[moved] = True
    partner = int(generator.choice(np.flatnonzero(~below)))
    level = int(generator.integers(cut, num_levels))
    distance = np.where(below, 0, np.maximum(tree[partner], level)).astype(np.int8)
    after = tree.copy()
    after[below] = np.where(below[None, :], tree[below], distance[None, :])
    after[:, below] = after[below].T
    return after, moved, cut


def random_draw(
    generator: np.random.Generator,
    num_haplotypes: int,
    num_levels: int,
    num_segments: int,
    num_bins: int,
) -> GraphDraw:
    """A random first tree followed by random records, silent ones among them."""
    trees = [random_tree(generator, num_haplotypes, num_levels)]
    moved, cut_level = [-1], [0]
    for _ in range(num_segments - 1):
        tree, haplotype, cut = random_record(generator, trees[-1], num_levels)
        trees.append(tree)
        moved.append(haplotype)
        cut_level.append(cut)
    starts = generator.choice(np.arange(1, num_bins), num_segments - 1, replace=False)
    return GraphDraw(
        trees=np.array(trees),
        first_bin=np.concatenate([[0], np.sort(starts)]).astype(np.int32),
        moved=np.array(moved, np.int32),
        cut_level=np.array(cut_level, np.int32),
    )


def random_genotypes(
    generator: np.random.Generator, num_haplotypes: int, num_sites: int, start: int, end: int
) -> Genotypes:
    """Genotypes that know nothing of any tree, one in ten missing, every site segregating."""
    haplotypes = generator.integers(0, 2, (num_sites, num_haplotypes)).astype(np.int8)
    haplotypes[generator.random(haplotypes.shape) < 0.1] = -1
    haplotypes[:, 0], haplotypes[:, 1] = 0, 1
    positions = np.sort(generator.choice(np.arange(start, end), num_sites, replace=False))
    return Genotypes.from_arrays(haplotypes, positions, start=start, end=end)
