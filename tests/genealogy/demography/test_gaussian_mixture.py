"""The Gaussian posterior against conjugate formulas, and the moments of draws."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from escapement_jax.genealogy.demography.gaussian_mixture import GaussianMixture, gaussian_posterior

RNG = np.random.default_rng(1)
MEAN = np.array([1.0, -2.0, 0.5])
COVARIANCES = np.stack([a @ a.T + np.eye(3) for a in RNG.normal(size=(2, 3, 3))])
NOISE = np.diag([0.5, 1.0, 2.0])
OBSERVED = np.array([2.0, -1.0, 0.0])


def posterior() -> GaussianMixture:
    information = np.linalg.inv(NOISE)
    return gaussian_posterior(information @ (OBSERVED - MEAN), information, MEAN, COVARIANCES)


def test_posterior_and_weights_are_those_of_a_noisy_observation():
    found = posterior()
    information = np.linalg.inv(NOISE)
    for number, prior in enumerate(COVARIANCES):
        covariance = np.linalg.inv(np.linalg.inv(prior) + information)
        mean = covariance @ (np.linalg.inv(prior) @ MEAN + information @ OBSERVED)
        np.testing.assert_allclose(found.covariances[number], covariance, rtol=1e-10)
        np.testing.assert_allclose(found.means[number], mean, rtol=1e-10)
    evidence = [multivariate_normal.pdf(OBSERVED, MEAN, prior + NOISE) for prior in COVARIANCES]
    np.testing.assert_allclose(found.weights, evidence / np.sum(evidence), rtol=1e-10)


def test_without_information_the_posterior_is_the_prior():
    found = gaussian_posterior(np.zeros(3), np.zeros((3, 3)), MEAN, COVARIANCES)
    np.testing.assert_allclose(found.weights, 0.5, rtol=1e-12)
    np.testing.assert_allclose(found.mean, MEAN, rtol=1e-12)
    np.testing.assert_allclose(found.covariances, COVARIANCES, rtol=1e-12)


@pytest.mark.statistical
def test_draws_have_the_moments_of_the_mixture():
    """Within five standard errors; a mean fails by chance in one of two million."""
    found = posterior()
    draws = found.sample(40_000, seed=3)
    error = np.sqrt(found.variance / len(draws))
    assert np.all(np.abs(draws.mean(0) - found.mean) < 5 * error)
    np.testing.assert_allclose(draws.var(0), found.variance, rtol=0.06)
