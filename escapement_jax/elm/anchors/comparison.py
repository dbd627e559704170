"""The classical methods on one split of a data set, side by side."""

import dataclasses
import time
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from escapement_jax.elm.anchors.lasso import lasso
from escapement_jax.elm.anchors.least_squares import LinearFit, blup, least_squares
from escapement_jax.elm.anchors.moments import (
    RegressionMoments,
    pair_features,
    regression_moments,
)
from escapement_jax.elm.anchors.pair_scan import pair_scan
from escapement_jax.elm.anchors.spike_slab import spike_and_slab
from escapement_jax.elm.anchors.triple_scan import (
    TripleScan,
    fit_strongest_triples,
    triple_products,
    triple_scan,
)
from escapement_jax.elm.debiasing.discovery import benjamini_hochberg, two_sided_p_values
from escapement_jax.elm.debiasing.shrinkage import adaptive_shrinkage
from escapement_jax.elm.genotypes.coding import CodedGenotypes

FALSE_DISCOVERY_RATE = 0.05
INCLUSION_THRESHOLD = 0.95


class Anchor(eqx.Module):
    """What one classical method says: effects of centred contrasts, discoveries, prediction.

    Effects are posterior means where the method shrinks, else least-squares coefficients, and then
    with standard errors. Discoveries are those at a false discovery rate of 5 % (scans and least
    squares), with an inclusion probability above .95 (spike-and-slab, also on the strongest triples
    of a triple scan), or the selected ones, for which no error rate is known (lasso).
    """

    name: str = eqx.field(static=True)
    additive: Float[Array, "traits columns"] | None
    additive_stderr: Float[Array, "traits columns"] | None
    epistatic: Float[Array, "traits pairs"] | None
    epistatic_stderr: Float[Array, "traits pairs"] | None
    discoveries: Bool[Array, "traits tests"] | None
    triples: TripleScan | None
    test_r2: Float[Array, " traits"]
    cpu_seconds: float = eqx.field(static=True)


class _Split(eqx.Module):
    """One data set, its two parts, and the sums that several methods share."""

    train: Float[Array, "train_rows columns"]
    phenotypes: Float[Array, "train_rows traits"]
    test: Float[Array, "test_rows columns"]
    test_phenotypes: Float[Array, "test_rows traits"]
    pairs: Int[Array, "pairs 2"]
    column_locus: Int[Array, " columns"]


def run_anchors(
    train: CodedGenotypes,
    train_phenotypes: Float[Array, "train_rows traits"],
    test: CodedGenotypes,
    test_phenotypes: Float[Array, "test_rows traits"],
    pairs: Int[Array, "pairs 2"],
    names: tuple[str, ...],
) -> tuple[Anchor, ...]:
    """Run classical methods on the training individuals and predict the others.

    Args:
        train: individuals to learn from.
        train_phenotypes: their trait values.
        test: individuals to predict, coded like `train`.
        test_phenotypes: their trait values.
        pairs: the candidate pairs of columns.
        names: among "additive", "blup", "pair-scan", "pairwise", "lasso", "spike-slab" and
            "triple-scan".

    Raises:
        ValueError: an unknown name, or a regression with more features than individuals.
    """
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise ValueError(f"there is no anchor {unknown[0]!r}; choose among {', '.join(METHODS)}")
    split = _Split(
        train.contrasts,
        train_phenotypes,
        test.contrasts,
        test_phenotypes,
        pairs,
        train.column_locus,
    )
    started = time.process_time()
    joint = {"pairwise", "lasso", "spike-slab"} & set(names)
    moments = regression_moments(split.train, split.phenotypes, pairs) if joint else None
    jax.block_until_ready(moments)
    shared_seconds = time.process_time() - started
    anchors = []
    for name in names:
        started = time.process_time()
        anchor = jax.block_until_ready(METHODS[name](split, moments))
        seconds = time.process_time() - started + (shared_seconds if name in joint else 0.0)
        anchors.append(dataclasses.replace(anchor, cpu_seconds=seconds))
    return tuple(anchors)


def r_squared(
    observed: Float[Array, "individuals traits"], predicted: Float[Array, "individuals traits"]
) -> Float[Array, " traits"]:
    """Return 1 - sum (y - f)^2 / sum (y - mean y)^2, by trait; NaN without individuals."""
    error = jnp.sum((observed - predicted) ** 2, axis=0)
    return 1 - error / jnp.sum((observed - jnp.mean(observed, axis=0)[None, :]) ** 2, axis=0)


def _anchor(
    name: str,
    split: _Split,
    moments: RegressionMoments,
    coefficient: Float[Array, "features traits"],
    stderr: Float[Array, "features traits"] | None = None,
    discoveries: Bool[Array, "traits tests"] | None = None,
    offset: Float[Array, "test_rows traits"] | None = None,
    triples: TripleScan | None = None,
) -> Anchor:
    """Predict the test individuals from coefficients of features, and report."""
    columns = split.train.shape[1]
    with_pairs = coefficient.shape[0] > columns
    pairs = split.pairs if with_pairs else split.pairs[:0]
    features = pair_features(split.test, pairs) - moments.feature_mean[None, :]
    predicted = moments.trait_mean[None, :] + features @ coefficient
    predicted = predicted if offset is None else predicted + offset
    return Anchor(
        name=name,
        additive=coefficient[:columns].T,
        additive_stderr=None if stderr is None else stderr[:columns].T,
        epistatic=coefficient[columns:].T if with_pairs else None,
        epistatic_stderr=stderr[columns:].T if stderr is not None and with_pairs else None,
        discoveries=discoveries,
        triples=triples,
        test_r2=r_squared(split.test_phenotypes, predicted),
        cpu_seconds=0.0,
    )


