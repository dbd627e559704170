"""The published form of homeostasis: one network of concentration and embedding for all."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey

WIDTH = 64
NUM_HIDDEN = 2
EMBEDDING_DIMENSION = 2
EMBEDDING_SCALE = 0.1
"""Standard deviation of untrained embeddings."""


class NodeFunction(eqx.Module):
    """``h_i(c) = MLP(c, a_i)``: hyperbolic tangents, two hidden layers of 64, embeddings of 2.

    Attributes:
        network: The multilayer perceptron, from ``1 + 2`` inputs to one output.
        embeddings: ``a_i`` of every metabolite.
    """

    network: eqx.nn.MLP
    embeddings: Float[Array, "metabolites embedding"]

    def __call__(
        self, concentrations: Float[Array, " metabolites"]
    ) -> Float[Array, " metabolites"]:
        """Return the homeostasis of every metabolite at a concentration each."""
        inputs = jnp.concatenate([concentrations[:, None], self.embeddings], axis=1)
        return jax.vmap(self.network)(inputs)

    def curves(self, concentrations: Float[Array, " points"]) -> Float[Array, "metabolites points"]:
        """Return the homeostasis of every metabolite over the same concentrations."""
        shape = (len(concentrations), len(self.embeddings))
        return jax.vmap(self)(jnp.broadcast_to(concentrations[:, None], shape)).T


def untrained_node_function(num_metabolites: int, *, key: PRNGKey) -> NodeFunction:
    """Return a node function that is zero everywhere: only its output layer is zero.

    The hidden layers are random, so that weights and embeddings get gradients as soon as the output
    layer has moved. (Were they zero as well, only the output's bias would ever learn.)

    Args:
        num_metabolites: Number of embeddings.
        key: Random key.
    """
    network_key, embedding_key = jax.random.split(key)
    network = node_network(key=network_key)
    silent = eqx.tree_at(
        lambda tree: (tree.layers[-1].weight, tree.layers[-1].bias),
        network,
        replace_fn=jnp.zeros_like,
    )
    shape = (num_metabolites, EMBEDDING_DIMENSION)
    return NodeFunction(silent, EMBEDDING_SCALE * jax.random.normal(embedding_key, shape))


def node_network(*, key: PRNGKey) -> eqx.nn.MLP:
    """Return the multilayer perceptron with random weights.

    Args:
        key: Random key.
    """
    return eqx.nn.MLP(
        in_size=1 + EMBEDDING_DIMENSION,
        out_size="scalar",
        width_size=WIDTH,
        depth=NUM_HIDDEN,
        activation=jnp.tanh,
        key=key,
    )
