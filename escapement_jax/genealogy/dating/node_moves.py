"""Slice-sampling moves of node times, all at once where they do not meet."""

from dataclasses import dataclass, replace

import numpy as np

from escapement_jax.genealogy.dating.coalescent_clock import CoalescentClock
from escapement_jax.genealogy.dating.redating_target import (
    HistoryBatch,
    RecordTable,
    RedatingState,
    record_log_density,
    record_times,
    with_times,
)
from escapement_jax.genealogy.dating.slice_sampling import slice_sample

_NEW = 2


@dataclass(frozen=True)
class NodeClasses:
    """Nodes in classes within which all are independent given the others.

    Two nodes meet if a tree holds both, or a record replaces one by the other. The n - 1 slots hold
    one node each at any place, and every second node of a slot is of one class: 2 (n - 1) classes.

    Attributes:
        label: Class of every node, and -1 for samples at the end [nodes + 1].
        child: Lower node of every branch.
        parent: Upper node of every branch.
    """

    label: np.ndarray
    child: np.ndarray
    parent: np.ndarray

    @classmethod
    def of(cls, batch: HistoryBatch) -> "NodeClasses":
        """Colour the nodes of a batch."""
        changed = np.zeros(batch.nodes.shape, int)
        changed[1:] = batch.nodes[1:] != batch.nodes[:-1]
        changed[batch.first] = 0
        label = np.full(len(batch.node_history) + 1, -1)
        slots = np.arange(batch.nodes.shape[1])
        label[batch.nodes] = 2 * slots + np.cumsum(changed, axis=0) % 2
        return cls(label, *batch.branches())


@dataclass(frozen=True)
class _Beside:
    """Records of trees that hold a node, away from it: Λ of their cut and coalescence."""

    owner: np.ndarray
    cut: np.ndarray
    join: np.ndarray


@dataclass(frozen=True)
class _Ends:
    """Records that a node is an end of: the node below (0), above (1), or new (2)."""

    owner: np.ndarray
    role: np.ndarray
    times: np.ndarray
    tree: np.ndarray
    records: RecordTable


@dataclass(frozen=True)
class _Pairs:
    """Other values that a node's time is paired with, one or more to a row."""

    owner: np.ndarray
    other: np.ndarray


