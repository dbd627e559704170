"""Additive and epistatic effects of genotypes on phenotypes."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.elm.anchors.comparison import Anchor, r_squared, run_anchors
from escapement_jax.elm.debiased import all_pairs, count_pairs, decompose_debiased
from escapement_jax.elm.debiasing.cross_fit import CrossFit
from escapement_jax.elm.debiasing.residual_network import ResidualNetworks
from escapement_jax.elm.effects import Effects, EffectTable, NetworkReport, VarianceComponents
from escapement_jax.elm.fitting.replicates import member
from escapement_jax.elm.genotypes.coding import CodedGenotypes, encode
from escapement_jax.elm.network_report import held_out_gain, report_network
from escapement_jax.elm.phenotypes import Phenotypes, check_phenotypes
from escapement_jax.elm.published_recipe import decompose_as_published
from escapement_jax.elm.sample_split import SampleSplit, split_samples
from escapement_jax.training.keeper import Keeper

DEFAULT = DecomposeConfig()
JOINT_ANCHORS = ("pairwise", "lasso", "spike-slab")
"""Anchors that take all pairs at once, and so are left out where there are too many."""


class _Data(eqx.Module):
    """Checked data and the split of the individuals."""

    coded: CodedGenotypes
    phenotypes: Phenotypes
    split: SampleSplit


def decompose(
    genotypes: ArrayLike | CodedGenotypes,
    phenotypes: ArrayLike,
    config: DecomposeConfig = DEFAULT,
    *,
    key: PRNGKey,
    locus_names: Sequence[str] | None = None,
    trait_names: Sequence[str] | None = None,
    progress: bool = False,
    keeper: Keeper | None = None,
) -> Effects:
    """Decompose phenotypes into additive and pairwise effects, with standard errors.

    Arrays have double precision if JAX's 64-bit mode is on.

    Args:
        genotypes: individuals by loci, haploid (-1, 1 or 0, 1) or diploid (0, 1, 2), or coded.
        phenotypes: individuals by traits, without missing values.
        config: method, predictor and limits.
        key: random key.
        locus_names: one for each locus.
        trait_names: one for each trait.
        progress: whether to show bars.
        keeper: takes the fit of every replicate, and brings those made before.

    Raises:
        ValueError: genotypes or phenotypes cannot be used; the message names the offender.
    """
    dtype = jnp.zeros(0).dtype
    coded = genotypes
    if not isinstance(coded, CodedGenotypes):
        coded = encode(coded, locus_names=locus_names, dtype=dtype)
    checked = check_phenotypes(phenotypes, coded.num_individuals, names=trait_names, dtype=dtype)
    split_key, method_key, report_key = jax.random.split(key, 3)
    data = _Data(coded, checked, split_samples(coded.num_individuals, config, key=split_key))
    method = _published if config.method == "source" else _debiased
    keys = {"key": method_key, "report_key": report_key}
    return method(data, config, **keys, progress=progress, keeper=keeper)


def _debiased(
    data: _Data,
    config: DecomposeConfig,
    *,
    key: PRNGKey,
    report_key: PRNGKey,
    progress: bool,
    keeper: Keeper | None,
) -> Effects:
    train = data.coded.rows(data.split.train)
    targets = data.phenotypes.values[data.split.train]
    found = decompose_debiased(train, targets, config, key=key, progress=progress, keeper=keeper)
    fit, network = found.fits[0], None
    if fit.networks is not None:
        network = _report_of_folds(data, fit, fit.networks, key=report_key)
    return _effects(
        data,
        config,
        additive=found.additive,
        epistatic=found.epistatic,
        pairs=found.pairs,
        variance=found.variance,
        network=network,
        warnings=_warnings(data, config, network),
    )


def _published(
    data: _Data,
    config: DecomposeConfig,
    *,
    key: PRNGKey,
    report_key: PRNGKey,
    progress: bool,
    keeper: Keeper | None,
) -> Effects:
    values, test = data.phenotypes.values, data.split.test
    found = decompose_as_published(
        data.coded, values, data.split, config, key=key, progress=progress, keeper=keeper
    )
    network = report_network(
        member(found.run.network, 0),
        jnp.ones_like(data.phenotypes.scale),
        data.coded.rows(test),
        found.outputs,
        values[test],
        data.phenotypes,
        found.run.num_epochs,
        key=report_key,
    )
    pairs = all_pairs(data.coded)
    interactions = found.interactions[:, pairs[:, 0], pairs[:, 1]]
    unknown = jnp.full_like(data.phenotypes.scale, jnp.nan)[:, None]
    effects = _effects(
        data,
        config,
        additive=EffectTable.without_uncertainty(found.additive),
        epistatic=EffectTable.without_uncertainty(interactions),
        pairs=pairs,
        variance=VarianceComponents(unknown, unknown, ("residual",)),
        network=network,
        warnings=_warnings(data, config, network),
    )
    return eqx.tree_at(lambda effects: effects.test_r2, effects, network.test_r2)


def _effects(
    data: _Data,
    config: DecomposeConfig,
    *,
    additive: EffectTable,
    epistatic: EffectTable,
    pairs: Array,
    variance: VarianceComponents,
    network: NetworkReport | None,
    warnings: tuple[str, ...],
) -> Effects:
    """Bring effects to the units of the traits and score them on the test individuals."""
    scale = data.phenotypes.scale
    additive, epistatic = _scaled(additive, scale), _scaled(epistatic, scale)
    train, test = (data.coded.rows(rows) for rows in data.split)
    observed = data.phenotypes.values * scale[None] + data.phenotypes.mean[None]
    effects = Effects(
        additive=additive,
        reference_effect=_reference(data.coded, additive.effect, epistatic.effect, pairs),
        epistatic=epistatic,
        pairs=pairs,
        column_locus=data.coded.column_locus,
        intercept=jnp.zeros_like(scale),
        variance=VarianceComponents(
            variance.variance * scale[:, None] ** 2,
            variance.stderr * scale[:, None] ** 2,
            variance.names,
        ),
        test_r2=jnp.full_like(scale, jnp.nan),
        network=network,
        anchors=_anchors(data, config, pairs),
        column_kind=data.coded.column_kind,
        locus_names=data.coded.locus_names,
        trait_names=data.phenotypes.names,
        num_train=train.num_individuals,
        num_test=test.num_individuals,
        num_candidate_pairs=count_pairs(data.coded),
        warnings=warnings,
    )
    intercept = jnp.mean(observed[data.split.train] - effects.predict(train), axis=0)
    effects = eqx.tree_at(lambda effects: effects.intercept, effects, intercept)
    test_r2 = r_squared(observed[data.split.test], effects.predict(test))
    return eqx.tree_at(lambda effects: effects.test_r2, effects, test_r2)


def _report_of_folds(
    data: _Data, fit: CrossFit, networks: ResidualNetworks, *, key: PRNGKey
) -> NetworkReport:
    """Score regression and networks, averaged over the folds of the first replicate."""
    # Without test individuals a network can still be read, but not scored.
    is_scored = data.split.test.size > 0
    rows = data.split.test if is_scored else data.split.train
    test = data.coded.rows(rows)
    folds = networks.factor.shape[0]
    predicted = fit.regression.predict(test.contrasts) + jnp.mean(
        jnp.stack([networks.predict(test.inputs, fold) for fold in range(folds)]), axis=0
    )
    report = report_network(
        member(networks.networks, 0),
        networks.factor[0],
        test,
        predicted,
        data.phenotypes.values[rows],
        data.phenotypes,
        networks.num_epochs,
        key=key,
    )
    gain, error = held_out_gain(fit.regression_residuals, fit.predictor_residuals)
    report = eqx.tree_at(lambda r: (r.gain, r.gain_stderr), report, (gain, error))
    if is_scored:
        return report
    unknown = jnp.full_like(gain, jnp.nan)
    return eqx.tree_at(lambda r: (r.test_r2, r.test_correlation), report, (unknown, unknown))


def _anchors(data: _Data, config: DecomposeConfig, pairs: Array) -> tuple[Anchor, ...]:
    if not config.anchors or data.split.test.size == 0:
        return ()
    values = data.phenotypes.values * data.phenotypes.scale[None]
    train, test = data.split
    names = config.anchors
    if pairs.shape[0] > config.max_joint_pairs:
        names = tuple(name for name in names if name not in JOINT_ANCHORS)
    return run_anchors(
        data.coded.rows(train),
        values[train],
        data.coded.rows(test),
        values[test],
        pairs,
        names,
    )


def _scaled(table: EffectTable, scale: Float[Array, " traits"]) -> EffectTable:
    """Bring effects on standardised traits to the units of the traits."""
    unit = scale[:, None]
    return eqx.tree_at(
        lambda table: (table.effect, table.unshrunken, table.stderr),
        table,
        (table.effect * unit, table.unshrunken * unit, table.stderr * unit),
    )


def _reference(
    coded: CodedGenotypes,
    average_effects: Float[Array, "traits columns"],
    interactions: Float[Array, "traits pairs"],
    pairs: Array,
) -> Float[Array, "traits columns"]:
    """Return `b_i` of haploids; diploid contrasts have no one reference genotype."""
    if coded.ploidy != 1:
        return jnp.full_like(average_effects, jnp.nan)
    means = jnp.mean(coded.inputs, axis=0)
    first, second = pairs[:, 0], pairs[:, 1]
    shift = jnp.zeros_like(average_effects)
    shift = shift.at[:, first].add(interactions * means[second][None])
    shift = shift.at[:, second].add(interactions * means[first][None])
    return average_effects - shift


def _warnings(
    data: _Data, config: DecomposeConfig, network: NetworkReport | None
) -> tuple[str, ...]:
    """Say in words what a reader of the numbers must know."""
    found = []
    if config.method == "source":
        found.append("method 'source' gives no standard errors: use 'debiased' for discoveries")
        if config.stop_on == "test":
            found.append("test individuals steered the training, so test R2 is optimistic")
    elif network is not None and config.learner == "regression+network":
        # Not "<": both are zero where the network was not trusted in any fold.
        no_use = network.gain <= 2 * network.gain_stderr
        names = [
            name
            for name, none in zip(data.phenotypes.names, np.asarray(no_use), strict=True)
            if none
        ]
        if names:
            found.append(
                f"the network predicts held-out individuals no better than the regression alone "
                f"for {', '.join(names)}"
            )
    left_out = [name for name in config.anchors if name in JOINT_ANCHORS]
    if left_out and count_pairs(data.coded) > config.max_joint_pairs:
        found.append(f"too many pairs for the anchors {', '.join(left_out)}: left out")
    if data.split.test.size == 0:
        found.append("no test individuals were set aside: test R2 is unknown")
    return tuple(found)
