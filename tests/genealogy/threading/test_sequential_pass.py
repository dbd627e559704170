"""The driver of a pass: room for records is made when needed, and nonsense is refused."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.genealogy.threading import sequential_pass
from tests.reference.tiny_threading import CAPACITY, PAIR, orders_of
from tests.reference.tiny_threading import sequential_pass as roomy_pass


def thread_pair(chunks):
    """Thread a pair as `roomy_pass` does, with room for one record per chunk of two bins."""
    first, second = jnp.asarray(orders_of(PAIR)).T
    graphs = sequential_pass.empty_graphs(first, 2, chunks, 1)
    key = jax.random.key(100 * PAIR.seed + 1)
    return sequential_pass.thread_haplotypes(key, graphs, chunks, second, PAIR.model)


@pytest.mark.slow
def test_too_small_a_capacity_is_doubled_and_changes_nothing():
    graphs, evidence = thread_pair(PAIR.chunks)
    expected, expected_evidence = roomy_pass(PAIR)
    assert max((np.asarray(graph.moved) >= 0).sum(1).max() for graph in graphs) == CAPACITY
    np.testing.assert_array_equal(evidence, expected_evidence)
    jax.tree.map(np.testing.assert_array_equal, graphs, expected)


def test_evidence_that_is_not_finite_is_refused_without_a_second_try(monkeypatch):
    """Messages that are not numbers recombine everywhere, and would overflow any capacity."""
    monkeypatch.setattr(sequential_pass, "_double_capacity", lambda graphs: pytest.fail("retried"))
    first, *others = PAIR.chunks
    unknown = replace(first, invariant_mutation=jnp.full_like(first.invariant_mutation, np.nan))
    with pytest.raises(ValueError, match=r"threading haplotype 1 in draw 0 is nan.*check the rate"):
        thread_pair([unknown, *others])