def _additive_fit(split: _Split) -> tuple[RegressionMoments, LinearFit]:
    moments = regression_moments(split.train, split.phenotypes, split.pairs[:0])
    return moments, least_squares(moments)


def _additive(split: _Split, _: RegressionMoments | None) -> Anchor:
    moments, fit = _additive_fit(split)
    return _anchor("additive", split, moments, fit.coefficient, fit.stderr)


def _blup(split: _Split, _: RegressionMoments | None) -> Anchor:
    moments = regression_moments(split.train, split.phenotypes, split.pairs[:0])
    fit = blup(moments)
    return _anchor("blup", split, moments, fit.coefficient, fit.stderr)


def _residuals(
    split: _Split, moments: RegressionMoments, fit: LinearFit
) -> Float[Array, "train_rows traits"]:
    centred = split.train - moments.feature_mean[None, :]
    return split.phenotypes - moments.trait_mean[None, :] - centred @ fit.coefficient


def _pair_scan(split: _Split, _: RegressionMoments | None) -> Anchor:
    moments, fit = _additive_fit(split)
    scan = pair_scan(split.train, _residuals(split, moments, fit), split.pairs)
    shrunken = jax.vmap(lambda effect, stderr: adaptive_shrinkage(effect, stderr).effect)(
        scan.effect, scan.stderr
    )
    covariance = split.train.T @ split.train / split.train.shape[0]
    means = covariance[split.pairs[:, 0], split.pairs[:, 1]]
    whole = eqx.tree_at(
        lambda m: m.feature_mean, moments, jnp.concatenate([moments.feature_mean, means])
    )
    return _anchor(
        "pair-scan",
        split,
        whole,
        jnp.concatenate([fit.coefficient, shrunken.T]),
        jnp.concatenate([fit.stderr, scan.stderr.T]),
        significant(scan.effect, scan.stderr),
    )


def _pairwise(split: _Split, moments: RegressionMoments | None) -> Anchor:
    assert moments is not None
    fit = least_squares(moments)
    columns = split.train.shape[1]
    found = significant(fit.coefficient[columns:].T, fit.stderr[columns:].T)
    return _anchor("pairwise", split, moments, fit.coefficient, fit.stderr, found)


def _lasso(split: _Split, moments: RegressionMoments | None) -> Anchor:
    assert moments is not None
    coefficient = lasso(split.train, split.phenotypes, split.pairs, moments).coefficient
    found = coefficient[split.train.shape[1] :].T != 0
    return _anchor("lasso", split, moments, coefficient, None, found)


def _spike_slab(split: _Split, moments: RegressionMoments | None) -> Anchor:
    assert moments is not None
    columns, num_pairs = split.train.shape[1], split.pairs.shape[0]
    group = (jnp.arange(columns + num_pairs) >= columns).astype(jnp.int32)
    fit = spike_and_slab(
        moments.gram,
        moments.moments,
        moments.sum_squares,
        split.train.shape[0],
        group,
        (columns, num_pairs),
    )
    found = fit.inclusion_probability[columns:].T > INCLUSION_THRESHOLD
    return _anchor("spike-slab", split, moments, fit.mean, jnp.sqrt(fit.variance), found)


def _triple_scan(split: _Split, _: RegressionMoments | None) -> Anchor:
    moments, fit = _additive_fit(split)
    locus = np.asarray(split.column_locus)
    scan = triple_scan(split.train, _residuals(split, moments, fit), locus)
    joint = fit_strongest_triples(split.train, split.phenotypes, scan)
    traits = jnp.arange(joint.place.shape[0])[:, None]
    found = jnp.zeros(scan.effect.shape, bool)
    found = found.at[traits, joint.place].set(joint.inclusion_probability > INCLUSION_THRESHOLD)
    offset = jnp.stack(
        [
            triple_products(split.test, scan.triples[place]) @ mean
            for place, mean in zip(joint.place, joint.mean, strict=True)
        ],
        axis=1,
    )
    return _anchor("triple-scan", split, moments, fit.coefficient, fit.stderr, found, offset, scan)


def significant(
    effect: Float[Array, "traits tests"], stderr: Float[Array, "traits tests"]
) -> Bool[Array, "traits tests"]:
    """Return the discoveries of each trait at a false discovery rate of 5 %.

    Args:
        effect: estimates.
        stderr: their standard errors.
    """
    p_values = two_sided_p_values(effect, stderr)
    q_values = jax.vmap(lambda p: benjamini_hochberg(p, p.shape[0]))(p_values)
    return q_values <= FALSE_DISCOVERY_RATE


METHODS: dict[str, Callable[[_Split, RegressionMoments | None], Anchor]] = {
    "additive": _additive,
    "blup": _blup,
    "pair-scan": _pair_scan,
    "pairwise": _pairwise,
    "lasso": _lasso,
    "spike-slab": _spike_slab,
    "triple-scan": _triple_scan,
}
"""The classical methods by name."""
