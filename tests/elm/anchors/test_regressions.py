import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.elm.anchors.lasso import lasso, lasso_path
from escapement_jax.elm.anchors.least_squares import blup, least_squares
from escapement_jax.elm.anchors.moments import (
    RegressionMoments,
    column_pairs,
    regression_moments,
    without,
)
from tests.elm.anchors.simulated import NUM_LOCI, TRUE_PAIRS, simulated, simulated_moments
from tests.reference import dense_regression


def true_pair_effects():
    pairs = np.asarray(column_pairs(np.arange(NUM_LOCI)))
    return np.array([TRUE_PAIRS.get((int(i), int(j)), 0.0) for i, j in pairs])


def test_moments_are_the_sums_they_claim():
    contrasts, traits, pairs, _ = simulated()
    moments = simulated_moments()
    features = dense_regression.pair_table(np.asarray(contrasts), np.asarray(pairs))
    centred = np.asarray(traits) - np.asarray(traits).mean(axis=0)
    np.testing.assert_allclose(moments.gram, features.T @ features, atol=1e-9)
    np.testing.assert_allclose(moments.moments, features.T @ centred, atol=1e-9)
    np.testing.assert_allclose(moments.sum_squares, (centred**2).sum(axis=0), rtol=1e-12)


def test_blocks_of_individuals_do_not_change_the_sums(monkeypatch):
    contrasts, traits, pairs, _ = simulated()
    monkeypatch.setattr("escapement_jax.elm.anchors.moments.ROWS_AT_ONCE", 150)
    in_blocks = regression_moments.__wrapped__(contrasts, traits, pairs)
    np.testing.assert_allclose(in_blocks.gram, simulated_moments().gram, atol=1e-9)
    np.testing.assert_allclose(in_blocks.feature_mean, simulated_moments().feature_mean, atol=1e-12)


def test_moments_of_the_rest_are_those_of_the_rest():
    contrasts, traits, pairs, _ = simulated()
    part = regression_moments(contrasts[:100], traits[:100], pairs)
    rest = regression_moments(contrasts[100:], traits[100:], pairs)
    difference = without(simulated_moments(), part)
    for got, expected in zip(
        jnp.concatenate([difference.gram, difference.moments], axis=1),
        jnp.concatenate([rest.gram, rest.moments], axis=1),
        strict=True,
    ):
        np.testing.assert_allclose(got, expected, atol=1e-8)
    np.testing.assert_allclose(difference.feature_mean, rest.feature_mean, atol=1e-12)
    np.testing.assert_allclose(difference.sum_squares, rest.sum_squares, atol=1e-8)


def test_pairs_of_contrasts_at_one_locus_are_left_out():
    pairs = np.asarray(column_pairs(np.array([0, 1, 0, 1])))
    np.testing.assert_array_equal(pairs, [[0, 1], [0, 3], [1, 2], [2, 3]])


def test_least_squares_is_that_of_the_textbook():
    contrasts, traits, pairs, _ = simulated()
    fit = least_squares(simulated_moments())
    features = dense_regression.pair_table(np.asarray(contrasts), np.asarray(pairs))
    for trait in range(2):
        coefficient, stderr, noise = dense_regression.least_squares(
            features, np.asarray(traits)[:, trait]
        )
        np.testing.assert_allclose(fit.coefficient[:, trait], coefficient, atol=1e-10)
        np.testing.assert_allclose(fit.stderr[:, trait], stderr, rtol=1e-9)
        np.testing.assert_allclose(fit.noise_variance[trait], noise, rtol=1e-10)


def test_least_squares_refuses_a_repeated_locus():
    contrasts, traits, _, _ = simulated()
    twice = jnp.concatenate([contrasts, contrasts[:, :1]], axis=1)
    none = jnp.zeros((0, 2), jnp.int32)
    with pytest.raises(ValueError, match="linear combinations"):
        least_squares(regression_moments(twice, traits, none))


