"""The types of all metabolites, how many there are, and homeostasis pooled over each."""

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.homeostasis.types.joint_mixture import refine_jointly
from escapement_jax.homeostasis.types.mixture import Mixture, fit_mixture


class MetaboliteTypes(eqx.Module):
    """Types in the order of the strength of their homeostasis, weakest first.

    Attributes:
        labels: Most probable type of each metabolite.
        probabilities: Probability of each type.
        shares: Share of metabolites in each type.
        covariance: Of the pooled slopes, then offsets.
        bayesian_information: Schwarz's criterion for 1, 2, ... types.
        rates: Rate constants refitted with one slope and one offset for each type.
        slopes: Slope of each type.
        offsets: Offset of each type.
    """

    labels: Int[np.ndarray, " metabolites"]
    probabilities: Float[np.ndarray, "metabolites types"]
    shares: Float[np.ndarray, " types"]
    covariance: Float[np.ndarray, "both both"]
    bayesian_information: Float[np.ndarray, " numbers"]
    rates: Float[np.ndarray, " reactions"]
    slopes: Float[np.ndarray, " types"]
    offsets: Float[np.ndarray, " types"]


def find_types(
    coefficients: Float[np.ndarray, " all"],
    covariance: Float[np.ndarray, "all all"],
    metabolites: int,
    reactions: int,
    *,
    most_types: int,
    resolution: float,
    key: PRNGKey,
) -> MetaboliteTypes:
    """Group metabolites by slope and offset; the number of types has the best Schwarz criterion.

    Args:
        coefficients: Rates, slopes, offsets, then parameters of the law.
        covariance: Of the coefficients.
        metabolites: Their number.
        reactions: Number of rates.
        most_types: Largest number of types to try.
        resolution: Share of the median slope and offset by which members of a type may differ; it
            keeps tiny misfits from splitting types when errors are tinier still.
        key: Source of randomness.
    """
    home = slice(reactions, reactions + 2 * metabolites)
    stacked, errors = coefficients[home], covariance[home, home]
    estimates = stacked.reshape(2, metabolites).T
    spread = resolution * np.repeat(np.median(np.abs(estimates), axis=0), metabolites)
    errors = errors + np.diag(spread**2 + 1e-24)
    own = errors.reshape(2, metabolites, 2, metabolites).transpose(1, 3, 0, 2)
    own = own[np.arange(metabolites), np.arange(metabolites)]
    mixtures = []
    for types in range(1, min(most_types, metabolites) + 1):
        start = fit_mixture(estimates, own, types, key=jax.random.fold_in(key, types))
        mixtures.append(refine_jointly(start, estimates, errors))
    criteria = np.array([mixture.bayesian_information for mixture in mixtures])
    best = _in_order(mixtures[int(np.argmin(criteria))])
    labels = best.probabilities.argmax(1)
    pooled, pooled_covariance = _pool(
        coefficients,
        covariance,
        _membership(labels, len(best.shares), reactions, len(coefficients)),
    )
    types = len(best.shares)
    values = slice(reactions, reactions + 2 * types)
    slopes, offsets = np.split(pooled[values], 2)
    return MetaboliteTypes(
        labels=labels,
        probabilities=best.probabilities,
        shares=best.shares,
        covariance=pooled_covariance[values, values],
        bayesian_information=criteria,
        rates=pooled[:reactions],
        slopes=slopes,
        offsets=offsets,
    )


def _in_order(mixture: Mixture) -> Mixture:
    """Weakest homeostasis first, and no type without a member."""
    members = np.bincount(mixture.probabilities.argmax(1), minlength=len(mixture.shares)) > 0
    order = np.argsort(np.abs(mixture.centres[:, 0]))
    order = order[members[order]]
    probabilities = mixture.probabilities[:, order]
    return Mixture(
        mixture.shares[order] / mixture.shares[order].sum(),
        mixture.centres[order],
        probabilities / probabilities.sum(1, keepdims=True),
        mixture.log_likelihood,
    )


def _membership(labels: np.ndarray, types: int, reactions: int, size: int) -> np.ndarray:
    """Matrix that hands the value of a type to all its members."""
    metabolites = len(labels)
    rest = size - reactions - 2 * metabolites
    table = np.zeros((size, reactions + 2 * types + rest))
    table[:reactions, :reactions] = np.eye(reactions)
    member = np.arange(metabolites)
    table[reactions + member, reactions + labels] = 1.0
    table[reactions + metabolites + member, reactions + types + labels] = 1.0
    table[size - rest :, table.shape[1] - rest :] = np.eye(rest)
    return table


def _pool(
    coefficients: np.ndarray, covariance: np.ndarray, membership: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Generalised least squares of the coefficients on those of the types."""
    scale = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(scale, scale) + 1e-12 * np.eye(len(scale))
    lower = np.linalg.cholesky(correlation)
    table = np.linalg.solve(lower, membership / scale[:, None])
    target = np.linalg.solve(lower, coefficients / scale)
    size = np.linalg.norm(table, axis=0)
    orthogonal, upper = np.linalg.qr(table / size)
    root = np.linalg.solve(upper, np.eye(len(upper)))
    pooled = root @ (orthogonal.T @ target) / size
    inverse = root @ root.T / np.outer(size, size)
    return pooled, inverse
