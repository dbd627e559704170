"""A recovered line for every metabolite, told as a node function with embeddings."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.homeostasis.source_view.node_function import NodeFunction, node_network

LARGEST_CONCENTRATION = 40.0
"""The published metrics look at concentrations from 0 to here."""
NUM_CONCENTRATIONS = 33
RIDGE = 1e-10
INPUT_SCALE = 0.1
"""Concentrations times this are of the size that hyperbolic tangents resolve."""


def distill(
    slopes: Float[Array, " metabolites"],
    offsets: Float[Array, " metabolites"],
    *,
    key: PRNGKey,
) -> NodeFunction:
    """Find a node function whose curve of metabolite i is ``slope_i c + offset_i``.

    The embeddings are slopes and offsets in units of their own spread, which uses no labels. The
    hidden layers stay random, and the output layer solves a linear least-squares problem over
    concentrations in [0, 40]: nothing is trained.

    Args:
        slopes: Of homeostasis, per unit of time.
        offsets: Of homeostasis at concentration 0.
        key: Random key of the hidden layers.
    """
    embeddings = jnp.stack([_spread_units(slopes), _spread_units(offsets)], axis=1)
    hidden = _rescaled_input(node_network(key=key))
    concentrations = jnp.linspace(0.0, LARGEST_CONCENTRATION, NUM_CONCENTRATIONS)
    features = _features(hidden, embeddings, concentrations)
    targets = slopes[:, None] * concentrations[None, :] + offsets[:, None]
    scale = jnp.maximum(jnp.std(targets), jnp.finfo(targets.dtype).tiny)
    weights = _ridge(features.reshape(-1, features.shape[-1]), targets.ravel() / scale) * scale
    network = eqx.tree_at(
        lambda tree: (tree.layers[-1].weight, tree.layers[-1].bias),
        hidden,
        (weights[None, :-1], weights[-1:]),
    )
    return NodeFunction(network, embeddings)


def _spread_units(values: Float[Array, " metabolites"]) -> Float[Array, " metabolites"]:
    centred = values - jnp.median(values)
    spread = jnp.std(values)
    return jnp.where(spread > 0, centred / jnp.where(spread > 0, spread, 1.0), 0.0)


def _rescaled_input(network: eqx.nn.MLP) -> eqx.nn.MLP:
    """Fold the scale of concentrations into the first layer."""
    factors = jnp.ones(network.layers[0].weight.shape[1]).at[0].set(INPUT_SCALE)
    return eqx.tree_at(
        lambda tree: tree.layers[0].weight,
        network,
        replace_fn=lambda weight: weight * factors[None, :],
    )


def _features(
    network: eqx.nn.MLP,
    embeddings: Float[Array, "metabolites embedding"],
    concentrations: Float[Array, " points"],
) -> Float[Array, "metabolites points features"]:
    """Return what the output layer sees, and a one for its bias."""

    def one(embedding: Array, concentration: Array) -> Array:
        signal = jnp.concatenate([concentration[None], embedding])
        for layer in network.layers[:-1]:
            signal = jnp.tanh(layer(signal))
        return jnp.append(signal, 1.0)

    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(embeddings, concentrations)


def _ridge(
    features: Float[Array, "rows features"], targets: Float[Array, " rows"]
) -> Float[Array, " features"]:
    """Solve least squares with a small ridge, by singular values of the features."""
    left, singular, right = jnp.linalg.svd(features, full_matrices=False)
    shrunk = singular / (singular**2 + RIDGE * singular[0] ** 2)
    return right.T @ (shrunk * (left.T @ targets))
