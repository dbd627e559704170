"""Mixtures of metabolite types: recovery, order, and the law of the pooled refit."""

import jax
import numpy as np
import pytest
from scipy import stats

from escapement_jax.homeostasis.types.joint_mixture import refine_jointly
from escapement_jax.homeostasis.types.metabolite_types import find_types
from escapement_jax.homeostasis.types.mixture import fit_mixture

CENTRES = np.array([[-0.001, 0.004], [-0.002, 0.012]])
LABELS = np.repeat([0, 1], 20)
KEY = jax.random.key(0)


def estimates_with(errors: np.ndarray, seed: int = 0):
    """Estimates of 40 metabolites, and their stacked covariance, correlated through 2 factors."""
    random = np.random.default_rng(seed)
    spread = np.concatenate([errors, 4 * errors])
    factors = random.standard_normal((80, 2)) * spread[:, None]
    covariance = np.diag(spread**2) + factors @ factors.T
    noise = np.linalg.cholesky(covariance) @ random.standard_normal(80)
    return CENTRES[LABELS] + noise.reshape(2, 40).T, covariance


def blocks(covariance):
    table = covariance.reshape(2, 40, 2, 40).transpose(1, 3, 0, 2)
    return table[np.arange(40), np.arange(40)]


def test_the_likelihood_is_that_of_the_mixture():
    estimates, covariance = estimates_with(np.full(40, 2e-4))
    own = blocks(covariance)
    mixture = fit_mixture(estimates, own, 2, key=KEY)
    expected = sum(
        np.log(
            sum(
                share * stats.multivariate_normal.pdf(z, centre, c)
                for share, centre in zip(mixture.shares, mixture.centres, strict=True)
            )
        )
        for z, c in zip(estimates, own, strict=True)
    )
    np.testing.assert_allclose(mixture.log_likelihood, expected, rtol=1e-6)


def test_without_correlation_the_joint_mixture_is_the_mixture():
    estimates, covariance = estimates_with(np.full(40, 2e-4))
    covariance = np.diag(np.diag(covariance))
    mixture = fit_mixture(estimates, blocks(covariance), 2, key=KEY)
    joint = refine_jointly(mixture, estimates, covariance)
    np.testing.assert_allclose(joint.log_likelihood, mixture.log_likelihood, rtol=1e-5)
    np.testing.assert_allclose(joint.centres, mixture.centres, rtol=1e-3)


@pytest.mark.parametrize("scale", [1e-7, 5e-5, 3e-4])
def test_two_types_are_found_and_ordered(scale):
    errors = scale * np.random.default_rng(1).uniform(0.3, 3.0, 40)
    estimates, covariance = estimates_with(errors, seed=4)
    rates = np.array([0.05, 0.03])
    coefficients = np.concatenate([rates, estimates.T.ravel()])
    whole = np.eye(82) * 1e-8
    whole[2:, 2:] = covariance
    types = find_types(coefficients, whole, 40, 2, most_types=4, resolution=0.02, key=KEY)
    assert len(types.slopes) == 2
    assert np.mean(types.labels == LABELS) >= (1.0 if scale < 1e-4 else 0.9)
    deviation = np.sqrt(np.diag(types.covariance))
    gap = np.concatenate([types.slopes, types.offsets]) - CENTRES.T.ravel()
    # Five standard errors; labels that err at the largest scale may move the values a little.
    assert (np.abs(gap) < 5 * deviation + 0.1 * np.abs(CENTRES.T.ravel()) * (scale > 1e-4)).all()
    np.testing.assert_allclose(types.probabilities.sum(1), 1.0, rtol=1e-9)


def test_one_type_stays_one():
    estimates, covariance = estimates_with(np.full(40, 1e-4), seed=2)
    estimates -= CENTRES[LABELS] - CENTRES[0]
    coefficients = estimates.T.ravel()
    types = find_types(coefficients, covariance, 40, 0, most_types=3, resolution=0.02, key=KEY)
    assert len(types.slopes) == 1
