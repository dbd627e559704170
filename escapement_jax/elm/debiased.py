"""The default decomposition: cross-fitted, debiased, then shrunken."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.elm.anchors.pair_scan import strongest_pairs
from escapement_jax.elm.debiasing.cross_fit import CrossFit, cross_fit, empty_cross_fit
from escapement_jax.elm.debiasing.discovery import benjamini_hochberg, two_sided_p_values
from escapement_jax.elm.debiasing.residual_moments import (
    Estimates,
    debiased_estimates,
    debiased_pair_estimates,
    dual_contrasts,
    linkage_covariance,
)
from escapement_jax.elm.debiasing.shrinkage import adaptive_shrinkage
from escapement_jax.elm.debiasing.sparse_regression import PairModel
from escapement_jax.elm.effects import EffectTable, VarianceComponents
from escapement_jax.elm.genotypes.coding import CodedGenotypes
from escapement_jax.elm.variance_components import variance_components
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.named_arrays import pack_tree, unpack_tree

Phenotypes = Float[Array, "individuals traits"]


class DebiasedEffects(eqx.Module):
    """Effects on standardised traits, with the cross-fits behind them."""

    additive: EffectTable
    epistatic: EffectTable
    pairs: Int[Array, "pairs 2"]
    variance: VarianceComponents
    fits: tuple[CrossFit, ...]
    num_candidate_pairs: int = eqx.field(static=True)


def decompose_debiased(
    coded: CodedGenotypes,
    phenotypes: Phenotypes,
    config: DecomposeConfig,
    *,
    key: PRNGKey,
    progress: bool = False,
    keeper: Keeper | None = None,
) -> DebiasedEffects:
    """Estimate all effects from the training individuals.

    Args:
        coded: genotypes of the training individuals.
        phenotypes: their traits, standardised.
        config: predictor, folds, replicates and limits.
        key: random key.
        progress: whether to show bars.
        keeper: takes the fit of every replicate, and brings those made before.
    """
    keeper = keeper or Keeper()
    candidates = count_pairs(coded)
    joint = all_pairs(coded) if candidates <= config.max_joint_pairs else None
    fits = tuple(
        _kept_or_made(number, coded, phenotypes, joint, candidates, config, keeper, progress, key)
        for number, key in enumerate(jax.random.split(key, config.replicates))
    )
    covariance = linkage_covariance(coded.contrasts)
    duals = dual_contrasts(coded.contrasts, covariance)
    pairs = _reported_pairs(coded, duals, fits, candidates, config.max_reported_pairs)
    additive = _mean(
        [
            debiased_estimates(coded.contrasts, duals, fit.residuals, fit.model.additive.T)
            for fit in fits
        ]
    )
    epistatic = _mean(
        [
            debiased_pair_estimates(
                coded.contrasts, duals, fit.residuals, pairs, _looked_up(fit.model, pairs).T
            )
            for fit in fits
        ]
    )
    table = _pair_table(epistatic, candidates)
    complete = pairs.shape[0] == candidates
    variance = variance_components(
        additive.estimate,
        epistatic.estimate if complete else table.effect,
        pairs,
        coded.column_kind,
        coded.contrasts,
        covariance,
        jnp.var(jnp.stack([fit.residuals for fit in fits]), axis=(0, 1)),
        shrunken=not complete,
    )
    return DebiasedEffects(_additive_table(additive), table, pairs, variance, fits, candidates)


def _kept_or_made(
    number: int,
    coded: CodedGenotypes,
    phenotypes: Phenotypes,
    pairs: Int[Array, "pairs 2"] | None,
    candidates: int,
    config: DecomposeConfig,
    keeper: Keeper,
    progress: bool,
    key: PRNGKey,
) -> CrossFit:
    """The cross-fit of one replicate."""
    section = f"replicate {number}"
    if (arrays := keeper.kept(section)) is not None:
        return unpack_tree(empty_cross_fit(coded, phenotypes, config), arrays)
    made = cross_fit(coded, phenotypes, pairs, candidates, config, key=key, progress=progress)
    place = f"{number + 1} of {config.replicates} replicates fitted"
    keeper.offer(section, place, lambda: pack_tree(made))
    return made


def count_pairs(coded: CodedGenotypes) -> int:
    """Return the number of pairs of columns that belong to different loci."""
    columns = coded.num_columns
    per_locus = np.bincount(np.asarray(coded.column_locus))
    return columns * (columns - 1) // 2 - int(np.sum(per_locus * (per_locus - 1) // 2))


def all_pairs(coded: CodedGenotypes) -> Int[Array, "pairs 2"]:
    """Return all pairs of columns that belong to different loci, the smaller first."""
    first, second = np.triu_indices(coded.num_columns, 1)
    locus = np.asarray(coded.column_locus)
    apart = locus[first] != locus[second]
    return jnp.asarray(np.stack([first[apart], second[apart]], axis=1), jnp.int32)


def _reported_pairs(
    coded: CodedGenotypes,
    duals: Float[Array, "individuals columns"],
    fits: tuple[CrossFit, ...],
    candidates: int,
    most: int,
) -> Int[Array, "pairs 2"]:
    """Return all pairs, or those that the predictors use or that stand out in the residuals."""
    if candidates <= most:
        return all_pairs(coded)
    used = np.concatenate([np.asarray(fit.model.pairs) for fit in fits])
    traits = fits[0].residuals.shape[1]
    each = max((most - used.shape[0]) // traits, 1)
    found = strongest_pairs(duals, fits[0].residuals, coded.column_locus, keep=each).pairs
    both = np.concatenate([used, np.asarray(found).reshape(-1, 2)])
    return jnp.asarray(np.unique(both, axis=0), jnp.int32)


def _looked_up(model: PairModel, pairs: Int[Array, "pairs 2"]) -> Float[Array, "pairs traits"]:
    """Return the model's interactions of given pairs, zero where it has none."""
    known, wanted = np.asarray(model.pairs), np.asarray(pairs)
    _, place = np.unique(np.concatenate([known, wanted]), axis=0, return_inverse=True)
    place = place.reshape(-1)
    rows = jnp.zeros((int(place.max()) + 1, model.epistatic.shape[1]), model.epistatic.dtype)
    rows = rows.at[place[: len(known)]].set(model.epistatic)
    return rows[place[len(known) :]]


