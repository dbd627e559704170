"""Gaussian posterior of parameters whose prior has one of several covariances."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class GaussianMixture:
    """A mixture of Gaussian distributions, on the host.

    Attributes:
        weights: probability of every component.
        means: their means.
        covariances: their covariances.
    """

    weights: Float[np.ndarray, " components"]
    means: Float[np.ndarray, "components parameters"]
    covariances: Float[np.ndarray, "components parameters parameters"]

    @property
    def mean(self) -> Float[np.ndarray, " parameters"]:
        """Mean of the mixture."""
        return self.weights @ self.means

    @property
    def variance(self) -> Float[np.ndarray, " parameters"]:
        """Variance of every parameter, between and within components."""
        within = np.diagonal(self.covariances, axis1=1, axis2=2)
        return self.weights @ (within + (self.means - self.mean[None, :]) ** 2)

    def sample(self, num_draws: int, seed: int) -> Float[np.ndarray, "draws parameters"]:
        """Independent draws."""
        generator = np.random.default_rng(seed)
        chosen = generator.choice(self.weights.size, num_draws, p=self.weights)
        noise = generator.standard_normal((num_draws, self.means.shape[1]))
        roots = np.stack([_root(covariance) for covariance in self.covariances])
        return self.means[chosen] + np.einsum("dij,dj->di", roots[chosen], noise)


def gaussian_posterior(
    pull: Float[np.ndarray, " parameters"],
    information: Float[np.ndarray, "parameters parameters"],
    mean: Float[np.ndarray, " parameters"],
    covariances: Float[np.ndarray, "components parameters parameters"],
) -> GaussianMixture:
    """Posterior for a quadratic log likelihood `b x - x I x / 2` of the deviation `x` from `mean`.

    For every prior covariance `S`: covariance `V = (S^-1 + I)^-1`, deviation `V b`, and log
    evidence `b V b / 2 - log det(1 + S I) / 2`, by which the components are weighted. No matrix
    but `1 + R^T S R`, `R R^T = I`, is inverted, so `S` and `I` may be singular.

    Args:
        pull: the vector `b`.
        information: the matrix `I`, symmetric and not negative.
        mean: prior mean.
        covariances: prior covariances `S`, alike in probability.
    """
    root = _root(information)
    identity = np.eye(mean.size)
    log_evidence, deviations, posterior = [], [], []
    for prior in covariances:
        inner = identity + root.T @ prior @ root
        covariance = prior - prior @ root @ np.linalg.solve(inner, root.T @ prior)
        covariance = (covariance + covariance.T) / 2
        posterior.append(covariance)
        deviations.append(covariance @ pull)
        log_evidence.append((pull @ deviations[-1] - np.linalg.slogdet(inner)[1]) / 2)
    weights = np.exp(np.array(log_evidence) - max(log_evidence))
    return GaussianMixture(
        weights / weights.sum(), mean[None, :] + np.stack(deviations), np.stack(posterior)
    )


def _root(matrix: np.ndarray) -> np.ndarray:
    """A matrix `R` with `R R^T` the given symmetric one, rounding below zero set to zero."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(values, 0.0))[None, :]
