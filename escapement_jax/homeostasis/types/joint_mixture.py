"""The mixture again, now with the errors of all metabolites taken together.

Errors of slopes and offsets are correlated between metabolites that share reactions. With the full
covariance ``C`` of the stacked estimates ``z``, types ``t`` and centres ``m`` have
``log p(z | t, m) = -1/2 (z - m_t)' C^-1 (z - m_t)``. The posterior of the types is approximated by
independent ones (mean field), which gives a lower bound on the likelihood; for uncorrelated errors
the bound is exact and this is ``fit_mixture``.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import softmax

from escapement_jax.homeostasis.types.mixture import SMALLEST_SHARE, Mixture

MOST_ROUNDS = 100
TOLERANCE = 1e-7


class _Errors:
    """The precision of stacked estimates as blocks over metabolites."""

    def __init__(self, estimates: np.ndarray, covariance: np.ndarray) -> None:
        size = len(estimates)
        lower = np.linalg.cholesky(covariance)
        inverse = np.linalg.inv(lower)
        precision = inverse.T @ inverse
        blocks = precision.reshape(2, size, 2, size).transpose(1, 3, 0, 2)
        self.own = blocks[np.arange(size), np.arange(size)].copy()
        self.shared = blocks.copy()
        self.shared[np.arange(size), np.arange(size)] = 0.0
        stacked = estimates.T.ravel()
        self.pull = (precision @ stacked).reshape(2, size).T
        self.constant = -0.5 * float(stacked @ precision @ stacked) - float(
            np.log(np.diag(lower)).sum() + size * np.log(2 * np.pi)
        )


def refine_jointly(
    start: Mixture,
    estimates: Float[np.ndarray, "metabolites 2"],
    covariance: Float[np.ndarray, "both both"],
) -> Mixture:
    """Improve a mixture with the full covariance of all slopes and offsets.

    Args:
        start: Mixture to begin with.
        estimates: Slope and offset of each metabolite.
        covariance: Of all slopes, then all offsets; positive definite.
    """
    errors = _Errors(estimates, covariance)
    probabilities, shares, bound = start.probabilities.copy(), start.shares, -np.inf
    for _ in range(MOST_ROUNDS):
        matrix, right = _quadratic_of_centres(errors, probabilities)
        ridge = 1e-12 * np.trace(matrix) * np.eye(len(matrix))
        centres = np.linalg.solve(matrix + ridge, right)
        shares = probabilities.mean(0)
        fit = errors.constant + right @ centres - 0.5 * centres @ matrix @ centres
        spread = probabilities * (
            np.log(shares + SMALLEST_SHARE) - np.log(probabilities + SMALLEST_SHARE)
        )
        before, bound = bound, float(fit + spread.sum())
        if bound - before < TOLERANCE * abs(bound):
            break
        probabilities = _expect(errors, probabilities, shares, centres.reshape(-1, 2))
    return Mixture(shares, centres.reshape(-1, 2), probabilities, bound)


def _quadratic_of_centres(
    errors: _Errors, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Expected log likelihood as ``b' m - m' A m / 2`` of the stacked centres."""
    types = probabilities.shape[1]
    shared = np.einsum(
        "it,js,ijde->tdse", probabilities, probabilities, errors.shared, optimize=True
    )
    own = np.einsum("it,ide->tde", probabilities, errors.own)
    shared[np.arange(types), :, np.arange(types), :] += own
    return shared.reshape(2 * types, 2 * types), (probabilities.T @ errors.pull).ravel()


def _expect(
    errors: _Errors, probabilities: np.ndarray, shares: np.ndarray, centres: np.ndarray
) -> np.ndarray:
    """One sweep over the metabolites, each given the expected centres of the others."""
    probabilities = probabilities.copy()
    expected = probabilities @ centres
    for i in range(len(probabilities)):
        rest = errors.pull[i] - np.einsum("jde,je->d", errors.shared[i], expected)
        own = -0.5 * np.einsum("kd,de,ke->k", centres, errors.own[i], centres)
        log_odds = np.log(shares + SMALLEST_SHARE) + own + centres @ rest
        probabilities[i] = softmax(log_odds)
        expected[i] = probabilities[i] @ centres
    return probabilities
