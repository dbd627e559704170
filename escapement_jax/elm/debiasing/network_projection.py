"""The additive and pairwise part of a network, added to the regression that it corrects."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.elm.debiasing.residual_moments import linkage_covariance
from escapement_jax.elm.debiasing.residual_network import ResidualNetworks
from escapement_jax.elm.debiasing.sparse_regression import PairModel
from escapement_jax.elm.genotypes.coding import CodedGenotypes
from escapement_jax.elm.linear_map.projection import independent_loci, project

DRAWN_PER_FEATURE = 8
FEWEST_PER_FEATURE = 2


def can_project(coded: CodedGenotypes, num_pairs: int) -> bool:
    """Whether a network has a projection on contrasts and pairs of them.

    Independent loci can be drawn at will; linked ones leave the individuals at hand.

    Args:
        coded: genotypes of the population.
        num_pairs: pairs to project on.
    """
    features = coded.num_columns + num_pairs
    return not _are_linked(coded) or coded.num_individuals >= FEWEST_PER_FEATURE * features


def with_network(
    model: PairModel,
    networks: ResidualNetworks,
    fold: int,
    coded: CodedGenotypes,
    *,
    key: PRNGKey,
) -> PairModel:
    """Return the model plus the projection of one fold's network on the model's features.

    The projection is over individuals drawn with independent loci. If loci are linked it is over
    the individuals at hand, since a network says nothing sensible about haplotypes that linkage
    rules out.

    Args:
        model: regression of the fold.
        networks: networks of all folds.
        fold: which of them.
        coded: genotypes of the population.
        key: random key.
    """
    if not bool(jnp.any(networks.factor[fold] > 0)):
        return model
    inputs, contrasts = coded.inputs, coded.contrasts
    if not _are_linked(coded):
        features = coded.num_columns + model.pairs.shape[0]
        inputs, contrasts = _drawn(coded, DRAWN_PER_FEATURE * features, key=key)
    part = project(networks.predict(inputs, fold), contrasts, model.pairs)
    return eqx.tree_at(
        lambda model: (model.additive, model.epistatic),
        model,
        (model.additive + part.additive, model.epistatic + part.epistatic),
    )


def _are_linked(coded: CodedGenotypes) -> bool:
    covariance = linkage_covariance(coded.contrasts)
    return bool(jnp.any(covariance != jnp.diag(jnp.diagonal(covariance))))


def _drawn(
    coded: CodedGenotypes, num_drawn: int, *, key: PRNGKey
) -> tuple[Float[Array, "drawn loci"], Float[Array, "drawn columns"]]:
    who = independent_loci(coded.num_individuals, coded.num_loci, num_drawn, key=key)
    loci = jnp.arange(coded.num_loci)[None]
    columns = jnp.arange(coded.num_columns)[None]
    return coded.inputs[who, loci], coded.contrasts[who[:, coded.column_locus], columns]