def test_least_squares_refuses_more_features_than_individuals():
    contrasts, traits, pairs, _ = simulated()
    with pytest.raises(ValueError, match="needs more than 37"):
        least_squares(regression_moments(contrasts[:30], traits[:30], pairs))


def test_blup_maximises_the_restricted_likelihood():
    """Against a direct search over the variance ratio with dense covariance matrices."""
    contrasts, traits, _, _ = simulated()
    table, trait = np.asarray(contrasts)[:60], np.asarray(traits)[:60, 0]
    none = jnp.zeros((0, 2), jnp.int32)
    fit = blup(regression_moments(contrasts[:60], traits[:60], none))
    # Restricted likelihood of the 59 contrasts of the trait that know nothing of the mean.
    basis = np.linalg.svd(np.ones((1, 60)))[2][1:]

    def minus_log_likelihood(log_ratio):
        covariance = np.eye(59) + np.exp(log_ratio) * (basis @ table) @ (basis @ table).T
        quadratic = basis @ trait @ np.linalg.solve(covariance, basis @ trait)
        return 59 * np.log(quadratic) + np.linalg.slogdet(covariance)[1]

    grid = np.linspace(-8, 4, 2401)
    ratio = np.exp(grid[np.argmin([minus_log_likelihood(value) for value in grid])])
    centred = table - table.mean(axis=0)
    expected = np.linalg.solve(
        centred.T @ centred + np.eye(NUM_LOCI) / ratio, centred.T @ (trait - trait.mean())
    )
    np.testing.assert_allclose(fit.coefficient[:, 0], expected, rtol=0.01, atol=1e-3)


def test_lasso_meets_its_optimality_conditions():
    """|c - C b| = penalty where b is not zero, with its sign, and below the penalty elsewhere."""
    moments = simulated_moments()
    penalties = jnp.asarray([[0.05, 0.05], [0.01, 0.01]])
    effects = np.asarray(lasso_path(moments, penalties, iterations=400))
    num = float(moments.num_individuals)
    scale = np.sqrt(np.diagonal(moments.gram) / num)
    for place, penalty in enumerate([0.05, 0.01]):
        effect = effects[:, place]
        slack = np.asarray(moments.moments - moments.gram @ effect) / num / scale[:, None]
        active = effect != 0
        assert 0 < active.sum() < active.size
        np.testing.assert_allclose(slack[active], penalty * np.sign(effect[active]), atol=1e-8)
        assert np.all(np.abs(slack[~active]) <= penalty + 1e-8)


def test_lasso_chooses_a_penalty_that_keeps_the_true_pairs():
    contrasts, traits, pairs, _ = simulated()
    fit = lasso(contrasts, traits, pairs)
    effect = np.asarray(fit.coefficient)[NUM_LOCI:, 0]
    truth = true_pair_effects()
    assert np.all(effect[truth != 0] * truth[truth != 0] > 0)
    assert np.abs(effect - truth).max() < 0.08
    chosen = np.argmin(np.asarray(fit.held_out_error), axis=0)
    np.testing.assert_allclose(fit.penalty, np.asarray(fit.penalties)[chosen, [0, 1]])


def test_held_out_error_is_the_mean_squared_error_on_the_held_out():
    from escapement_jax.elm.anchors.lasso import _squared_error

    contrasts, traits, pairs, _ = simulated()
    part = regression_moments(contrasts[::4], traits[::4], pairs)
    rest = without(simulated_moments(), part)
    effects = lasso_path(rest, jnp.asarray([[0.02, 0.02]]))
    assert isinstance(rest, RegressionMoments)
    products = contrasts[::4][:, pairs[:, 0]] * contrasts[::4][:, pairs[:, 1]]
    features = jnp.concatenate([contrasts[::4], products], axis=1) - rest.feature_mean[None, :]
    predicted = rest.trait_mean[None, :] + features @ effects[:, 0]
    expected = jnp.sum((traits[::4] - predicted) ** 2, axis=0)
    np.testing.assert_allclose(_squared_error(part, rest, effects)[0], expected, rtol=1e-9)
