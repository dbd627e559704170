"""The published analysis log: every metric under its published name."""

import numpy as np
from jaxtyping import Bool, Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.homeostasis.simulation.truth import Truth
from escapement_jax.homeostasis.source_view.metrics import fitted_lines, node_metrics
from escapement_jax.homeostasis.source_view.node_function import NodeFunction
from escapement_jax.homeostasis.source_view.rate_constants import (
    identity_r2,
    rate_constants_r2,
    structural_ceiling,
)


def analyse(
    node: NodeFunction,
    log10_rates: Float[np.ndarray, " reactions"],
    identifiable: Bool[np.ndarray, " reactions"],
    truth: Truth,
    *,
    key: PRNGKey,
) -> dict[str, float]:
    """Score homeostasis, embeddings and rate constants against the truth.

    The names are the published ones; `rate_constants_R2_ceiling` (what a perfect fit scores),
    `identifiable_rate_constants_R2` (about the identity, over rates that can be known) and
    `slope_error` (of single metabolites) are added, as the published ones hide what they tell.

    Args:
        node: Homeostasis.
        log10_rates: Recovered log10 rate constants; not finite where one is not positive.
        identifiable: Whether each can be known at all.
        truth: What is true.
        key: Random key.
    """
    metrics = node_metrics(node, truth)
    slopes, offsets, _ = fitted_lines(node)
    types, true_rates = np.asarray(truth.types), np.asarray(truth.log10_rates)
    usable = np.where(np.isfinite(log10_rates), log10_rates, np.nanmin(log10_rates))
    entries: dict[str, float] = {
        "avg_slope_ratio": metrics.avg_slope_ratio,
        "phase2_node_magnitude": metrics.magnitude,
    }
    for kind, slope in enumerate(np.asarray(truth.type_slopes)):
        members = types == kind
        entries |= {
            f"MLP_node_slope_{kind}": float(slopes[members].mean()),
            f"MLP_node_gt_slope_{kind}": float(slope),
            f"MLP_node_slope_ratio_{kind}": metrics.slope_ratios[kind],
            f"MLP_node_offset_{kind}": float(offsets[members].mean()),
            f"MLP_node_gt_offset_{kind}": float(truth.type_offsets[kind]),
            f"MLP_node_offset_ratio_{kind}": metrics.offset_ratios[kind],
        }
    return entries | {
        "slope_error": metrics.slope_error,
        "embedding_cluster_acc": metrics.cluster_accuracy,
        "embedding_n_clusters": metrics.num_clusters,
        "embedding_silhouette": metrics.silhouette,
        "rate_constants_R2": rate_constants_r2(usable, true_rates),
        "rate_constants_R2_ceiling": structural_ceiling(truth.model.network, true_rates, key=key),
        "identifiable_rate_constants_R2": identity_r2(
            usable[identifiable], true_rates[identifiable]
        ),
    }
