"""Clusters by density, matching and silhouettes against their definitions."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.homeostasis.source_view.clustering import (
    density_clusters,
    matched_accuracy,
    noise_as_cluster,
    silhouette,
)


def blobs(seed: int, size: int = 8) -> np.ndarray:
    generator = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    spread = generator.uniform(-0.03, 0.03, (3, size, 2))
    return (centres[:, None] + spread).reshape(-1, 2)


def test_well_parted_groups_are_the_clusters():
    labels = density_clusters(blobs(1))
    assert labels.tolist() == [0] * 8 + [1] * 8 + [2] * 8


def test_points_without_neighbours_are_noise():
    points = np.concatenate([blobs(1), [[10.0, 10.0]]])
    labels = density_clusters(points)
    assert labels[-1] == -1
    assert noise_as_cluster(labels)[-1] == 3


def test_a_chain_of_core_points_is_one_cluster_with_its_fringe():
    points = np.stack([np.arange(12) * 0.04, np.zeros(12)], axis=1)
    labels = density_clusters(points, radius=0.1, fewest_neighbours=5)
    # The outermost points have only three neighbours: fringe, but reached.
    assert (labels == 0).all()


@given(st.integers(0, 10**6))
def test_matching_is_the_best_of_all_permutations(seed):
    generator = np.random.default_rng(seed)
    labels, types = generator.integers(0, 3, (2, 12))
    best = max(
        np.mean(np.array(order)[labels] == types) for order in itertools.permutations(range(3))
    )
    assert matched_accuracy(labels, types) == pytest.approx(best)


@given(st.integers(0, 10**6))
def test_silhouette_is_its_definition(seed):
    generator = np.random.default_rng(seed)
    points, labels = generator.normal(size=(9, 2)), np.array([0, 0, 0, 1, 1, 1, 1, 2, 2])
    values = []
    for point, label in zip(points, labels, strict=True):
        distances = np.linalg.norm(points - point, axis=1)
        own = distances[labels == label].sum() / ((labels == label).sum() - 1)
        other = min(distances[labels == kind].mean() for kind in {0, 1, 2} - {label})
        values.append((other - own) / max(own, other))
    assert silhouette(points, labels) == pytest.approx(np.mean(values))


def test_silhouette_of_one_cluster_is_not_a_number():
    assert np.isnan(silhouette(blobs(1), np.zeros(24, dtype=int)))


def test_a_point_alone_counts_nothing():
    points = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    assert silhouette(points, np.array([0, 0, 1])) == pytest.approx(2 / 3)
