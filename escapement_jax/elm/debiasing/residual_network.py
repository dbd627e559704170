"""Networks that learn what a regression leaves over, one for each fold."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.elm.fitting.replicates import member, train_replicates
from escapement_jax.elm.networks.base import AbstractNetwork
from escapement_jax.elm.networks.build import build_network

SMALLEST_T = 2.0
"""A network's output counts if its validation covariance exceeds this many standard errors."""


class ResidualNetworks(eqx.Module):
    """Stacked networks and the factor on the output of each.

    A factor is zero where the network does not predict its validation individuals.
    """

    networks: AbstractNetwork
    factor: Float[Array, "folds traits"]
    num_epochs: Int[Array, " folds"]

    def predict(
        self, genotypes: Float[Array, "individuals loci"], fold: int
    ) -> Float[Array, "individuals traits"]:
        """Return the output of one fold's network, scaled, in the dtype of the factors."""
        output = apply_network(member(self.networks, fold), genotypes)
        return output * self.factor[fold][None]


@eqx.filter_jit
def apply_network(
    network: AbstractNetwork, genotypes: Float[Array, "individuals loci"]
) -> Float[Array, "individuals traits"]:
    """Return the phenotypes of many genotypes, computed in single precision.

    Args:
        network: a trained network.
        genotypes: coded alleles, of any precision, which the result has too.
    """
    single = genotypes.astype(jnp.float32)
    return jax.vmap(network)(single).astype(genotypes.dtype)


def stacked_networks(
    config: DecomposeConfig, loci: int, traits: int, count: int, *, key: PRNGKey
) -> AbstractNetwork:
    """Return untrained networks along a leading axis.

    Args:
        config: kind and width of the network.
        loci: length of a genotype.
        traits: number of outputs.
        count: number of networks.
        key: random key.
    """

    def build(key: PRNGKey) -> AbstractNetwork:
        return build_network(
            config.network,
            loci,
            config.recipe.width,
            traits,
            constant_channel=config.has_constant_channel,
            key=key,
        )

    return eqx.filter_vmap(build)(jax.random.split(key, count))


def fit_residual_networks(
    genotypes: Float[Array, "individuals loci"],
    targets: Float[Array, "folds individuals traits"],
    train_index: Int[Array, "folds train"],
    config: DecomposeConfig,
    *,
    gated: bool,
    key: PRNGKey,
    progress: bool,
) -> ResidualNetworks:
    """Train one network per fold on the targets of its training individuals.

    Args:
        genotypes: coded alleles.
        targets: what each fold's network learns.
        train_index: training individuals of each fold, in random order; the last ones become
            its validation individuals.
        config: network and recipe.
        gated: whether outputs are scaled by how well they predict the validation individuals.
        key: random key.
        progress: whether to show a bar.
    """
    start_key, train_key = jax.random.split(key)
    folds, individuals = train_index.shape
    num_validation = max(int(config.validation_fraction * individuals), 1)
    validation = train_index[:, individuals - num_validation :]
    scale = jnp.std(targets, axis=1)
    run = train_replicates(
        stacked_networks(config, genotypes.shape[1], targets.shape[2], folds, key=start_key),
        genotypes.astype(jnp.float32),
        (targets / scale[:, None]).astype(jnp.float32),
        train_index[:, : individuals - num_validation],
        validation,
        config.recipe,
        key=train_key,
        progress=progress,
    )
    networks = ResidualNetworks(run.network, scale, run.num_epochs)
    if not gated:
        return networks
    trust = [
        _trust(networks.predict(genotypes[rows], fold), targets[fold, rows])
        for fold, rows in enumerate(np.asarray(validation))
    ]
    return ResidualNetworks(run.network, scale * jnp.stack(trust), run.num_epochs)


def _trust(
    predicted: Float[Array, "individuals traits"], observed: Float[Array, "individuals traits"]
) -> Float[Array, " traits"]:
    """Return the regression slope of observed on predicted, clipped to [0, 1]; 0 if in doubt."""
    product = jnp.sum(predicted * observed, axis=0)
    in_doubt = product < SMALLEST_T * jnp.sqrt(jnp.sum((predicted * observed) ** 2, axis=0))
    slope = jnp.clip(product / jnp.sum(predicted**2, axis=0), 0.0, 1.0)
    return jnp.where(in_doubt, 0.0, slope)
