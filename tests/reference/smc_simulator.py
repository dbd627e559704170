"""Continuous-time SMC' and mutations, simulated along the genome one recombination at a time."""

import numpy as np

from escapement_jax.genealogy.dating.coalescent_clock import CoalescentClock
from escapement_jax.genealogy.dating.redating import RedatingModel
from escapement_jax.genealogy.dating.tree_history import NO_ITEM, TreeHistory, TreeHistoryBuilder
from escapement_jax.genealogy.genome.genome_bins import GenomeBins

NUM_BINS = 20_000


def simulate_history(
    generator: np.random.Generator,
    num_samples: int,
    clock: CoalescentClock,
    recombination: float,
    num_bins: int = NUM_BINS,
) -> TreeHistory:
    """Simulate local trees; ``recombination`` is per generation over the whole genome.

    Bins are many, so that recombinations hardly ever share a boundary; the second is moved on.
    """
    tree = TreeHistoryBuilder(num_samples)
    top, intensity = list(range(num_samples)), 0.0
    while len(top) > 1:
        intensity += generator.exponential() * 2 / (len(top) * (len(top) - 1))
        first, second = generator.choice(top, 2, replace=False).tolist()
        time = float(clock.time_at(np.array([intensity]))[0])
        top = [x for x in top if x not in (first, second)] + [tree.merge(first, second, time)]
    tree.start()
    position, last_bin, num_silent = 0.0, 0, 0
    while True:
        branches = [
            (item, tree.time[item], tree.time[parent])
            for item, parent in enumerate(tree.parent)
            if parent != NO_ITEM
        ]
        lengths = np.array([high - low for _, low, high in branches])
        position += generator.exponential() / (recombination * lengths.sum())
        if position >= 1 or last_bin + 1 >= num_bins:
            return tree.finish(num_silent)
        item, low, high = branches[generator.choice(len(branches), p=lengths / lengths.sum())]
        cut = generator.uniform(low, high)
        target, time = _coalesce(generator, tree, clock, cut)
        if target == item:
            num_silent += 1
            continue
        last_bin = max(int(position * num_bins), last_bin + 1)
        tree.regraft(last_bin, item, cut, target, time)


def _coalesce(
    generator: np.random.Generator, tree: TreeHistoryBuilder, clock: CoalescentClock, cut: float
) -> tuple[int, float]:
    """Raise a lineage from a cut until it joins a branch, its own among them."""
    time, ends = cut, sorted(t for t in tree.time if t > cut)
    for end in [*ends, np.inf]:
        present = [
            item
            for item, parent in enumerate(tree.parent)
            if tree.time[item] <= time and (parent == NO_ITEM or tree.time[parent] > time)
        ]
        reached = clock.intensity(np.array([time])) + generator.exponential() / len(present)
        joined = float(clock.time_at(reached)[0])
        if joined < end:
            return int(generator.choice(present)), joined
        time = end
    raise AssertionError("the last branch never ends")


def simulate_mutations(
    generator: np.random.Generator, history: TreeHistory, mutation: float, num_bins: int = NUM_BINS
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate mutations at rate ``mutation`` per generation over the whole genome.

    Returns:
        Segment and item below every mutation.
    """
    times = history.item_times(np.arange(history.num_segments))
    above = np.take_along_axis(times, np.maximum(history.parents, 0), axis=1)
    lengths = np.where(history.parents == NO_ITEM, 0.0, above - times)
    spans = np.diff(np.append(history.first_bin, num_bins)) / num_bins
    counts = generator.poisson(mutation * spans[:, None] * lengths)
    segments, items = np.nonzero(counts)
    repeats = counts[segments, items]
    return np.repeat(segments, repeats), np.repeat(items, repeats)


def redating_model(
    clock: CoalescentClock,
    recombination: float,
    mutation: float = 0.0,
    *,
    num_samples: int,
    num_bins: int = NUM_BINS,
) -> RedatingModel:
    """The model that the simulations follow, every bin alike, without a site."""
    crossing = np.full(num_bins, recombination / num_bins)
    crossing[0] = 0.0
    bins = GenomeBins(
        edges=np.arange(num_bins + 1, dtype=float),
        recombination=crossing,
        invariant_mutation=np.full(num_bins, mutation / num_bins),
        site_bin=np.zeros(0, int),
        site_mutation=np.zeros(0),
        genotypes=np.zeros((0, num_samples), np.int8),
    )
    return RedatingModel(clock, bins, ancestral_misassignment=0.02)
