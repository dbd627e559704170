"""Density of a full ancestral recombination graph in continuous time, Hudson's and SMC'."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import tskit

from escapement_jax.genealogy.dating.coalescent_clock import CoalescentClock
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.graph.graph_nodes import RECOMBINATION_NODE

GraphLaw = Literal["hudson", "smc"]


@dataclass(frozen=True)
class _Lineages:
    """The lineages above nodes: up to a coalescence, or to a recombination that parts them.

    Attributes:
        node: Node at the lower end.
        start: Time of that node, generations.
        end: Time of the event that ends the lineage.
        extent: From the first to the last base of its material, base pairs.
        material: Bases of its material.
    """

    node: np.ndarray
    start: np.ndarray
    end: np.ndarray
    extent: np.ndarray
    material: np.ndarray


def full_graph_log_density(
    tree_sequence: tskit.TreeSequence,
    recombination_rate: float,
    population_size: PiecewiseConstant,
    *,
    law: GraphLaw = "hudson",
) -> float:
    """Log density of all events of a graph, with recombination nodes and in continuous time.

    With ``Λ(t) = ∫ ds / (2 N_e)``, coalescences v, recombinations r and lineages l from ``t_l`` to
    ``T_l``,

        log p = Σ_v log Λ'(t_v) + Σ_r log(ρ g_r) - Σ_{l<m} |Λ(l ∩ m)| - ρ Σ_l s_l (T_l - t_l)

    where ``|Λ(l ∩ m)|`` is the coalescent time that two lineages spend side by side. Hudson's
    coalescent counts every pair of lineages; ``s_l`` is the distance between the ends of a
    lineage's material, and ``g_r`` the width of the gap that a recombination falls into, or 1. SMC'
    counts the pairs whose material overlaps or touches; ``s_l`` is the material itself, and
    ``g_r = 1``. The two laws agree on graphs of one recombination.

    Args:
        tree_sequence: The graph: two nodes flagged ``1 << 17`` for each recombination, coalescences
            of two, all of them, those without effect on the trees included (Hudson).
        recombination_rate: Recombinations per base pair per generation.
        population_size: Diploid ``N_e(t)``.
        law: "hudson" or "smc".

    Returns:
        The log density; recombinations are densities along the genome, per base pair.

    Raises:
        ValueError: If a node has more than two children, or a recombination node no partner.

    Source:
        Kuhner, Yamato & Felsenstein (2000), Genetics 156:1393, equation 1; Marjoram & Wall (2006).
    """
    clock, lineages = CoalescentClock.of(population_size), _lineages(tree_sequence)
    parted, coalescent = _recombinations(tree_sequence), _coalescences(tree_sequence)
    if law == "hudson":
        gaps, lengths = _gaps(tree_sequence, parted), lineages.extent
        beside = _beside_all(lineages, clock)
    else:
        gaps, lengths = np.ones(len(parted)), lineages.material
        beside = _beside_touching(tree_sequence, lineages, clock)
    return float(
        clock.log_rate(tree_sequence.nodes_time[coalescent]).sum()
        + np.log(recombination_rate * gaps).sum()
        - beside
        - recombination_rate * (lengths * (lineages.end - lineages.start)).sum()
    )


def _lineages(tree_sequence: tskit.TreeSequence) -> _Lineages:
    times, edges = tree_sequence.nodes_time, tree_sequence.tables.edges
    node, of = np.unique(edges.child, return_inverse=True)
    end, left = np.full((2, len(node)), np.inf)
    right = np.zeros(len(node))
    np.minimum.at(end, of, times[edges.parent])
    np.minimum.at(left, of, edges.left)
    np.maximum.at(right, of, edges.right)
    material = np.bincount(of, edges.right - edges.left)
    return _Lineages(node, times[node], end, right - left, material)


def _recombinations(tree_sequence: tskit.TreeSequence) -> np.ndarray:
    """Return the left and the right node of every recombination, int [recombinations, 2]."""
    edges = tree_sequence.tables.edges
    recombinant = tree_sequence.nodes_flags[edges.parent] & RECOMBINATION_NODE > 0
    child_parent = np.unique(np.stack([edges.child, edges.parent])[:, recombinant], axis=1)
    count = np.bincount(child_parent[0], minlength=tree_sequence.num_nodes)
    wrong = np.flatnonzero((count != 0) & (count != 2))
    if wrong.size:
        raise ValueError(
            f"node {wrong[0]} has {count[wrong[0]]} recombination nodes above it; record both "
            "sides of every recombination"
        )
    left = np.full(tree_sequence.num_nodes, np.inf)
    np.minimum.at(left, edges.parent, edges.left)
    pairs = child_parent[1].reshape(-1, 2)
    return np.take_along_axis(pairs, np.argsort(left[pairs], axis=1), axis=1)


def _coalescences(tree_sequence: tskit.TreeSequence) -> np.ndarray:
    edges = tree_sequence.tables.edges
    coalescent = tree_sequence.nodes_flags[edges.parent] & RECOMBINATION_NODE == 0
    parent = np.unique(np.stack([edges.parent, edges.child])[:, coalescent], axis=1)[0]
    nodes, children = np.unique(parent, return_counts=True)
    if (children != 2).any():
        node = nodes[children != 2][0]
        raise ValueError(
            f"node {node} has {children[children != 2][0]} children; give a graph of mergers of two"
        )
    return nodes


def _gaps(tree_sequence: tskit.TreeSequence, parted: np.ndarray) -> np.ndarray:
    """Return the width of the gap in the material that each recombination falls into, or 1."""
    edges = tree_sequence.tables.edges
    left, right = np.full(tree_sequence.num_nodes, np.inf), np.zeros(tree_sequence.num_nodes)
    np.minimum.at(left, edges.parent, edges.left)
    np.maximum.at(right, edges.parent, edges.right)
    gaps = left[parted[:, 1]] - right[parted[:, 0]]
    return np.where(gaps > 0, gaps, 1.0)


def _beside_all(lineages: _Lineages, clock: CoalescentClock) -> float:
    """Coalescent time that pairs of lineages spend side by side, ``∫ k (k - 1) / 2 dΛ``."""
    events = np.concatenate([lineages.start, lineages.end])
    changes = np.repeat([1, -1], len(lineages.node))
    order = np.argsort(events)
    count = np.cumsum(changes[order])[:-1]
    return float((count * (count - 1) / 2 * np.diff(clock.intensity(events[order]))).sum())


def _beside_touching(
    tree_sequence: tskit.TreeSequence, lineages: _Lineages, clock: CoalescentClock
) -> float:
    """The same over pairs whose material overlaps or touches."""
    edges, row = tree_sequence.tables.edges, np.zeros(tree_sequence.num_nodes, int)
    row[lineages.node] = np.arange(len(lineages.node))
    first, last = np.searchsorted(tree_sequence.breakpoints(True), [edges.left, edges.right])
    present = np.zeros((len(lineages.node), tree_sequence.num_trees), np.float32)
    for child, begin, stop in zip(row[edges.child], first, last, strict=True):
        present[child, begin:stop] = 1
    touching = present[:, :-1] @ present[:, 1:].T
    meet = present @ present.T + touching + touching.T > 0
    one, other = np.nonzero(np.triu(meet, 1))
    start, end = clock.intensity(lineages.start), clock.intensity(lineages.end)
    together = np.minimum(end[one], end[other]) - np.maximum(start[one], start[other])
    return float(np.maximum(together, 0).sum())
