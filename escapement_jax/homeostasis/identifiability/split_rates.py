"""A fair guess at rate constants of which only combinations are known."""

import jax
import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from escapement_jax.array_types import PRNGKey
from escapement_jax.homeostasis.identifiability.structure import Structure

DRAWS = 4000


def split_rates(
    effective: Float[np.ndarray, " kept"], structure: Structure, *, key: PRNGKey
) -> Float[np.ndarray, " reactions"]:
    """Return a rate constant for every reaction from the effective rates of the kept ones.

    Where ``k`` is identified it is solved for. Elsewhere it is the posterior geometric mean under a
    log-uniform prior over the range of the identified constants, given the combinations known; one
    member of each group takes what the others leave, so that the combinations stay as they are.

    Args:
        effective: ``combinations @ k``.
        structure: Which combinations those are.
        key: Source of randomness.
    """
    mixing = structure.combinations
    rates = np.linalg.pinv(mixing) @ effective
    sure = rates[structure.identifiable]
    sure = sure[sure > 0]
    if structure.identifiable.all() or not len(sure):
        return rates
    low, high = np.log(np.quantile(sure, [0.01, 0.99]))
    rates[(mixing == 0).all(0)] = np.exp((low + high) / 2)
    draws = low + (high - low) * np.asarray(
        jax.random.uniform(key, (DRAWS, len(rates)), dtype=float)
    )
    for pivot, row in enumerate(mixing):
        members = np.flatnonzero(row)
        if len(members) > 1 and (np.count_nonzero(mixing[:, members], axis=0) == 1).all():
            rates[members] = _split_one(
                effective[pivot], row[members], draws[:, members], (low, high), rates[members]
            )
    return rates


def _split_one(
    total: float,
    signs: np.ndarray,
    draws: np.ndarray,
    bounds: tuple[float, float],
    fallback: np.ndarray,
) -> np.ndarray:
    """Importance sampling: all members but the first from the prior, the first from the total."""
    first = (total - np.exp(draws[:, 1:]) @ signs[1:]) / signs[0]
    inside = (first > np.exp(bounds[0])) & (first < np.exp(bounds[1]))
    if not inside.any():
        return fallback
    log_rates = np.concatenate([np.log(first[inside, None]), draws[inside, 1:]], axis=1)
    log_weights = -log_rates[:, 0]
    split = np.exp(np.exp(log_weights - logsumexp(log_weights)) @ log_rates)
    split[0] = (total - split[1:] @ signs[1:]) / signs[0]
    return split if split[0] > 0 else fallback
