"""How well the topologies of inferred trees agree with the true ones."""

from collections.abc import Sequence

import numpy as np
import tskit

from benchmarks.accuracy.true_tmrca import evenly_spaced_positions

NUM_POSITIONS = 200
MAX_DRAWS = 10


def tree_metrics(
    truth: tskit.TreeSequence, draws: Sequence[tskit.TreeSequence]
) -> dict[str, float]:
    """Return the mean over at most ten evenly chosen draws of every metric of `compare_trees`."""
    chosen = np.unique(np.linspace(0, len(draws) - 1, MAX_DRAWS).astype(int))
    true = without_unary_nodes(truth)
    scores = [compare_trees(true, without_unary_nodes(draws[index])) for index in chosen]
    return {name: float(np.mean([score[name] for score in scores])) for name in scores[0]}


def compare_trees(truth: tskit.TreeSequence, draw: tskit.TreeSequence) -> dict[str, float]:
    """Compare two tree sequences on the same samples, both without unary nodes.

    `arf` is the share of the span of inferred nodes whose clade is wrong, `tpr` the share of the
    true span that is found (tscompare, Fritze et al. 2024); `breakpoint_ratio` is the number of
    inferred trees to that of true ones.
    """
    import tscompare

    # Nodes of equal span are matched by age, in log generations.
    matched = tscompare.haplotype_arf(draw, truth, transform=lambda times: np.log10(1 + times))
    return clade_metrics(truth, draw) | {
        "arf": float(matched.arf),
        "tpr": float(matched.tpr),
        "breakpoint_ratio": draw.num_trees / truth.num_trees,
    }


def clade_metrics(
    truth: tskit.TreeSequence, draw: tskit.TreeSequence, num_positions: int = NUM_POSITIONS
) -> dict[str, float]:
    """Return means over evenly spaced positions of what the clades of two local trees share.

    A clade is the samples below a node, neither one nor all of them. `rf` is the normalised
    Robinson-Foulds distance, the share of clades of either tree that the other lacks; `resolution`
    is the number of inferred clades over n - 2, that of a binary tree.
    """
    positions = evenly_spaced_positions(truth.sequence_length, num_positions)
    distances, resolutions = [], []
    for true, found in zip(clades_at(truth, positions), clades_at(draw, positions), strict=True):
        distances.append(len(true ^ found) / max(1, len(true) + len(found)))
        resolutions.append(len(found) / (truth.num_samples - 2))
    return {"rf": float(np.mean(distances)), "resolution": float(np.mean(resolutions))}


def clades_at(tree_sequence: tskit.TreeSequence, positions: np.ndarray) -> list[set[int]]:
    """Return the clades of the local tree at each position, as bit sets of sample numbers."""
    tree, index, clades, found = tskit.Tree(tree_sequence), -1, [], set()
    for position in positions:
        tree.seek(position)
        if tree.index != index:
            index, found = tree.index, _clades(tree)
        clades.append(found)
    return clades


def without_unary_nodes(tree_sequence: tskit.TreeSequence) -> tskit.TreeSequence:
    """Return the genealogy of the samples alone, so that every breakpoint changes a tree."""
    tables = tree_sequence.dump_tables()
    tables.mutations.clear()
    tables.sites.clear()
    tables.simplify(tree_sequence.samples(), record_provenance=False)
    return tables.tree_sequence()


def _clades(tree: tskit.Tree) -> set[int]:
    samples = tree.tree_sequence.samples()
    below = {int(node): 1 << number for number, node in enumerate(samples)}
    for node in map(int, tree.postorder()):
        for child in tree.children(node):
            below[node] = below.get(node, 0) | below[child]
    return {clade for clade in below.values() if 1 < clade.bit_count() < len(samples)}
