"""Graphs drawn by a pass get the weights of that pass, and posterior draws bound from above."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.genealogy.threading import sequential_pass as passes
from escapement_jax.genealogy.threading.carrier_look_ahead import CarrierLookAhead
from escapement_jax.genealogy.threading.evidence_bounds import log_weights_of_graphs
from escapement_jax.genealogy.threading.threading_driver import thread_pruned
from escapement_jax.genealogy.threading.window_layout import WindowLayout
from tests.reference.tiny_threading import CAPACITY, FOUR, orders_of

DRAWS = 400
GENOME = FOUR
LOOK_AHEAD = {
    "none": None,
    "carriers": [CarrierLookAhead.of(GENOME.model)] * len(GENOME.chunks),
}


def orders():
    return jnp.asarray(orders_of(GENOME)[:: len(orders_of(GENOME)) // DRAWS])


def one_pass(seed, look_ahead, *, refresh):
    layout = WindowLayout.whole(len(GENOME.chunks))
    graphs = passes.empty_graphs(orders()[:, 0], GENOME.num_haplotypes, GENOME.chunks, CAPACITY)
    log_weights = np.zeros(DRAWS)
    for index in range(1, GENOME.num_haplotypes):
        key = jax.random.fold_in(jax.random.key(seed), index)
        pruned = [passes._beside(graph, orders()[:, index]) for graph in graphs]
        graphs, evidence, tilt = thread_pruned(
            key, pruned, GENOME.chunks, GENOME.model, layout, refresh=refresh, look_ahead=look_ahead
        )
        log_weights += evidence - tilt
    return graphs, log_weights


@pytest.mark.parametrize("name", LOOK_AHEAD)
def test_graphs_of_a_pass_have_its_weights(name):
    graphs, expected = one_pass(1, LOOK_AHEAD[name], refresh=False)
    assert expected.std() > 0.1
    found = log_weights_of_graphs(graphs, orders(), GENOME.chunks, GENOME.model, LOOK_AHEAD[name])
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.statistical
@pytest.mark.parametrize("name", LOOK_AHEAD)
def test_posterior_draws_bound_the_evidence_from_above(name):
    """Weighted draws of blind passes stand for the posterior; four standard errors over passes."""
    exact = GENOME.oracle.log_evidence(GENOME.data)
    inverse, bounds = [], []
    for seed in range(20):
        graphs, log_weights = one_pass(seed, None, refresh=True)
        other = orders()[::-1]
        found = log_weights_of_graphs(graphs, other, GENOME.chunks, GENOME.model, LOOK_AHEAD[name])
        weights = np.exp(log_weights - exact)
        inverse.append(np.mean(weights * np.exp(exact - found)))
        bounds.append(np.sum(weights * found) / np.sum(weights))
    error = np.std(inverse, ddof=1) / np.sqrt(len(inverse))
    assert error < 0.1
    assert abs(np.mean(inverse) - 1) < 4 * error
    assert np.mean(bounds) > exact
