"""Without data, threading returns Kingman's coalescent: a small run of benchmarks/accuracy/no_data.

False-alarm probabilities are not stated by a formula: the bounds stand three standard errors, as
measured over draws, above what the full benchmark finds.
"""

import numpy as np
import pytest

from benchmarks.accuracy.no_data import (
    kingman_cumulative,
    measure,
    no_data_problem,
    pair_level_cumulative,
)
from escapement_jax.genealogy.graph.graph_draw import GraphDraw

HAPLOTYPES, LENGTH, DRAWS, SWEEPS = 10, 100_000, 48, 6


def test_pairs_and_bins_are_counted_alike():
    """Two segments of one and three bins, three haplotypes, levels 0 to 2."""
    first = np.array([[-1, 0, 2], [0, -1, 2], [2, 2, -1]], np.int8)
    second = np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]], np.int8)
    draw = GraphDraw(
        trees=np.stack([first, second]),
        first_bin=np.array([0, 1], np.int32),
        moved=np.array([-1, 2], np.int32),
        cut_level=np.array([0, 0], np.int32),
    )
    expected = np.array([1 / 12, 10 / 12, 1.0])
    np.testing.assert_allclose(pair_level_cumulative(draw, 4, 3), expected, rtol=1e-12)


def test_nothing_can_mutate_and_nothing_is_seen():
    problem = no_data_problem(4, 20_000)
    assert problem.bins.invariant_mutation.sum() == pytest.approx(0, abs=1e-12)
    assert (problem.bins.genotypes == -1).all()
    np.testing.assert_allclose(kingman_cumulative(problem)[-1], 1.0)


@pytest.mark.slow
@pytest.mark.statistical
def test_threading_without_data_is_kingman():
    figures, evidence = zip(*measure(HAPLOTYPES, LENGTH, DRAWS, SWEEPS, seed=1), strict=True)
    assert figures[0].kolmogorov_distance < 0.05
    megabases = LENGTH / 1e6
    assert -30 < evidence[0].sum(0).mean() / megabases < 1

    kingman = kingman_cumulative(no_data_problem(HAPLOTYPES, LENGTH))
    swept = np.mean([after.cumulative for after in figures[2:]], axis=0)
    assert np.abs(swept - kingman).max() < 0.02
    records = np.mean([after.records_per_expected for after in figures[2:]])
    assert records == pytest.approx(1, abs=0.05)