@dataclass(frozen=True)
class _NodeTarget:
    """Conditional law of the times of one class of nodes, on (0, 1) between their bounds."""

    clock: CoalescentClock
    slot: int
    low: np.ndarray
    high: np.ndarray
    scale: float
    coefficient: np.ndarray
    beside: _Beside
    ends: _Ends
    mutated: _Pairs
    first: _Pairs

    def time(self, unit: np.ndarray) -> np.ndarray:
        """Map (0, 1) to the room of a node; without an upper bound, by ``x / (1 - x)``."""
        bounded = np.isfinite(self.high)
        width = np.where(bounded, self.high - self.low, 0.0)
        return self.low + np.where(bounded, unit * width, self.scale * unit / (1 - unit))

    def unit(self, time: np.ndarray) -> np.ndarray:
        """Inverse of ``time``."""
        bounded, above = np.isfinite(self.high), time - self.low
        return above / np.where(bounded, self.high - self.low, above + self.scale)

    def log_density(self, unit: np.ndarray) -> np.ndarray:
        """Log density of every node, up to constants."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._log_density(unit)

    def _log_density(self, unit: np.ndarray) -> np.ndarray:
        time, count = self.time(unit), len(unit)
        intensity = self.clock.intensity(time)
        total = self.clock.log_rate(time) - self.coefficient * time
        total -= np.where(np.isfinite(self.high), 0.0, 2 * np.log1p(-unit))
        at = intensity[self.beside.owner]
        gain = np.maximum(self.beside.join - at, 0) - np.maximum(self.beside.cut - at, 0)
        total += np.bincount(self.beside.owner, gain, count)
        total += np.bincount(self.ends.owner, self._end_terms(time, intensity), count)
        lengths = np.abs(time[self.mutated.owner] - self.mutated.other)
        total += np.bincount(self.mutated.owner, np.log(lengths), count)
        at = intensity[self.first.owner]
        apart = at + np.minimum(at[:, None], self.first.other).sum(axis=1)
        return total - np.bincount(self.first.owner, apart, count)

    def _end_terms(self, time: np.ndarray, intensity: np.ndarray) -> np.ndarray:
        ends = self.ends
        times = np.where(ends.role == np.arange(3)[:, None], time[ends.owner], ends.times)
        tree = ends.tree.copy()
        inside = ends.role != _NEW
        tree[inside, self.slot] = intensity[ends.owner[inside]]
        return record_log_density(times, tree, ends.records, self.clock)

    def restrict(self, keep: np.ndarray) -> "_NodeTarget":
        """Return the target of some of the nodes."""
        rank = np.cumsum(keep) - 1
        beside, ends = keep[self.beside.owner], keep[self.ends.owner]
        mutated, first = keep[self.mutated.owner], keep[self.first.owner]
        return replace(
            self,
            low=self.low[keep],
            high=self.high[keep],
            coefficient=self.coefficient[keep],
            beside=_Beside(
                rank[self.beside.owner[beside]], self.beside.cut[beside], self.beside.join[beside]
            ),
            ends=_Ends(
                rank[self.ends.owner[ends]],
                self.ends.role[ends],
                self.ends.times[:, ends],
                self.ends.tree[ends],
                self.ends.records.take(ends),
            ),
            mutated=_Pairs(rank[self.mutated.owner[mutated]], self.mutated.other[mutated]),
            first=_Pairs(rank[self.first.owner[first]], self.first.other[first]),
        )


def move_nodes(
    batch: HistoryBatch,
    classes: NodeClasses,
    state: RedatingState,
    clock: CoalescentClock,
    generator: np.random.Generator,
) -> RedatingState:
    """Move every node once, class after class, between its oldest child and youngest parent."""
    for label in range(2 * batch.nodes.shape[1]):
        nodes = np.flatnonzero(classes.label[:-1] == label)
        if nodes.size:
            target = _node_target(batch, classes, label, nodes, state, clock)
            start = target.unit(state.times[nodes])
            found = slice_sample(target, start, generator)
            state = with_times(state, nodes, target.time(found))
    return state


def _node_target(
    batch: HistoryBatch,
    classes: NodeClasses,
    label: int,
    nodes: np.ndarray,
    state: RedatingState,
    clock: CoalescentClock,
) -> _NodeTarget:
    position = np.full(len(state.times), -1)
    position[nodes] = np.arange(len(nodes))
    low, high = _bounds(classes, label, position, state.times, len(nodes))
    intensities = clock.intensity(state.times)
    beside, ends = _record_factors(batch, label // 2, position, state, intensities, clock)
    return _NodeTarget(
        clock=clock,
        slot=label // 2,
        low=low,
        high=high,
        scale=1 / clock.rates[-1],
        coefficient=batch.length_coefficients[nodes],
        beside=beside,
        ends=ends,
        mutated=_mutation_factors(position, state),
        first=_first_tree_factors(batch, label // 2, position, intensities),
    )


def _bounds(
    classes: NodeClasses, label: int, position: np.ndarray, times: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.zeros(count), np.full(count, np.inf)
    above = classes.label[classes.parent] == label
    np.maximum.at(low, position[classes.parent[above]], times[classes.child[above]])
    below = classes.label[classes.child] == label
    np.minimum.at(high, position[classes.child[below]], times[classes.parent[below]])
    return low, high


def _record_factors(
    batch: HistoryBatch,
    slot: int,
    position: np.ndarray,
    state: RedatingState,
    intensities: np.ndarray,
    clock: CoalescentClock,
) -> tuple[_Beside, _Ends]:
    records = state.records
    end_positions = position[records.ends]
    role = np.argmax(end_positions, axis=0)
    owner = end_positions[role, np.arange(len(role))]
    is_end = owner >= 0
    times = state.times[records.ends]
    occupant = position[batch.nodes[records.segment, slot]]
    rows = np.flatnonzero(~is_end & (occupant >= 0))
    cut, join = record_times(times[:, rows], records.take(rows))
    beside = _Beside(occupant[rows], clock.intensity(cut), clock.intensity(join))
    rows = np.flatnonzero(is_end)
    tree = intensities[batch.nodes[records.segment[rows]]]
    return beside, _Ends(owner[rows], role[rows], times[:, rows], tree, records.take(rows))


def _mutation_factors(position: np.ndarray, state: RedatingState) -> _Pairs:
    owner = np.concatenate([position[state.mutated_child], position[state.mutated_parent]])
    other = np.concatenate([state.mutated_parent, state.mutated_child])
    return _Pairs(owner[owner >= 0], state.times[other[owner >= 0]])


def _first_tree_factors(
    batch: HistoryBatch, slot: int, position: np.ndarray, intensities: np.ndarray
) -> _Pairs:
    trees = batch.nodes[batch.first]
    owner = position[trees[:, slot]]
    others = np.delete(trees, slot, axis=1)
    return _Pairs(owner[owner >= 0], intensities[others[owner >= 0]])
