"""The published form of the reactions: one network of concentration and order for all."""

from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.homeostasis.network import Network

Model = TypeVar("Model", bound=eqx.Module)

WIDTH = 64
NUM_HIDDEN = 2
SMALLEST_FACTOR = 1e-8
INITIAL_LOG10_RATES = (-2.0, 1.0)


class SubstrateNetwork(eqx.Module):
    """``dc/dt = S (10^log10_k prod_i |MLP(c_i, o_ij)|)``, two hidden layers of 64.

    The published model takes the softplus of the product, which leaves every reaction running at
    0.69 k where its substrates are gone, more than homeostasis: here the product is taken as it is.

    Attributes:
        stoichiometry: Of the reactions.
        memberships: For each order that occurs, which metabolites have it in which reactions.
        orders: The orders that occur.
        network: The multilayer perceptron of concentration and order.
        log10_rates: log10 rate constants.
    """

    stoichiometry: Float[Array, "metabolites reactions"]
    memberships: Float[Array, "orders metabolites reactions"]
    orders: Float[Array, " orders"]
    network: eqx.nn.MLP
    log10_rates: Float[Array, " reactions"]

    def __call__(
        self, concentrations: Float[Array, " metabolites"]
    ) -> Float[Array, " metabolites"]:
        """Return ``dc/dt`` by reactions alone."""
        # A reaction that needs nothing has no factors and would run at k, but never does.
        acts = jnp.any(self.memberships > 0, axis=(0, 1))
        logs = jax.vmap(lambda order: jnp.log(self.factors(concentrations, order)))(self.orders)
        products = jnp.exp(jnp.einsum("om,omr->r", logs, self.memberships))
        rates = jnp.where(acts, 10.0**self.log10_rates * products, 0.0)
        return self.stoichiometry @ rates

    def factors(
        self, concentrations: Float[Array, " points"], order: Float[Array, ""]
    ) -> Float[Array, " points"]:
        """Return ``|MLP(c, order)|``, kept above 0 for its logarithm."""
        inputs = jnp.stack([concentrations, jnp.broadcast_to(order, concentrations.shape)], axis=1)
        return jnp.maximum(jnp.abs(jax.vmap(self.network)(inputs)), SMALLEST_FACTOR)

    @property
    def normalised_log10_rates(self) -> Float[Array, " reactions"]:
        """log10 rate constants that go with factors scaled to be 1 at concentration 1."""
        one = jnp.ones(1, dtype=self.orders.dtype)
        at_one = jax.vmap(lambda order: jnp.log10(self.factors(one, order)[0]))(self.orders)
        return self.log10_rates + jnp.einsum("o,omr->r", at_one, self.memberships)


def untrained_substrate_network(network: Network, *, key: PRNGKey) -> SubstrateNetwork:
    """Return the model before phase 1: random weights, log10 rates uniform on [-2, 1].

    Args:
        network: The reactions.
        key: Random key.
    """
    network_key, rate_key = jax.random.split(key)
    orders = np.asarray(network.substrate_orders)
    occurring = np.unique(orders[orders > 0])
    low, high = INITIAL_LOG10_RATES
    model = SubstrateNetwork(
        stoichiometry=jnp.asarray(network.stoichiometry),
        memberships=jnp.asarray(orders == occurring[:, None, None], dtype=float),
        orders=jnp.asarray(occurring),
        network=eqx.nn.MLP(2, "scalar", WIDTH, NUM_HIDDEN, jnp.tanh, key=network_key),
        log10_rates=jax.random.uniform(rate_key, (orders.shape[1],), minval=low, maxval=high),
    )
    return single_precision(model)


def single_precision(tree: Model) -> Model:
    """Return a model with all its floating-point arrays in single precision, as published.

    Args:
        tree: Any model.
    """
    return jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32) if eqx.is_inexact_array(leaf) else leaf, tree
    )
