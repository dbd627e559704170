"""The decomposition as published: one network, its sensitivities, four-genotype contrasts.

"A quantitative-genetic decomposition of a neural network" (Arcadia Science, 2025). It gives no
uncertainty, and where it departs from the publication the publication was at fault: additive
effects are mean sensitivities, not half of them; the schedule and the stopping are steered by
validation individuals, not by the test individuals (`stop_on`); every pair counts once.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.elm.debiasing.residual_network import apply_network, stacked_networks
from escapement_jax.elm.fitting.replicates import member, train_replicates
from escapement_jax.elm.fitting.train import TrainingRun
from escapement_jax.elm.genotypes.coding import CodedGenotypes
from escapement_jax.elm.linear_map.jacobian import jacobians
from escapement_jax.elm.linear_map.pair_contrast import four_genotype_contrast
from escapement_jax.elm.networks.base import AbstractNetwork
from escapement_jax.elm.sample_split import SampleSplit
from escapement_jax.training.keeper import Keeper


class PublishedEffects(eqx.Module):
    """Effects on standardised traits, averaged over replicates, and the networks behind them."""

    additive: Float[Array, "traits loci"]
    interactions: Float[Array, "traits loci loci"]
    outputs: Float[Array, "test traits"]
    run: TrainingRun


def decompose_as_published(
    coded: CodedGenotypes,
    phenotypes: Float[Array, "individuals traits"],
    split: SampleSplit,
    config: DecomposeConfig,
    *,
    key: PRNGKey,
    progress: bool = False,
    keeper: Keeper | None = None,
) -> PublishedEffects:
    """Train networks and read effects off their sensitivities at the test individuals.

    Args:
        coded: haploid genotypes of all individuals.
        phenotypes: their traits, standardised.
        split: training and test individuals.
        config: recipe and number of replicates.
        key: random key.
        progress: whether to show a bar.
        keeper: takes every network that is trained, and brings those made before.

    Raises:
        ValueError: the genotypes are diploid, or there are no test individuals.
    """
    if coded.ploidy != 1:
        raise ValueError(
            f"the genotypes are of ploidy {coded.ploidy}, but method 'source' contrasts two "
            "alleles a locus; use method 'debiased'"
        )
    if split.test.size == 0:
        raise ValueError("method 'source' reads effects at test individuals; set test_fraction")
    start_key, split_key, train_key = jax.random.split(key, 3)
    train_rows, validation_rows = _steering(split, config, key=split_key)
    run = train_replicates(
        stacked_networks(
            config, coded.num_loci, phenotypes.shape[1], config.replicates, key=start_key
        ),
        coded.inputs.astype(jnp.float32),
        jnp.broadcast_to(phenotypes.astype(jnp.float32), (config.replicates, *phenotypes.shape)),
        train_rows,
        validation_rows,
        config.recipe,
        key=train_key,
        progress=progress,
        keeper=keeper,
    )
    test = coded.inputs[split.test]
    readings = [_reading(member(run.network, place), test) for place in range(config.replicates)]
    additive, interactions, outputs = (
        jnp.mean(jnp.stack(values), axis=0) for values in zip(*readings, strict=True)
    )
    return PublishedEffects(additive, interactions, outputs, run)


def _steering(split: SampleSplit, config: DecomposeConfig, *, key: PRNGKey) -> tuple[Array, Array]:
    """Return training and validation individuals of every replicate."""
    if config.stop_on == "test":
        train, test = (np.tile(rows, (config.replicates, 1)) for rows in split)
        return jnp.asarray(train), jnp.asarray(test)
    num_validation = max(int(config.validation_fraction * split.train.size), 1)
    orders = jnp.stack(
        [jax.random.permutation(k, split.train) for k in jax.random.split(key, config.replicates)]
    )
    return orders[:, num_validation:], orders[:, :num_validation]


def _reading(
    network: AbstractNetwork, genotypes: Float[Array, "test loci"]
) -> tuple[Array, Array, Array]:
    single = genotypes.astype(jnp.float32)
    sensitivity = jacobians(network, single).astype(genotypes.dtype)
    return (
        jnp.mean(sensitivity, axis=0),
        four_genotype_contrast(sensitivity, genotypes),
        apply_network(network, genotypes),
    )
