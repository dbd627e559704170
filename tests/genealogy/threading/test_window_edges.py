"""A pass in windows side by side: its weights are for the density that it really draws from."""

import numpy as np
import pytest

from tests.reference.exact_statistics import exact_statistics, posterior_draws, statistics
from tests.reference.tiny_genomes import TinyGenome
from tests.reference.tiny_threading import (
    FOUR_FINE,
    PAIR,
    THREE_FINE,
    check_evidence,
    sequential_pass,
)

PAIR_OF_FOUR_CHUNKS = TinyGenome(
    num_haplotypes=2, num_levels=3, num_bins=8, genotype_error=0.02, seed=10
)
GENOMES = [
    pytest.param(PAIR_OF_FOUR_CHUNKS, id="n2-four-chunks"),
    pytest.param(THREE_FINE, id="n3-three-chunks"),
    pytest.param(FOUR_FINE, id="n4-three-chunks", marks=pytest.mark.slow),
]


def test_an_overlap_of_the_whole_genome_is_exact():
    """Two chunks are the overlap of the edge between them."""
    exact = PAIR.oracle.log_evidence(PAIR.data)
    np.testing.assert_allclose(sequential_pass(PAIR, 1)[1], exact, rtol=0, atol=1e-10)


@pytest.mark.statistical
@pytest.mark.parametrize("genome", GENOMES)
def test_mean_weight_is_the_evidence(genome):
    check_evidence(genome.oracle.log_evidence(genome.data), sequential_pass(genome, 1)[1])


@pytest.mark.statistical
@pytest.mark.parametrize("genome", GENOMES)
def test_weighted_draws_are_the_posterior(genome):
    """A weight that is right on average but not for its draw would shift these.

    False alarms: 6e-5 per statistic.
    """
    graphs, effective = posterior_draws(genome, 1)
    values = statistics(graphs, genome)[:3]
    stderr = values.std(1, ddof=1) / np.sqrt(effective / 2)
    assert (np.abs(values.mean(1) - exact_statistics(genome)) < 4 * stderr).all()
