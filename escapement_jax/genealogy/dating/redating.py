"""Continuous node times of draws, from their law given topologies and data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from escapement_jax.genealogy.dating.coalescent_clock import CoalescentClock
from escapement_jax.genealogy.dating.mutation_branches import sample_mutated_branches
from escapement_jax.genealogy.dating.node_moves import NodeClasses, move_nodes
from escapement_jax.genealogy.dating.redating_target import (
    HistoryBatch,
    RecordTable,
    RedatingState,
    record_times,
    redating_log_density,
    time_beside,
    visible_records,
)
from escapement_jax.genealogy.dating.refine_draw import refine_draw
from escapement_jax.genealogy.dating.silent_records import sample_silent_records
from escapement_jax.genealogy.dating.slice_sampling import slice_sample
from escapement_jax.genealogy.dating.tree_history import TreeHistory
from escapement_jax.genealogy.genome.genome_bins import GenomeBins
from escapement_jax.genealogy.graph.graph_draw import GraphDraw

REDATING_SWEEPS = 20
SWEEPS_PER_MUTATIONS = 4
"""Few sites have more than one likely place for their mutations, so these are drawn less often."""
SEGMENTS_PER_BATCH = 30_000
"""Histories are moved side by side up to this many segments, for memory's sake."""


@dataclass(frozen=True)
class RedatingModel:
    """What the times are drawn under.

    Attributes:
        clock: Coalescent intensity.
        bins: Rates, sites and genotypes in bins.
        ancestral_misassignment: Prior probability that the root of a site is derived.
        genotype_error: Probability that a called allele is wrong.
    """

    clock: CoalescentClock
    bins: GenomeBins
    ancestral_misassignment: float
    genotype_error: float = 0.0


def redated_histories(
    draws: Sequence[GraphDraw],
    grid_edges: np.ndarray,
    grid_times: np.ndarray,
    model: RedatingModel,
    *,
    seed: int,
) -> tuple[TreeHistory, ...]:
    """Give draws on time levels continuous times, in which no level is left.

    Args:
        draws: Valid draws.
        grid_edges: Lower edges of the time levels, generations.
        grid_times: Representative times of the levels, generations.
        model: Population size, rates and data.
        seed: Seed of trees and times.
    """
    generator = np.random.default_rng(seed)
    refined = [refine_draw(draw, grid_edges, grid_times, model.clock, generator) for draw in draws]
    return redate(refined, model, seed=seed + 1)


def redate(
    histories: Sequence[TreeHistory],
    model: RedatingModel,
    *,
    seed: int,
    sweeps: int = REDATING_SWEEPS,
) -> tuple[TreeHistory, ...]:
    """Draw all times anew, given the topologies and the genotypes.

    A Markov chain per history, started at its times, that leaves the exact conditional law
    invariant: continuous-time SMC' with ``N_e(t)``, times the two-state likelihood of the sites
    (see ``redating_log_density``). A sweep draws the silent recombinations and the mutated branches
    from their conditionals, moves every cut and every node by slice sampling, and scales all times.

    Args:
        histories: Binary local trees with any times in order.
        model: Population size, rates and data.
        seed: Seed of the chains.
        sweeps: Sweeps of every chain.

    Returns:
        The histories with new times of nodes and cuts.
    """
    generator = np.random.default_rng(seed)
    redated: list[TreeHistory] = []
    batch: list[TreeHistory] = []
    for index, history in enumerate(histories):
        batch.append(history)
        full = sum(h.num_segments for h in batch) > SEGMENTS_PER_BATCH
        if full or index == len(histories) - 1:
            chain = RedatingChain(batch, model, generator)
            for _ in range(sweeps):
                chain.sweep()
            redated += chain.histories()
            batch = []
    return tuple(redated)


