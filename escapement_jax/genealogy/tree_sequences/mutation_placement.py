"""Mutations of observed sites on the local trees of a tree sequence, by parsimony."""

import numpy as np
import tskit

from escapement_jax.genealogy.genome.genotypes import Genotypes


def add_mutations(
    tree_sequence: tskit.TreeSequence, genotypes: Genotypes, generator: np.random.Generator
) -> tskit.TreeSequence:
    """Add sites and the fewest mutations that explain their genotypes.

    The ancestral state is given, so that repeated and back mutations appear where the tree asks
    for them; missing genotypes fit anything (Hartigan parsimony, ``tskit.Tree.map_mutations``).
    A mutation's time is uniform on its branch: from the coalescent or sample node below it to the
    next node with several children. It belongs to the highest node of that branch that is no older.
    A mutation above the local root has no such bound, and leaves all times of its site unknown.

    Args:
        tree_sequence: Genealogies of the haplotypes, without sites.
        genotypes: Haplotypes in the order of the samples.
        generator: Source of randomness for mutation times.

    Returns:
        The tree sequence with sites and mutations.
    """
    tables = tree_sequence.dump_tables()
    tree = tskit.Tree(tree_sequence)
    for site, position in enumerate(genotypes.positions):
        alleles = (genotypes.ancestral_alleles[site], genotypes.derived_alleles[site])
        site_id = tables.sites.add_row(float(position), alleles[0])
        observed = genotypes.haplotypes[site]
        if not (observed == 1).any():
            continue
        tree.seek(float(position))
        _, mutations = tree.map_mutations(observed, alleles, ancestral_state=alleles[0])
        for node, time, mutation in _dated(tree, mutations, generator):
            tables.mutations.add_row(site_id, node, mutation.derived_state, time=time)
    tables.sort()
    tables.build_index()
    tables.compute_mutation_parents()
    return tables.tree_sequence()


def _dated(
    tree: tskit.Tree, mutations: list, generator: np.random.Generator
) -> list[tuple[int, float, tskit.Mutation]]:
    branches = [_branch(tree, mutation.node) for mutation in mutations]
    if any(tree.parent(branch[-1]) == tskit.NULL for branch in branches):
        return [
            (branch[0], tskit.UNKNOWN_TIME, mutation)
            for branch, mutation in zip(branches, mutations, strict=True)
        ]
    dated = []
    for branch, mutation in zip(branches, mutations, strict=True):
        time = generator.uniform(tree.time(branch[0]), tree.time(tree.parent(branch[-1])))
        node = next(node for node in reversed(branch) if tree.time(node) <= time)
        dated.append((node, time, mutation))
    return dated


def _branch(tree: tskit.Tree, node: int) -> list[int]:
    """Return the nodes with one child around a node, above the coalescent or sample node below."""
    while tree.num_children(node) == 1:
        node = tree.left_child(node)
    branch = [node]
    while tree.parent(branch[-1]) != tskit.NULL and tree.num_children(tree.parent(branch[-1])) == 1:
        branch.append(tree.parent(branch[-1]))
    return branch
