"""Shrinkage, discoveries, dual scores and cross-fitting."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.elm.debiasing.cross_fit import cross_fit, fold_members
from escapement_jax.elm.debiasing.discovery import benjamini_hochberg, two_sided_p_values
from escapement_jax.elm.debiasing.residual_moments import (
    debiased_estimates,
    debiased_pair_estimates,
    dual_contrasts,
    linkage_covariance,
)
from escapement_jax.elm.debiasing.shrinkage import adaptive_shrinkage
from escapement_jax.elm.genotypes.coding import encode
from escapement_jax.elm.linear_map.joint_moments import added, joint_sums, pairwise_sum

LOCI = 6
PAIRS = jnp.asarray(np.stack(np.triu_indices(LOCI, 1), axis=1), jnp.int32)


def genotypes(individuals, seed=0, correlation=0.0):
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(individuals, LOCI))
    for locus in range(1, LOCI):
        fresh = np.sqrt(1 - correlation**2) * normal[:, locus]
        normal[:, locus] = correlation * normal[:, locus - 1] + fresh
    return np.where(normal < 0, -1.0, 1.0)


@given(st.lists(st.floats(1e-6, 1.0), min_size=20, max_size=20))
def test_q_values_are_scipys(p_values):
    found = benjamini_hochberg(jnp.asarray(p_values), 20)
    np.testing.assert_allclose(found, stats.false_discovery_control(p_values), rtol=1e-12)


def test_the_smallest_of_many_p_values_count_all_tests():
    """Knowing only the ten smallest of a thousand gives them the same q values or larger ones."""
    p_values = np.sort(np.random.default_rng(0).uniform(size=1000) ** 3)
    whole = stats.false_discovery_control(p_values)[:10]
    found = benjamini_hochberg(jnp.asarray(p_values[:10]), 1000)
    assert bool(jnp.all(found >= whole - 1e-15))
    np.testing.assert_allclose(found[-1], 1000 * p_values[9] / 10, rtol=1e-12)


def test_p_values_are_those_of_the_normal_distribution():
    z = np.array([0.0, -1.96, 5.0])
    np.testing.assert_allclose(
        two_sided_p_values(jnp.asarray(2 * z), jnp.full(3, 2.0)), 2 * stats.norm.sf(np.abs(z))
    )


@pytest.mark.statistical
def test_shrinkage_recovers_a_sparse_prior():
    """One in five of 2,000 effects has sd 1, errors .3: close to the Bayes risk, and calibrated."""
    rng = np.random.default_rng(1)
    real = rng.uniform(size=2000) < 0.2
    truth = np.where(real, rng.normal(size=2000), 0.0)
    estimate = truth + 0.3 * rng.normal(size=2000)
    found = adaptive_shrinkage(jnp.asarray(estimate), jnp.full(2000, 0.3))
    slab, null = (stats.norm.pdf(estimate, scale=s) for s in (np.hypot(1.0, 0.3), 0.3))
    share = 0.2 * slab / (0.2 * slab + 0.8 * null)
    bayes = share * estimate / 1.09
    risk = np.mean((np.asarray(found.effect) - truth) ** 2)
    assert risk < 1.05 * np.mean((bayes - truth) ** 2)
    assert risk < 0.5 * 0.09
    # With a few hundred effects above .5 the share of real ones is known to about .03.
    chosen = np.asarray(found.inclusion_probability) > 0.5
    expected = np.mean(np.asarray(found.inclusion_probability)[chosen])
    assert abs(np.mean(real[chosen]) - expected) < 0.1


def test_shrinkage_never_enlarges_and_unseen_nulls_make_it_stricter():
    estimate = jnp.linspace(-1.0, 1.0, 41)
    few = adaptive_shrinkage(estimate, jnp.full(41, 0.2))
    many = adaptive_shrinkage(estimate, jnp.full(41, 0.2), num_unseen_nulls=5000)
    assert bool(jnp.all(jnp.abs(few.effect) <= jnp.abs(estimate)))
    assert bool(jnp.all(many.inclusion_probability <= few.inclusion_probability))
    np.testing.assert_allclose(few.effect, -few.effect[::-1], atol=1e-12)


def test_duals_are_orthogonal_to_all_contrasts_but_their_own():
    coded = encode(genotypes(500, correlation=0.9), dtype=np.float64)
    z = coded.contrasts
    duals = dual_contrasts(z, z.T @ z / 500)
    np.testing.assert_allclose(duals.T @ z / 500, np.eye(LOCI), atol=1e-10)


def test_chance_correlations_count_as_none():
    coded = encode(genotypes(500), dtype=np.float64)
    covariance = linkage_covariance(coded.contrasts)
    np.testing.assert_array_equal(covariance, np.diag(np.diagonal(covariance)))
    np.testing.assert_allclose(jnp.diagonal(covariance), np.var(coded.contrasts, axis=0))


def test_debiasing_finds_what_the_predictor_has_missed():
    """On all genotypes, and without noise, the estimates are exact for a predictor that is zero."""
    every = np.array(np.meshgrid(*[[-1.0, 1.0]] * LOCI)).reshape(LOCI, -1).T
    rng = np.random.default_rng(3)
    z, effects = jnp.asarray(every), jnp.asarray(rng.normal(size=(1, LOCI)))
    pair_effects = jnp.asarray(rng.normal(size=(1, len(PAIRS))))
    y = z @ effects.T + pairwise_sum(z, PAIRS, pair_effects.T)
    main = debiased_estimates(z, z, y, jnp.zeros_like(effects))
    pairs = debiased_pair_estimates(z, z, y, PAIRS, jnp.zeros_like(pair_effects))
    np.testing.assert_allclose(main.estimate, effects, atol=1e-12)
    np.testing.assert_allclose(pairs.estimate, pair_effects, atol=1e-12)
    variance = float(jnp.var(y, ddof=1))
    np.testing.assert_allclose(pairs.stderr, np.sqrt(variance / len(every)), rtol=1e-12)


def test_sums_of_parts_are_sums_of_the_whole():
    rng = np.random.default_rng(4)
    z, y = jnp.asarray(rng.normal(size=(50, LOCI))), jnp.asarray(rng.normal(size=(50, 2)))
    whole = joint_sums(z, y, PAIRS)
    parts = [joint_sums(z[rows], y[rows], PAIRS) for rows in (slice(0, 20), slice(20, 50))]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-11), added(parts), whole)
    rest = whole.without(parts[0]).centred()
    features = np.concatenate([z[20:], z[20:, PAIRS[:, 0]] * z[20:, PAIRS[:, 1]]], axis=1)
    centred = features - features.mean(axis=0)
    np.testing.assert_allclose(rest.gram, centred.T @ centred, atol=1e-11)
    np.testing.assert_allclose(rest.moments, centred.T @ np.asarray(y[20:]), atol=1e-11)
    np.testing.assert_allclose(rest.sum_squares, 30 * np.var(y[20:], axis=0), atol=1e-11)


def test_folds_part_everyone_once():
    folds = fold_members(23, 5, key=jax.random.key(0))
    assert sorted(np.concatenate(folds)) == list(range(23))
    assert {fold.size for fold in folds} == {4, 5}


@pytest.mark.statistical
@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_intervals_cover_the_truth(correlation):
    """2 x 21 x 20 intervals at .95 have a standard error of .008; allowed are .95 +- .03."""
    covered = []
    rng = np.random.default_rng(5)
    effects = np.array([0.5, 0.0, -0.3, 0.0, 0.0, 0.2])
    pair_effects = np.zeros(len(PAIRS))
    pair_effects[[4, 9]] = 0.4, -0.2
    config = DecomposeConfig(learner="regression", folds=2)
    for seed in range(20):
        coded = encode(genotypes(400, seed, correlation), dtype=np.float64)
        z = coded.contrasts
        signal = z @ effects + pairwise_sum(z, PAIRS, jnp.asarray(pair_effects)[:, None])[:, 0]
        y = np.asarray(signal)[:, None] + rng.normal(size=(400, 2))
        fit = cross_fit(coded, jnp.asarray(y), PAIRS, 15, config, key=jax.random.key(seed))
        duals = dual_contrasts(z, linkage_covariance(z))
        main = debiased_estimates(z, duals, fit.residuals, fit.model.additive.T)
        pairs = debiased_pair_estimates(z, duals, fit.residuals, PAIRS, fit.model.epistatic.T)
        for found, truth in ((main, effects), (pairs, pair_effects)):
            covered.append(np.abs(found.estimate - truth[None]) < 1.96 * found.stderr)
    share = np.mean(np.concatenate([c.ravel() for c in covered]))
    assert 0.92 < share < 0.98
