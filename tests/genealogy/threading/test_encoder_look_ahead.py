"""The encoder in threading: silent where nobody is to come; its gradients are those of log q."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.config.encoder import EncoderConfig
from escapement_jax.config.genealogy import InferConfig
from escapement_jax.genealogy.encoder.heads import PotentialNetwork
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.graph.pruned_graph import attachment
from escapement_jax.genealogy.model.threading_problem import threading_problem
from escapement_jax.genealogy.threading import sequential_pass as passes
from escapement_jax.genealogy.threading.carrier_look_ahead import CarrierLookAhead
from escapement_jax.genealogy.threading.encoder_look_ahead import encoder_look_ahead
from escapement_jax.genealogy.threading.look_ahead import PairLookAhead, SummedLookAhead
from escapement_jax.genealogy.threading.look_ahead_training import (
    centred_returns,
    log_probability_gradient,
)
from escapement_jax.genealogy.threading.threading_driver import thread_evidence
from escapement_jax.genealogy.threading.window_layout import WindowLayout
from tests.reference.tiny_threading import CAPACITY, FOUR, orders_of

CONFIG = EncoderConfig(d_model=8, num_heads=2, num_layers=1, window=4, length_scales=(1e3,))
DRAWS, REPEATS = 400, 60


@pytest.fixture(scope="module")
def problem():
    generator = np.random.default_rng(1)
    alleles = (generator.random((6, 4)) < 0.4).astype(np.int8)
    alleles[:, 0], alleles[:, 1] = 1, 0
    positions = np.arange(6) * 600 + 50
    genotypes = Genotypes.from_arrays(alleles, positions, start=0, end=4_000)
    config = InferConfig(mutation_rate=1e-8, recombination_rate=1e-8, time_levels=4)
    return threading_problem(genotypes, config)


@eqx.filter_jit
def potential_rows(look_ahead, pruned, chunk, model):
    return look_ahead.potential(pruned, chunk, model, None).rows


def test_potentials_come_from_haplotypes_still_to_come_alone(problem):
    """With three of four haplotypes missing from the graph there are some; with none, none."""
    network = PotentialNetwork(CONFIG, problem.model.num_levels, key=jax.random.key(0))
    weights = jax.random.normal(jax.random.key(1), network.heads.states.weight.shape)
    trained = eqx.tree_at(lambda network: network.heads.states.weight, network, weights)
    chunk = problem.chunks[0]
    graphs = passes.empty_graphs(jnp.zeros(1, jnp.int32), 4, [chunk], problem.capacity)
    largest: list[float] = []
    for haplotype in range(1, 4):
        here = jnp.full(1, haplotype, jnp.int32)
        pruned = jax.tree.map(lambda leaf: leaf[0], passes._beside(graphs[0], here))
        at = (pruned, chunk, problem.model)
        blind, rows = (
            potential_rows(encoder_look_ahead(one, CONFIG.length_scales, problem)[0], *at)
            for one in (network, trained)
        )
        blind, rows = blind[:, :haplotype], rows[:, :haplotype]
        assert not blind.any()
        assert not rows[0].any()
        assert not rows[int(chunk.num_sites) :].any()
        largest.append(float(jnp.abs(rows).max()))
        graphs, _ = passes.thread_haplotypes(
            jax.random.key(haplotype), graphs, [chunk], here, problem.model
        )
    assert largest[0] > 1e-3
    assert largest[1] > 1e-3
    assert largest[2] == 0


def tables(seed):
    rng = np.random.default_rng(seed)
    bins = FOUR.chunks[0].recombination.shape[0]
    shape = (FOUR.num_haplotypes, bins, FOUR.num_haplotypes, FOUR.num_levels)
    return [PairLookAhead(jnp.asarray(0.3 * rng.normal(size=shape))) for _ in FOUR.chunks]


@pytest.mark.statistical
def test_gradient_of_log_probability_is_that_of_finite_differences():
    """Mean over paths drawn besides; four standard errors, false alarms 6e-5."""
    orders = jnp.asarray(orders_of(FOUR)[:: len(orders_of(FOUR)) // DRAWS])
    graphs = passes.empty_graphs(orders[:, 0], FOUR.num_haplotypes, FOUR.chunks, CAPACITY)
    for index in range(1, FOUR.num_haplotypes):
        key = jax.random.fold_in(jax.random.key(3), index)
        at = (FOUR.chunks, orders[:, index], FOUR.model)
        graphs, _ = passes.thread_haplotypes(key, graphs, *at)
    haplotypes, weights = orders[:, -1], jnp.linspace(-1.0, 2.0, DRAWS)
    ahead, direction = tables(1), tables(2)[0]
    layout = WindowLayout.whole(len(FOUR.chunks))
    pruned = passes.take_out_haplotypes(graphs, haplotypes)

    def log_probability(size):
        """Up to what does not depend on the potentials: `u(path) - log Z(u)`, weighed."""
        moved = [eqx.tree_at(lambda a: a.table, a, a.table + size * direction.table) for a in ahead]
        log_z = thread_evidence(pruned, FOUR.chunks, FOUR.model, layout, moved)
        tilt = sum(
            np.asarray(jax.vmap(tilt_of, (None, 0, None, 0))(one, pruned[k], k, graphs[k]))
            for k, one in enumerate(moved)
        )
        return float(np.sum(np.asarray(weights) * (tilt - log_z)))

    def tilt_of(one, pruned, place, graph):
        potential = one.potential(pruned, FOUR.chunks[place], FOUR.model, None)
        return potential.of_path(*attachment(graph, pruned.haplotype))

    exact = (log_probability(1e-3) - log_probability(-1e-3)) / 2e-3
    given = (ahead, graphs, haplotypes, weights, FOUR.chunks, FOUR.model)
    slopes = []
    for seed in range(REPEATS):
        gradient = log_probability_gradient(jax.random.key(seed), *given)
        slopes.append(float(jnp.sum(gradient.table * direction.table)))
    error = np.std(slopes, ddof=1) / np.sqrt(REPEATS)
    assert abs(exact) > 8 * error
    assert abs(np.mean(slopes) - exact) < 4 * error


def test_a_network_learns_beside_a_closed_form():
    """Potentials on top of the carriers' move; the carriers' law does not."""
    orders = jnp.asarray(orders_of(FOUR)[:: len(orders_of(FOUR)) // DRAWS])
    graphs = passes.empty_graphs(orders[:, 0], FOUR.num_haplotypes, FOUR.chunks, CAPACITY)
    at = (FOUR.chunks, orders[:, 1], FOUR.model)
    graphs, _ = passes.thread_haplotypes(jax.random.key(0), graphs, *at)
    law = CarrierLookAhead.of(FOUR.model)
    both = [SummedLookAhead((law, table)) for table in tables(1)]
    given = (both, graphs, orders[:, 1], jnp.ones(DRAWS), FOUR.chunks, FOUR.model)
    gradient = log_probability_gradient(jax.random.key(1), *given)
    assert not gradient.parts[0].falls.any()
    assert gradient.parts[1].table.any()


def test_returns_are_what_follows_less_that_of_the_other_draws():
    log_weights = np.array([[1.0, 2.0, 6.0], [0.0, 3.0, 0.0]])
    found = centred_returns(log_weights)
    np.testing.assert_allclose(found[1], [-1.5, 3.0, -1.5])
    np.testing.assert_allclose(found[0], [1 - 5.5, 5 - 3.5, 6 - 3.0])
    with pytest.raises(ValueError, match="2 or more"):
        centred_returns(log_weights[:, :1])
