"""The trace looks at the right trees, and is small."""

import jax
import numpy as np
import pytest

from escapement_jax.config.genealogy import InferConfig
from escapement_jax.genealogy.diagnostics.trace import Trace, TracePlaces
from escapement_jax.genealogy.fit import infer
from tests.genealogy.test_fit import make_genotypes

CONFIG = InferConfig(
    mutation_rate=1.25e-8,
    recombination_rate=1e-8,
    population_size=1e4,
    draws=4,
    time_levels=8,
    genotype_error=0.001,
    sweeps=2,
)


@pytest.fixture(scope="module")
def posterior():
    return infer(make_genotypes(), CONFIG, key=jax.random.key(2))


def test_the_last_step_is_that_of_the_draws(posterior):
    trace = posterior.trace
    places = TracePlaces.spread(len(posterior.bin_edges) - 1, 4)
    edges = posterior.bin_edges
    np.testing.assert_allclose(trace.positions, (edges[places.bins] + edges[places.bins + 1]) / 2)
    np.testing.assert_array_equal(trace.pairs, places.pairs)
    first, second = trace.pairs.T
    for index, draw in enumerate(posterior.draws):
        levels = draw.trees[draw.segment_of_bin(places.bins)][:, first, second]
        expected = np.log(posterior.time_grid_times[levels])
        np.testing.assert_array_equal(trace.log_tmrca[-1, index], expected)


def test_every_step_is_kept(posterior):
    trace = posterior.trace
    assert trace.num_sweeps == CONFIG.sweeps
    assert trace.log_density.shape == (3, 4)
    assert trace.log_tmrca.shape == (3, 4, len(trace.positions), len(trace.pairs))
    assert not np.array_equal(trace.log_tmrca[0], trace.log_tmrca[1])


@pytest.mark.parametrize(("num_bins", "num_haplotypes"), [(1, 2), (5, 3), (2000, 20), (16, 100)])
def test_places_are_distinct_spread_and_few(num_bins, num_haplotypes):
    places = TracePlaces.spread(num_bins, num_haplotypes)
    assert len(places.bins) == min(16, num_bins)
    assert len(places.pairs) == min(20, num_haplotypes * (num_haplotypes - 1) // 2)
    assert np.unique(places.pairs, axis=0).shape == places.pairs.shape
    assert (places.pairs[:, 0] < places.pairs[:, 1]).all()
    assert 0 <= places.bins[0] < places.bins[-1] + 1 <= num_bins
    gaps = np.diff(np.concatenate([[-places.bins[0] - 1], places.bins]))
    assert np.ptp(gaps) <= 2 + num_bins // len(places.bins) % 2


def test_without_sweeps_there_is_nothing():
    assert Trace().num_sweeps == 0