def _mean(estimates: list[Estimates]) -> Estimates:
    """Average over replicates, which share the data: errors do not shrink."""
    return jax.tree.map(lambda *leaves: sum(leaves[1:], leaves[0]) / len(leaves), *estimates)


@jax.jit
def _additive_table(found: Estimates) -> EffectTable:
    p_value = two_sided_p_values(found.estimate, found.stderr)
    q_value = jax.vmap(lambda p: benjamini_hochberg(p, p.shape[0]))(p_value)
    shrunken = jax.vmap(adaptive_shrinkage)(found.estimate, found.stderr)
    # Additive effects are not shrunken: a prior learned from few of them costs more than it
    # brings (measured on the published data).
    return EffectTable(
        found.estimate,
        found.estimate,
        found.stderr,
        p_value,
        q_value,
        shrunken.inclusion_probability,
    )


@eqx.filter_jit
def _pair_table(found: Estimates, num_tests: int) -> EffectTable:
    unseen = num_tests - found.estimate.shape[1]
    p_value = two_sided_p_values(found.estimate, found.stderr)
    q_value = jax.vmap(lambda p: benjamini_hochberg(p, num_tests))(p_value)
    shrunken = jax.vmap(lambda *pair: adaptive_shrinkage(*pair, num_unseen_nulls=unseen))(
        found.estimate, found.stderr
    )
    return EffectTable(
        shrunken.effect,
        found.estimate,
        found.stderr,
        p_value,
        q_value,
        shrunken.inclusion_probability,
    )
