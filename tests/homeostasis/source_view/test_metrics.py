"""Distilled node functions, and the published metrics on lines that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.homeostasis.source_view.analysis import analyse
from escapement_jax.homeostasis.source_view.distillation import distill
from escapement_jax.homeostasis.source_view.distilled_recovery import distilled_recovery
from escapement_jax.homeostasis.source_view.metrics import fitted_lines, node_metrics
from escapement_jax.homeostasis.source_view.node_function import untrained_node_function
from escapement_jax.homeostasis.source_view.prediction import predict
from escapement_jax.homeostasis.source_view.rate_constants import (
    identity_r2,
    rate_constants_r2,
    structural_ceiling,
)
from tests.reference.known_recovery import known_recovery, small_simulation


@pytest.fixture(scope="module")
def truth():
    return small_simulation().truth


@pytest.fixture(scope="module")
def distilled(truth):
    return distill(truth.model.slopes, truth.model.offsets, key=jax.random.key(3))


def test_distilled_curves_are_the_lines(truth, distilled):
    grid = jnp.linspace(0.0, 40.0, 7)
    lines = truth.model.slopes[:, None] * grid[None, :] + truth.model.offsets[:, None]
    np.testing.assert_allclose(distilled.curves(grid), lines, atol=3e-4 * np.abs(lines).max())


def test_the_truth_distilled_has_perfect_metrics(truth, distilled):
    metrics = node_metrics(distilled, truth)
    np.testing.assert_allclose(metrics.slope_ratios, 1, atol=1e-4)
    np.testing.assert_allclose(metrics.offset_ratios, 1, atol=1e-3)
    assert metrics.avg_slope_ratio == pytest.approx(1, abs=1e-4)
    assert (metrics.cluster_accuracy, metrics.num_clusters) == (1.0, 2)
    assert metrics.silhouette > 0.99


def test_twice_the_slopes_have_ratio_two(truth):
    node = distill(2.0 * truth.model.slopes, truth.model.offsets, key=jax.random.key(3))
    np.testing.assert_allclose(node_metrics(node, truth).slope_ratios, 2, atol=1e-3)


def test_one_type_for_all_can_be_distilled(truth):
    count = len(truth.types)
    node = distill(jnp.full(count, -0.001), jnp.full(count, 0.004), key=jax.random.key(3))
    slopes, offsets, _ = fitted_lines(node)
    np.testing.assert_allclose(slopes, -0.001, rtol=1e-3)
    np.testing.assert_allclose(offsets, 0.004, rtol=1e-3)


def test_an_untrained_node_function_is_silent_but_can_learn(truth):
    node = untrained_node_function(len(truth.types), key=jax.random.key(1))
    metrics = node_metrics(node, truth)
    assert metrics.avg_slope_ratio == metrics.magnitude == 0
    assert metrics.log_slope_error == float("inf")
    hidden = node.network.layers[0].weight
    assert np.abs(hidden).min() > 0  # else weights and embeddings would never get a gradient


def test_types_are_recovered_although_single_slopes_are_uncertain():
    recovery = known_recovery(small_simulation())
    node = distilled_recovery(recovery, key=jax.random.key(1))
    metrics = node_metrics(node, small_simulation().truth)
    assert metrics.cluster_accuracy == 1
    np.testing.assert_allclose(metrics.slope_ratios, 1, atol=0.011)


def test_correlation_forgives_a_scale_that_identity_does_not():
    rates = np.array([-2.0, -1.5, -1.0])
    assert rate_constants_r2(rates + 0.3, rates) == pytest.approx(1)
    assert identity_r2(rates, rates) == 1
    assert identity_r2(rates + 0.3, rates) < 0.5


def test_the_ceiling_is_below_one_where_a_reaction_never_runs(truth):
    network, rates = truth.model.network, np.asarray(truth.log10_rates)
    ceiling = structural_ceiling(network, rates, key=jax.random.key(1))
    assert 0.5 < ceiling < 0.9999


def test_the_analysis_log_has_the_published_names(truth):
    recovery = known_recovery(small_simulation())
    node = distilled_recovery(recovery, key=jax.random.key(1))
    entries = analyse(
        node, recovery.log10_rates, recovery.identifiable, truth, key=jax.random.key(1)
    )
    assert {
        "avg_slope_ratio",
        "MLP_node_slope_ratio_1",
        "MLP_node_gt_offset_0",
        "embedding_cluster_acc",
        "embedding_n_clusters",
        "embedding_silhouette",
        "rate_constants_R2",
        "phase2_node_magnitude",
    } <= set(entries)
    assert entries["identifiable_rate_constants_R2"] == pytest.approx(1)
    assert entries["MLP_node_gt_slope_1"] == -0.002


def test_the_true_model_predicts_the_trajectory():
    simulation = small_simulation()
    recovery = known_recovery(simulation)
    prediction = predict(recovery, simulation.time_courses, trajectory=1, duration=2.0)
    assert len(prediction.times) == 21
    assert prediction.normalised_error < 1e-9
