"""What simple methods say: every method that infers trees should do better.

Their scores are also a check of the metrics: the truth must be perfect, and the prior calibrated.
"""

from collections.abc import Callable

import numpy as np

from benchmarks.accuracy.cases import DataSet
from benchmarks.accuracy.size_metrics import SizeEstimate
from benchmarks.accuracy.tool_output import Inferred
from benchmarks.accuracy.true_tmrca import pairwise_tmrca

WINDOW_BASE_PAIRS = 10_000
NUM_DRAWS = 100


def oracle_truth(data: DataSet, positions: np.ndarray) -> Inferred:
    """Return the true tree sequence; what is left of its N_e(t) error is noise of the estimator."""
    times = pairwise_tmrca(data.tree_sequence, positions)
    return Inferred(times[None], (data.tree_sequence,))


def baseline_prior(data: DataSet, positions: np.ndarray) -> Inferred:
    """Return exponential TMRCAs of mean 2 N_e everywhere, the coalescent prior without data."""
    size = data.told["population_size"]
    generator = np.random.default_rng(data.name.seed)
    haplotypes = data.genotypes.num_haplotypes
    shape = (NUM_DRAWS, haplotypes * (haplotypes - 1) // 2, len(positions))
    constant = SizeEstimate(np.zeros(1), np.full(1, size))
    return Inferred(generator.exponential(2 * size, shape), population_size=constant)


def baseline_window(data: DataSet, positions: np.ndarray) -> Inferred:
    """Return the posterior from the heterozygous sites of a pair around a position, alone.

    With k of them in w base pairs, the TMRCA is gamma of shape 1 + k and rate
    1 / (2 N_e) + 2 mu w: a method that does worse is not using the other haplotypes.
    """
    told, genotypes = data.told, data.genotypes
    first, second = np.triu_indices(genotypes.num_haplotypes, k=1)
    differ = genotypes.haplotypes[:, first] != genotypes.haplotypes[:, second]
    counts = np.concatenate([np.zeros((1, len(first))), np.cumsum(differ, axis=0)])
    left = np.maximum(positions - WINDOW_BASE_PAIRS / 2, genotypes.start)
    right = np.minimum(positions + WINDOW_BASE_PAIRS / 2, genotypes.end)
    edges = np.searchsorted(genotypes.positions, [left, right])
    seen = (counts[edges[1]] - counts[edges[0]]).T
    rate = 1 / (2 * told["population_size"]) + 2 * told["mutation_rate"] * (right - left)
    generator = np.random.default_rng(data.name.seed)
    return Inferred(generator.gamma(1 + seen, 1 / rate, (NUM_DRAWS, *seen.shape)))


BASELINES: dict[str, Callable[[DataSet, np.ndarray], Inferred]] = {
    "oracle_truth": oracle_truth,
    "baseline_prior": baseline_prior,
    "baseline_window": baseline_window,
}
