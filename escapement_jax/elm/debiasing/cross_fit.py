"""Predict everyone from a model that has not seen them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.elm.debiasing.network_projection import can_project, with_network
from escapement_jax.elm.debiasing.residual_network import (
    ResidualNetworks,
    fit_residual_networks,
    stacked_networks,
)
from escapement_jax.elm.debiasing.sparse_regression import (
    PairModel,
    empty_model,
    fit_sparse_regression,
    screened_pairs,
)
from escapement_jax.elm.genotypes.coding import CodedGenotypes
from escapement_jax.elm.linear_map.joint_moments import added, joint_sums

Phenotypes = Float[Array, "individuals traits"]


class CrossFit(eqx.Module):
    """Held-out residuals, and the effects within the predictors, averaged over folds.

    `residuals` are what `model` leaves over (and, if all pairs are in it, the network too).
    """

    residuals: Phenotypes
    model: PairModel
    regression: PairModel
    regression_residuals: Phenotypes
    predictor_residuals: Phenotypes
    networks: ResidualNetworks | None


def cross_fit(
    coded: CodedGenotypes,
    phenotypes: Phenotypes,
    pairs: Int[Array, "pairs 2"] | None,
    num_candidate_pairs: int,
    config: DecomposeConfig,
    *,
    key: PRNGKey,
    progress: bool = False,
) -> CrossFit:
    """Fit a predictor without each fold in turn and predict the fold.

    Args:
        coded: genotypes.
        phenotypes: traits, standardised.
        pairs: pairs of columns for the regression; None to screen them anew in every fold.
        num_candidate_pairs: pairs that could interact.
        config: predictor, folds and limits.
        key: random key.
        progress: whether to show a bar.
    """
    fold_key, network_key, draw_key = jax.random.split(key, 3)
    folds = fold_members(coded.num_individuals, config.folds, key=fold_key)
    others = [np.concatenate(folds[:k] + folds[k + 1 :]) for k in range(len(folds))]
    models = _regressions(coded, phenotypes, folds, pairs, num_candidate_pairs, config)
    predicted = jnp.stack([model.predict(coded.contrasts) for model in models])
    left_over = phenotypes - _from_own_fold(predicted, folds)
    if config.learner == "regression":
        model = _average(models, folds)
        return CrossFit(left_over, model, model, left_over, left_over, None)
    networks = fit_residual_networks(
        coded.inputs,
        phenotypes[None] - predicted,
        _same_length(others),
        config,
        gated=config.learner == "regression+network",
        key=network_key,
        progress=progress,
    )
    outputs = jnp.stack([networks.predict(coded.inputs, fold) for fold in range(len(folds))])
    residuals = unpredicted = left_over - _from_own_fold(outputs, folds)
    full_models = models
    projected = can_project(coded, models[0].pairs.shape[0])
    if projected:
        full_models = [
            with_network(model, networks, fold, coded, key=jax.random.fold_in(draw_key, fold))
            for fold, model in enumerate(models)
        ]
    if pairs is None or not projected:
        # Pairs of the network that are in no model must stay in the residual: what is taken
        # away from the phenotype is the explicit model alone.
        explicit = jnp.stack([model.predict(coded.contrasts) for model in full_models])
        residuals = _centred(phenotypes - _from_own_fold(explicit, folds), folds)
    full, regression = _average(full_models, folds), _average(models, folds)
    return CrossFit(residuals, full, regression, left_over, unpredicted, networks)


def empty_cross_fit(
    coded: CodedGenotypes, phenotypes: Phenotypes, config: DecomposeConfig
) -> CrossFit:
    """Return a cross-fit of the right structure in which nothing is fitted.

    Args:
        coded: genotypes.
        phenotypes: traits, standardised.
        config: predictor and folds.
    """
    traits, networks = phenotypes.shape[1], None
    if config.learner != "regression":
        loci, folds = coded.inputs.shape[1], config.folds
        untrained = stacked_networks(config, loci, traits, folds, key=jax.random.key(0))
        factor = jnp.zeros((folds, traits), phenotypes.dtype)
        networks = ResidualNetworks(untrained, factor, jnp.zeros(folds, int))
    model = empty_model(coded.num_columns, jnp.zeros((0, 2), jnp.int32), phenotypes)
    return CrossFit(phenotypes, model, model, phenotypes, phenotypes, networks)


def fold_members(individuals: int, folds: int, *, key: PRNGKey) -> list[np.ndarray]:
    """Return the individuals of each fold, drawn at random; sizes differ by one at most.

    Args:
        individuals: how many there are.
        folds: number of folds.
        key: random key.
    """
    order = np.asarray(jax.random.permutation(key, individuals))
    return [order[fold::folds] for fold in range(folds)]


def _regressions(
    coded: CodedGenotypes,
    phenotypes: Phenotypes,
    folds: list[np.ndarray],
    pairs: Int[Array, "pairs 2"] | None,
    num_candidate_pairs: int,
    config: DecomposeConfig,
) -> list[PairModel]:
    """Fit the regression without each fold, or list its features where a network does the work."""
    if pairs is not None and config.learner != "network":
        parts = [joint_sums(coded.contrasts[fold], phenotypes[fold], pairs) for fold in folds]
        total = added(parts)
        return [
            fit_sparse_regression(total.without(part), pairs, num_candidate_pairs) for part in parts
        ]
    models = []
    for fold in folds:
        rows = np.setdiff1d(np.arange(coded.num_individuals), fold)
        contrasts, targets = coded.contrasts[rows], phenotypes[rows]
        chosen = pairs
        if chosen is None:
            chosen = screened_pairs(contrasts, targets, coded.column_locus, config.max_joint_pairs)
        if config.learner == "network":
            models.append(empty_model(coded.num_columns, chosen, targets))
        else:
            sums = joint_sums(contrasts, targets, chosen)
            models.append(fit_sparse_regression(sums, chosen, num_candidate_pairs))
    return models


def _from_own_fold(
    values: Float[Array, "folds individuals traits"], folds: list[np.ndarray]
) -> Phenotypes:
    """Take for each individual the value from the model that has not seen it."""
    fold_of = np.zeros(values.shape[1], int)
    for fold, members in enumerate(folds):
        fold_of[members] = fold
    return values[fold_of, np.arange(fold_of.size)]


def _centred(residuals: Phenotypes, folds: list[np.ndarray]) -> Phenotypes:
    """Give every fold the mean zero: projections have no intercept."""
    for members in folds:
        residuals = residuals.at[members].add(-jnp.mean(residuals[members], axis=0)[None])
    return residuals


def _same_length(others: list[np.ndarray]) -> Int[Array, "folds train"]:
    """Stack index sets whose sizes differ by one at most; one compilation serves them all."""
    shortest = min(rows.size for rows in others)
    return jnp.asarray(np.stack([rows[:shortest] for rows in others]))


def _average(models: list[PairModel], folds: list[np.ndarray]) -> PairModel:
    """Average effects over folds, each weighted by the individuals it holds out."""
    total = sum(members.size for members in folds)
    weights = [members.size / total for members in folds]

    def mean(values: list[Array]) -> Array:
        return sum(
            (weight * value for weight, value in zip(weights, values, strict=True)),
            start=jnp.zeros_like(values[0]),
        )

    stacked = np.concatenate([np.asarray(model.pairs) for model in models])
    pairs, place = np.unique(stacked, axis=0, return_inverse=True)
    weighted = jnp.concatenate(
        [weight * model.epistatic for weight, model in zip(weights, models, strict=True)]
    )
    epistatic = jax.ops.segment_sum(weighted, jnp.asarray(place.reshape(-1)), pairs.shape[0])
    return PairModel(
        mean([model.intercept for model in models]),
        mean([model.additive for model in models]),
        jnp.asarray(pairs),
        epistatic,
    )
