"""The published metrics of a node function against the truth, and honest ones beside them."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from escapement_jax.homeostasis.simulation.truth import Truth
from escapement_jax.homeostasis.source_view.clustering import (
    density_clusters,
    matched_accuracy,
    noise_as_cluster,
    silhouette,
)
from escapement_jax.homeostasis.source_view.distillation import LARGEST_CONCENTRATION
from escapement_jax.homeostasis.source_view.node_function import NodeFunction

NUM_POINTS = 50


@dataclasses.dataclass(frozen=True)
class NodeMetrics:
    """How a node function compares with the truth.

    Attributes:
        slope_ratios: For every true type, mean slope of its members over the true slope; best 1.
        offset_ratios: The same of the offsets.
        slope_error: Root mean square of the relative errors of the slopes of single metabolites,
            which the ratios of means can hide.
        cluster_accuracy: Share of metabolites whose embedding is in the cluster of their type.
        num_clusters: Number of clusters of embeddings.
        silhouette: How well the clusters are set apart, at most 1; NaN with fewer than two.
        magnitude: Mean of ``|h_i(c)|`` over metabolites and concentrations from 0 to 40.
    """

    slope_ratios: tuple[float, ...]
    offset_ratios: tuple[float, ...]
    slope_error: float
    cluster_accuracy: float
    num_clusters: int
    silhouette: float
    magnitude: float

    @property
    def avg_slope_ratio(self) -> float:
        """The published primary metric: the mean of the slope ratios."""
        return float(np.mean(self.slope_ratios))

    @property
    def log_slope_error(self) -> float:
        """Mean of ``|log slope ratio|``, infinite where a slope has the wrong sign; best 0."""
        ratios = np.asarray(self.slope_ratios)
        return float(np.abs(np.log(ratios)).mean()) if (ratios > 0).all() else float("inf")


def node_metrics(node: NodeFunction, truth: Truth) -> NodeMetrics:
    """Compare a node function with the truth as published, by lines through its curves on [0, 40].

    Args:
        node: The one to score.
        truth: What is true; it serves for scoring alone.
    """
    slopes, offsets, magnitude = fitted_lines(node)
    types = np.asarray(truth.types)
    true_slopes, true_offsets = np.asarray(truth.type_slopes), np.asarray(truth.type_offsets)
    embeddings = np.asarray(node.embeddings)
    finite = bool(np.isfinite(embeddings).all() and np.isfinite(slopes).all())
    clusters = density_clusters(embeddings) if finite else np.full(len(types), -1)
    labels = noise_as_cluster(clusters)
    return NodeMetrics(
        slope_ratios=_ratios(slopes, types, true_slopes),
        offset_ratios=_ratios(offsets, types, true_offsets),
        slope_error=float(np.sqrt(np.mean((slopes / true_slopes[types] - 1) ** 2))),
        cluster_accuracy=matched_accuracy(labels, types),
        num_clusters=int(clusters.max() + 1),
        silhouette=silhouette(embeddings, labels) if clusters.max() > 0 else float("nan"),
        magnitude=magnitude,
    )


def fitted_lines(
    node: NodeFunction,
) -> tuple[Float[np.ndarray, " metabolites"], Float[np.ndarray, " metabolites"], float]:
    """Fit a line through every curve at 50 concentrations from 0 to 40.

    Args:
        node: The curves.

    Returns:
        Slopes; offsets; mean magnitude of the curves.
    """
    concentrations = np.linspace(0.0, LARGEST_CONCENTRATION, NUM_POINTS)
    dtype = node.embeddings.dtype
    curves = np.asarray(node.curves(jnp.asarray(concentrations, dtype=dtype)), dtype=float)
    design = np.stack([concentrations, np.ones(NUM_POINTS)], axis=1)
    slopes, offsets = np.linalg.pinv(design) @ curves.T
    return slopes, offsets, float(np.abs(curves).mean())


def _ratios(values: np.ndarray, types: np.ndarray, truths: np.ndarray) -> tuple[float, ...]:
    return tuple(float(values[types == kind].mean() / true) for kind, true in enumerate(truths))
