"""Pruned trees made slowly: a haplotype beside a tree, and a lineage taken out of one."""

import jax
import jax.numpy as jnp
import numpy as np

from escapement_jax.genealogy.model.local_trees import ABSENT, graft
from escapement_jax.genealogy.model.pruned_tree import PrunedTree
from tests.reference.level_matrices import block

Parts = tuple[np.ndarray, np.ndarray, np.ndarray]


def haplotype_beside(tree: np.ndarray, present: np.ndarray, haplotype: int) -> PrunedTree:
    """A haplotype that is not in the tree, beside it."""
    alone = np.arange(len(tree)) == haplotype
    forest = np.where(alone[:, None] & alone[None, :], np.int8(-1), tree)
    return _pruned(forest, alone, present | alone, 0)


def lineage_pruned(tree: np.ndarray, present: np.ndarray, haplotype: int, floor: int) -> PrunedTree:
    """A tree without the lineage that carries a haplotype into the level `floor`."""
    clade = np.isin(np.arange(len(tree)), list(block(tree, haplotype, floor - 1)))
    apart = clade[:, None] != clade[None, :]
    return _pruned(np.where(apart, np.int8(ABSENT), tree), clade, present, floor)


def _pruned(forest: np.ndarray, clade: np.ndarray, present: np.ndarray, floor: int) -> PrunedTree:
    return PrunedTree(*map(jnp.asarray, (forest, clade, present)), jnp.int32(floor))


def parts(pruned: PrunedTree) -> Parts:
    """Forest, clade and trunk."""
    return np.asarray(pruned.forest), np.asarray(pruned.clade), np.asarray(pruned.trunk)


_over_levels = jax.vmap(graft, in_axes=(None, None, None, None, 0))
_over_branches = jax.jit(jax.vmap(_over_levels, in_axes=(None, None, None, 0, None)))


def graft_everywhere(pruned: PrunedTree, num_levels: int) -> np.ndarray:
    """The whole tree with the clade at every (haplotype below the branch, level)."""
    branches = jnp.arange(pruned.forest.shape[0], dtype=jnp.int32)
    levels = jnp.arange(num_levels, dtype=jnp.int32)
    grown = _over_branches(pruned.forest, pruned.clade, pruned.trunk, branches, levels)
    return np.asarray(grown)
