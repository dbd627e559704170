"""Recombinations that change nothing, drawn from their law given the local trees."""

import numpy as np

from escapement_jax.genealogy.dating.coalescent_clock import CoalescentClock
from escapement_jax.genealogy.dating.redating_target import (
    PRESENT,
    HistoryBatch,
    RecordTable,
    time_beside,
)
from escapement_jax.genealogy.dating.tree_history import NO_ITEM


def sample_silent_records(
    batch: HistoryBatch,
    times: np.ndarray,
    clock: CoalescentClock,
    generator: np.random.Generator,
) -> RecordTable:
    """Draw the recombinations whose lineage joins its own branch again.

    SMC' is a jump process whose jumps may lead nowhere: given the trees, such jumps are a Poisson
    process. So all recombinations of the present trees are drawn, and those kept that coalesce
    with their own branch, at the rate of a pair, before they do with any other lineage.

    Args:
        batch: Histories.
        times: Times of all nodes, generations, and a 0 at the end.
        clock: Coalescent intensity.
        generator: Source of randomness.
    """
    segments, items, cut = _cuts(batch, times, generator)
    child = batch.node_of(segments, items)
    old = batch.node_of(segments, batch.parents[segments, items])
    start = clock.intensity(cut)
    own = start + generator.exponential(size=len(start))
    beside = time_beside(start, own, clock.intensity(times[batch.nodes[segments]]))
    first = beside - (own - start) < generator.exponential(size=len(start))
    join, below, above = clock.time_at(own), times[child], times[old]
    keep = np.flatnonzero(first & (join < above))
    table = RecordTable(
        segment=segments,
        child=child,
        old=old,
        new=np.full(len(segments), PRESENT),
        cut_fraction=(cut - below) / (above - below),
        join_fraction=(join - cut) / (above - cut),
    )
    return table.take(keep)


def _cuts(
    batch: HistoryBatch, times: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw recombinations of all trees: segment, item below, time."""
    every = np.arange(len(batch.history))
    item_times = batch.item_times(times, every)
    above = np.take_along_axis(item_times, np.maximum(batch.parents, 0), axis=1)
    lengths = np.where(batch.parents == NO_ITEM, 0.0, above - item_times)
    until = np.cumsum(lengths, axis=1)
    segments = np.repeat(every, generator.poisson(batch.recombination * until[:, -1]))
    point = generator.random(len(segments)) * until[segments, -1]
    items = (until[segments] <= point[:, None]).sum(axis=1)
    return segments, items, above[segments, items] - (until[segments, items] - point)
