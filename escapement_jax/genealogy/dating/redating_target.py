"""The law of node times given the topologies of local trees and the data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from escapement_jax.genealogy.dating.coalescent_clock import CoalescentClock
from escapement_jax.genealogy.dating.tree_history import NO_ITEM, TreeHistory

PRESENT = -1
"""Node of a sample; times end with a 0, which this index finds."""


@dataclass(frozen=True)
class HistoryBatch:
    """Histories of one sample size side by side, segment after segment and node after node.

    Attributes:
        parents: Item above each item, int [segments, 2n - 1].
        nodes: Node in each slot, int [segments, n - 1].
        first: First segment of every history.
        history: History of every segment.
        node_history: History of every node.
        length_rate: Rate at which branches are lost per generation, recombination and mutation
            together, one for each segment.
        recombination: Recombinations per generation in each segment.
    """

    parents: np.ndarray
    nodes: np.ndarray
    first: np.ndarray
    history: np.ndarray
    node_history: np.ndarray
    length_rate: np.ndarray
    recombination: np.ndarray

    @classmethod
    def of(
        cls, histories: Sequence[TreeHistory], recombination: np.ndarray, mutation: np.ndarray
    ) -> "HistoryBatch":
        """Put histories side by side.

        Args:
            histories: Histories on the same bins.
            recombination: Expected recombinations per generation between each bin and the one
                before [bins]; the first is 0.
            mutation: Mutation rate summed over the accessible bases of each bin.
        """
        counts = np.array([h.num_segments for h in histories])
        node_counts = np.array([len(h.times) for h in histories])
        offsets = np.cumsum(node_counts) - node_counts
        crossing = np.append(recombination[1:], 0.0)  # a segment owns the boundary at its right
        rho = [np.add.reduceat(crossing, h.first_bin) for h in histories]
        mu = [np.add.reduceat(mutation, h.first_bin) for h in histories]
        return cls(
            parents=np.concatenate([h.parents for h in histories]),
            nodes=np.concatenate(
                [h.nodes + offset for h, offset in zip(histories, offsets, strict=True)]
            ),
            first=np.cumsum(counts) - counts,
            history=np.repeat(np.arange(len(histories)), counts),
            node_history=np.repeat(np.arange(len(histories)), node_counts),
            length_rate=np.concatenate(rho) + np.concatenate(mu),
            recombination=np.concatenate(rho),
        )

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return self.nodes.shape[1] + 1

    def node_of(self, segments: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return the nodes of items, ``PRESENT`` for samples."""
        slots = items - self.num_samples
        return np.where(slots < 0, PRESENT, self.nodes[segments, np.maximum(slots, 0)])

    def item_times(self, times: np.ndarray, segments: np.ndarray) -> np.ndarray:
        """Return the times of the items of some segments, [len(segments), 2n - 1]."""
        present = np.zeros((len(segments), self.num_samples))
        return np.concatenate([present, times[self.nodes[segments]]], axis=1)

    def branches(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower and the upper node of every branch, each pair once."""
        segments, items = np.nonzero(self.parents != NO_ITEM)
        child = self.node_of(segments, items)
        parent = self.node_of(segments, self.parents[segments, items])
        # One number for each pair: sorting rows is much slower.
        count = len(self.node_history)
        parent, child = np.divmod(np.unique(parent * (count + 1) + child + 1), count + 1)
        return child - 1, parent

    @cached_property
    def length_coefficients(self) -> np.ndarray:
        """How fast a node's time lowers the log density, ``Σ rate (1 + [root])``.

        The length of a binary tree is the sum of its nodes' times, the root's counted twice.
        """
        roots = self.parents[:, self.num_samples :] == NO_ITEM
        weights = self.length_rate[:, None] * (1 + roots)
        return np.bincount(self.nodes.ravel(), weights.ravel(), len(self.node_history))


@dataclass(frozen=True)
class RecordTable:
    """Recombinations: a lineage is cut above a node and joins the tree at another time.

    The cut lies the given fraction of the way from the child to the lower of the old and the new
    ancestor; a silent record joins its own branch, a fraction of the way from the cut to the old
    ancestor. So every order of times is possible whatever the fractions are.

    Attributes:
        segment: Segment of the tree that is cut.
        child: Node below the cut.
        old: Node above it.
        new: Node at which the lineage coalesces; ``PRESENT`` for silent records.
        cut_fraction: Place of the cut.
        join_fraction: Place of the coalescence of a silent record.
    """

    segment: np.ndarray
    child: np.ndarray
    old: np.ndarray
    new: np.ndarray
    cut_fraction: np.ndarray
    join_fraction: np.ndarray

    @property
    def ends(self) -> np.ndarray:
        """The nodes below, above and new, int [3, records]."""
        return np.stack([self.child, self.old, self.new])

    def take(self, rows: np.ndarray) -> "RecordTable":
        """Return some of the records."""
        return RecordTable(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def extend(self, other: "RecordTable") -> "RecordTable":
        """Return these records and others."""
        return RecordTable(
            *(
                np.concatenate([getattr(self, name), getattr(other, name)])
                for name in self.__dataclass_fields__
            )
        )

    @property
    def silent(self) -> np.ndarray:
        """Whether each record leaves its tree as it is."""
        return self.new == PRESENT


def visible_records(
    batch: HistoryBatch, histories: Sequence[TreeHistory], times: np.ndarray
) -> RecordTable:
    """Return the records between the segments of the histories, with their cuts."""
    segments = np.setdiff1d(np.arange(len(batch.history)), batch.first)
    items = np.concatenate([h.cut_item for h in histories])[segments]
    cuts = np.concatenate([h.cut_times for h in histories])[segments]
    slots = batch.parents[segments - 1, items] - batch.num_samples
    child = batch.node_of(segments - 1, items)
    old, new = batch.nodes[segments - 1, slots], batch.nodes[segments, slots]
    reach = np.minimum(times[old], times[new]) - times[child]
    fraction = (cuts - times[child]) / reach
    return RecordTable(segments - 1, child, old, new, fraction, np.zeros(len(segments)))


def record_times(ends: np.ndarray, records: RecordTable) -> tuple[np.ndarray, np.ndarray]:
    """Return the times of cuts and of coalescences, given those of the nodes around them.

    Args:
        ends: Times of the nodes below, above and new, generations [3, records].
        records: The records.
    """
    (child, old, new), silent = ends, records.silent
    reach = np.where(silent, old, np.minimum(old, new))
    cut = child + records.cut_fraction * (reach - child)
    return cut, np.where(silent, cut + records.join_fraction * (old - cut), new)


def time_beside(cut: np.ndarray, join: np.ndarray, tree: np.ndarray) -> np.ndarray:
    """Coalescent time that a lineage spends beside each lineage of a tree, ``∫ k dΛ``.

    Args:
        cut: Λ at which the lineage appears.
        join: Λ at which it coalesces.
        tree: Λ of the tree's n - 1 nodes, [records, n - 1].
    """
    lost = np.maximum(join[:, None] - tree, 0) - np.maximum(cut[:, None] - tree, 0)
    return (tree.shape[1] + 1) * (join - cut) - lost.sum(axis=1)


def record_log_density(
    ends: np.ndarray, tree: np.ndarray, records: RecordTable, clock: CoalescentClock
) -> np.ndarray:
    """Log density of records in terms of node times and fractions, one for each.

    ``-∫_u^v k dΛ`` and the width of the room for each fraction; of a silent record also the rate
    of coalescence, which other records leave to their new node.

    Args:
        ends: Times of the nodes below, above and new, generations [3, records].
        tree: Λ of the nodes of the tree that is cut, [records, n - 1].
        records: The records.
        clock: Coalescent intensity.
    """
    (child, old, new), silent = ends, records.silent
    cut, join = record_times(ends, records)
    reach = np.where(silent, old, np.minimum(old, new))
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.log(reach - child) + np.where(silent, np.log(old - cut), 0.0)
    apart = time_beside(clock.intensity(cut), clock.intensity(join), tree)
    return room - apart + np.where(silent, clock.log_rate(join), 0.0)


@dataclass(frozen=True)
class RedatingState:
    """Everything that is drawn: times, records, and the branches on which alleles changed.

    Attributes:
        times: Times of all nodes, generations, and a 0 at the end [nodes + 1].
        records: Records, silent ones included.
        mutated_child: Node below every change of an allele, ``PRESENT`` for samples.
        mutated_parent: Node above it.
    """

    times: np.ndarray
    records: RecordTable
    mutated_child: np.ndarray
    mutated_parent: np.ndarray


def redating_log_density(
    batch: HistoryBatch, state: RedatingState, clock: CoalescentClock
) -> np.ndarray:
    """Log density of times, cuts, silent records and mutated branches, one for each history.

    The continuous-time SMC' with independent mutations, up to constants of the topology:

        Σ_v log Λ'(t_v) - ∫ k_1 (k_1 - 1) / 2 dΛ - Σ_r ∫_{u_r}^{v_r} k dΛ - Σ_j (ρ_j + μ_j) L_j
            + Σ_m log d_m

    over nodes v, the first tree, records r (of ``k`` lineages beside the one that was cut, its own
    old branch among them), segments j with recombination, mutation and tree length, and the
    branches m, of length d, on which an allele changed.
    """
    times, records = state.times, state.records
    count = len(batch.first)
    intensities = clock.intensity(times)
    nodes = clock.log_rate(times[:-1]) - batch.length_coefficients * times[:-1]
    total = np.bincount(batch.node_history, nodes, count)
    first = intensities[batch.nodes[batch.first]]
    total -= first.sum(axis=1) + _sum_of_minima(first)
    terms = record_log_density(
        times[records.ends],
        intensities[batch.nodes[records.segment]],
        records,
        clock,
    )
    total += np.bincount(batch.history[records.segment], terms, count)
    lengths = times[state.mutated_parent] - times[state.mutated_child]
    owner = batch.node_history[state.mutated_parent]
    return total + np.bincount(owner, np.log(lengths), count)


def _sum_of_minima(values: np.ndarray) -> np.ndarray:
    """Return ``Σ_{i<j} min(x_i, x_j)`` of each row."""
    ranked = np.sort(values, axis=1)
    return (ranked * np.arange(values.shape[1] - 1, -1, -1)).sum(axis=1)


def with_times(state: RedatingState, nodes: np.ndarray, times: np.ndarray) -> RedatingState:
    """Return the state with other times of some nodes."""
    changed = state.times.copy()
    changed[nodes] = times
    return replace(state, times=changed)
