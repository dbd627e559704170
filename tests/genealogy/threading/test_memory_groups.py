"""A limit on memory makes groups of draws, and leaves the draws as they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.genealogy.threading import threading_driver
from escapement_jax.genealogy.threading.sequential_pass import empty_graphs, thread_haplotypes
from escapement_jax.training.memory import groups_within, memory_limit
from tests.reference.tiny_genomes import TinyGenome
from tests.reference.tiny_threading import CAPACITY

GENOME = TinyGenome(num_haplotypes=3, num_levels=3, num_bins=4, genotype_error=0.05, seed=4)
DRAWS = 2


@pytest.fixture
def thread(monkeypatch):
    """Thread two haplotypes with a limit; also returns the largest memory and sizes of groups."""

    def run(limit):
        seen = []

        def watched(batch, num_bytes, multiple=1):
            groups = groups_within(batch, num_bytes, multiple)
            seen.append((num_bytes, [part.stop - part.start for part in groups]))
            return groups

        monkeypatch.setattr(threading_driver, "groups_within", watched)
        first = jnp.zeros(DRAWS, jnp.int32)
        graphs, weights = empty_graphs(first, 3, GENOME.chunks, CAPACITY), []
        with memory_limit(limit):
            for haplotype in (1, 2):
                key = jax.random.key(haplotype)
                given = (GENOME.chunks, first + haplotype, GENOME.model)
                graphs, weight = thread_haplotypes(key, graphs, *given)
                weights.append(weight)
        return graphs, weights, seen

    return run


@pytest.mark.slow
def test_a_lower_limit_makes_smaller_groups_with_the_same_draws(thread):
    graphs, weights, seen = thread(None)
    assert seen == []
    _, _, seen = thread(1.0)
    [(needed, sizes)] = set((num_bytes, tuple(sizes)) for num_bytes, sizes in seen)
    # One message a lineage, level and bin in double precision, and something beside.
    assert 8 * DRAWS * 3 * 3 * 4 < needed < 1e6
    assert sizes == (DRAWS,)
    found, found_weights, seen = thread(0.6 * needed / 1e9)
    assert [sizes for _, sizes in seen] == [[1, 1]] * 2
    np.testing.assert_allclose(found_weights, weights, rtol=1e-12)
    for one, other in zip(found, graphs, strict=True):
        for name in ("trees", "moved", "cut_level"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