class RedatingChain:
    """Chains over the times of several histories, side by side.

    Attributes:
        state: Present times, records and mutated branches.
    """

    def __init__(
        self,
        histories: Sequence[TreeHistory],
        model: RedatingModel,
        generator: np.random.Generator,
    ) -> None:
        bins = model.bins
        mutation = bins.invariant_mutation.copy()
        mutation[bins.site_bin] += bins.site_mutation
        self._histories, self._model, self._generator = tuple(histories), model, generator
        self._batch = HistoryBatch.of(histories, bins.recombination, mutation)
        self._classes = NodeClasses.of(self._batch)
        times = np.concatenate([*(h.times for h in histories), [0.0]])
        self._visible = visible_records(self._batch, histories, times)
        nothing = np.zeros(0, int)
        self.state = RedatingState(times, self._visible, nothing, nothing)
        self._sweeps = 0
        self._site_segments = np.concatenate(
            [
                first + np.searchsorted(h.first_bin, bins.site_bin, side="right") - 1
                for first, h in zip(self._batch.first, histories, strict=True)
            ]
        )

    def sweep(self) -> None:
        """Draw everything once."""
        if self._sweeps % SWEEPS_PER_MUTATIONS == 0:
            self._draw_mutations()
        self._sweeps += 1
        self._draw_silent_records()
        self._move_cuts()
        self.state = move_nodes(
            self._batch, self._classes, self.state, self._model.clock, self._generator
        )
        self._scale()

    def log_density(self) -> np.ndarray:
        """Return ``redating_log_density`` of the present state."""
        return redating_log_density(self._batch, self.state, self._model.clock)

    def histories(self) -> list[TreeHistory]:
        """Return the histories with the present times."""
        times, visible = self.state.times, self._visible
        cuts = np.zeros(len(self._batch.history))
        cuts[visible.segment + 1] = record_times(times[visible.ends], visible)[0]
        of_node, of_segment = self._batch.node_history, self._batch.history
        silent = self.state.records.segment[self.state.records.silent]
        num_silent = np.bincount(of_segment[silent], minlength=len(self._histories))
        return [
            replace(
                history,
                times=times[:-1][of_node == index],
                cut_times=cuts[of_segment == index],
                num_silent=int(num_silent[index]),
            )
            for index, history in enumerate(self._histories)
        ]

    def _draw_mutations(self) -> None:
        bins, segments = self._model.bins, self._site_segments
        copies = len(self._histories)
        rows, items = sample_mutated_branches(
            self._batch.parents[segments],
            self._batch.item_times(self.state.times, segments),
            np.tile(bins.genotypes, (copies, 1)),
            np.tile(bins.site_mutation, copies),
            ancestral_misassignment=self._model.ancestral_misassignment,
            genotype_error=self._model.genotype_error,
            generator=self._generator,
        )
        on = segments[rows]
        parents = self._batch.parents[on, items]
        self.state = replace(
            self.state,
            mutated_child=self._batch.node_of(on, items),
            mutated_parent=self._batch.node_of(on, parents),
        )

    def _draw_silent_records(self) -> None:
        silent = sample_silent_records(
            self._batch, self.state.times, self._model.clock, self._generator
        )
        self.state = replace(self.state, records=self._visible.extend(silent))

    def _move_cuts(self) -> None:
        times, visible, clock = self.state.times, self._visible, self._model.clock
        tree = clock.intensity(times[self._batch.nodes[visible.segment]])
        target = _CutTarget(times[visible.ends], tree, visible, clock)
        fractions = slice_sample(target, visible.cut_fraction, self._generator)
        self._visible = replace(visible, cut_fraction=fractions)
        silent = self.state.records.take(self.state.records.silent)
        self.state = replace(self.state, records=self._visible.extend(silent))

    def _scale(self) -> None:
        """Propose to multiply all times of every history by a factor of its own."""
        count = len(self._histories)
        num_nodes = np.bincount(self._batch.node_history, minlength=count)
        owners = self._batch.node_history[self.state.mutated_parent]
        events = num_nodes + np.bincount(owners, minlength=count)
        step = self._generator.normal(size=count) * 2 / np.sqrt(events)
        factor = np.append(np.exp(step)[self._batch.node_history], 1.0)
        proposed = replace(self.state, times=self.state.times * factor)
        clock = self._model.clock
        gain = redating_log_density(self._batch, proposed, clock) - self.log_density()
        accepted = -self._generator.exponential(size=count) < gain + num_nodes * step
        keep = np.append(accepted[self._batch.node_history], False)
        times = np.where(keep, proposed.times, self.state.times)
        self.state = replace(self.state, times=times)


@dataclass(frozen=True)
class _CutTarget:
    """Law of the place of every visible cut given all else: ``exp(-∫_u k dΛ)``."""

    ends: np.ndarray
    tree: np.ndarray
    records: RecordTable
    clock: CoalescentClock

    def log_density(self, unit: np.ndarray) -> np.ndarray:
        cut, join = record_times(self.ends, replace(self.records, cut_fraction=unit))
        return -time_beside(self.clock.intensity(cut), self.clock.intensity(join), self.tree)

    def restrict(self, keep: np.ndarray) -> "_CutTarget":
        return _CutTarget(self.ends[:, keep], self.tree[keep], self.records.take(keep), self.clock)
