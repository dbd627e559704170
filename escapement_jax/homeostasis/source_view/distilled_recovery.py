"""The published view of a recovery."""

import jax.numpy as jnp

from escapement_jax.array_types import PRNGKey
from escapement_jax.homeostasis.recovery import Recovery
from escapement_jax.homeostasis.source_view.distillation import distill
from escapement_jax.homeostasis.source_view.node_function import NodeFunction


def distilled_recovery(recovery: Recovery, *, key: PRNGKey) -> NodeFunction:
    """Tell a recovery as a node network with embeddings.

    The line of a metabolite is its expectation over types, ``sum_t p_it (slope_t c + offset_t)``:
    estimates of single metabolites shrunk to the types, which no label has told.

    Args:
        recovery: What was recovered.
        key: Random key of the network's hidden layers.
    """
    probabilities = jnp.asarray(recovery.type_probabilities)
    slopes = probabilities @ jnp.asarray(recovery.type_slopes)
    offsets = probabilities @ jnp.asarray(recovery.type_offsets)
    return distill(slopes, offsets, key=key)
