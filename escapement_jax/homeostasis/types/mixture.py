"""A mixture of point types over metabolites that are each known with an error of their own.

``z_i ~ sum_t p_t N(m_t, C_i)``, with ``z_i`` the slope and offset of metabolite ``i`` and ``C_i``
their covariance. Labels never enter.
"""

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp, softmax

from escapement_jax.array_types import PRNGKey

STARTS = 12
MOST_ROUNDS = 200
TOLERANCE = 1e-8
SMALLEST_SHARE = 1e-300


class Mixture(eqx.Module):
    """Types of metabolites.

    Attributes:
        shares: Share of the metabolites in each type.
        centres: Slope and offset of each type.
        probabilities: Probability of each type for each metabolite.
        log_likelihood: Of all estimates, or a lower bound on it.
    """

    shares: Float[np.ndarray, " types"]
    centres: Float[np.ndarray, "types 2"]
    probabilities: Float[np.ndarray, "metabolites types"]
    log_likelihood: float

    @property
    def bayesian_information(self) -> float:
        """Schwarz's criterion; the smaller the better."""
        metabolites, types = self.probabilities.shape
        free = 3 * types - 1
        return -2 * self.log_likelihood + free * float(np.log(metabolites))


def fit_mixture(
    estimates: Float[np.ndarray, "metabolites 2"],
    covariances: Float[np.ndarray, "metabolites 2 2"],
    types: int,
    *,
    key: PRNGKey,
) -> Mixture:
    """Fit a number of types by expectation and maximisation, from several starts.

    Args:
        estimates: Slope and offset of each metabolite.
        covariances: Their errors.
        types: Number of types.
        key: Source of randomness of the starts.
    """
    precisions = np.linalg.inv(covariances)
    constant = -0.5 * np.linalg.slogdet(2 * np.pi * covariances)[1]
    weight = np.linalg.slogdet(precisions)[1] / 4
    sharp = softmax(np.minimum(weight, np.quantile(weight, 0.8)))
    random = np.random.default_rng(np.asarray(jax.random.bits(key, (2,))))
    best: Mixture | None = None
    for _ in range(STARTS if types > 1 else 1):
        chosen = random.choice(len(estimates), types, replace=False, p=sharp)
        found = _maximise(estimates, precisions, constant, estimates[chosen])
        if best is None or found.log_likelihood > best.log_likelihood:
            best = found
    assert best is not None
    return best


def _maximise(
    estimates: np.ndarray, precisions: np.ndarray, constant: np.ndarray, centres: np.ndarray
) -> Mixture:
    shares = np.full(len(centres), 1 / len(centres))
    pulls = np.einsum("nde,ne->nd", precisions, estimates)
    before = -np.inf
    for _ in range(MOST_ROUNDS):
        gap = estimates[:, None] - centres[None]
        log_joint = (
            np.log(shares + SMALLEST_SHARE)
            - 0.5 * np.einsum("nkd,nde,nke->nk", gap, precisions, gap)
            + constant[:, None]
        )
        log_likelihood = float(logsumexp(log_joint, axis=1).sum())
        probabilities = softmax(log_joint, axis=1)
        if abs(log_likelihood - before) < TOLERANCE * abs(log_likelihood):
            break
        before = log_likelihood
        shares = probabilities.mean(0)
        matrices = np.einsum("nk,nde->kde", probabilities, precisions)
        ridge = 1e-12 * np.trace(matrices, axis1=1, axis2=2)[:, None, None] + 1e-300
        right = probabilities.T @ pulls
        centres = np.linalg.solve(matrices + ridge * np.eye(2), right[..., None])[..., 0]
    return Mixture(shares, centres, probabilities, log_likelihood)
