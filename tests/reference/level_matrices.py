"""Level matrices read slowly: partitions as Python sets, haplotypes that may be absent."""

import numpy as np

from escapement_jax.genealogy.model.local_trees import ABSENT
from tests.reference.random_graphs import random_tree


def partial_tree(
    generator: np.random.Generator, size: int, num_present: int, num_levels: int
) -> tuple[np.ndarray, np.ndarray]:
    """A random tree of some of the haplotypes: its level matrix and who is present."""
    members = np.sort(generator.choice(size, num_present, replace=False))
    tree = np.full((size, size), ABSENT, np.int8)
    tree[np.ix_(members, members)] = random_tree(generator, num_present, num_levels)
    return tree, np.isin(np.arange(size), members)


def block(tree: np.ndarray, member: int, level: int) -> frozenset[int]:
    """The haplotypes that share a lineage with `member` on leaving the level."""
    return frozenset(np.flatnonzero(tree[member] <= level).tolist())


def lineages(tree: np.ndarray, present: np.ndarray, level: int) -> set[frozenset[int]]:
    """The lineages that leave a level; before level 0, at -1, every haplotype is one."""
    return {block(tree, member, level) for member in np.flatnonzero(present)}


def root_level(tree: np.ndarray, present: np.ndarray) -> int:
    """The first level that a single lineage leaves, -1 if there was only one to begin with."""
    return next(level for level in range(-1, ABSENT) if len(lineages(tree, present, level)) == 1)
