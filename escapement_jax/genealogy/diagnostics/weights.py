"""How far posterior draws can be trusted: weights, draws and priors side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from escapement_jax.genealogy.graph.graph_draw import GraphDraw


def mean_and_standard_error(values: np.ndarray) -> tuple[float, float]:
    """Return the mean of independent values and its standard error, NaN for a single value."""
    if len(values) == 1:
        return float(values[0]), float("nan")
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def importance_weighted_bound(log_weights: np.ndarray) -> float:
    """Return ``log mean exp`` of the log weights of draws, a tighter bound than their mean.

    Args:
        log_weights: One total per draw, nats.

    References:
        Burda, Grosse and Salakhutdinov (2016), Importance weighted autoencoders, equation (8).
    """
    largest = log_weights.max()
    return float(largest + np.log(np.exp(log_weights - largest).mean()))


def effective_sample_size(log_weights: np.ndarray) -> float:
    """Return ``(sum w)^2 / sum w^2``, the number of draws that importance weights would leave.

    Args:
        log_weights: One total per draw, nats.

    Returns:
        Between 1 and the number of draws.

    References:
        Kong, Liu and Wong (1994), Sequential imputations and Bayesian missing data problems.
    """
    weights = np.exp(log_weights - log_weights.max())
    return float(weights.sum() ** 2 / (weights**2).sum())


@dataclass(frozen=True)
class DrawSummaries:
    """One number for every draw, to be looked at side by side.

    Attributes:
        records: Recombination records, silent ones included.
        visible_records: Records that change the tree.
        mean_tmrca: Pairwise TMRCA, mean over pairs and base pairs, generations.
        mean_tree_height: Height of the local tree, mean over base pairs, generations.
    """

    records: np.ndarray
    visible_records: np.ndarray
    mean_tmrca: np.ndarray
    mean_tree_height: np.ndarray


def summarise_draws(
    draws: Sequence[GraphDraw], bin_edges: np.ndarray, grid_times: np.ndarray
) -> DrawSummaries:
    """Summarise every draw at the representative times of its levels.

    Args:
        draws: Posterior draws.
        bin_edges: Edges of the genome bins, base pairs.
        grid_times: Representative times of the levels, generations.
    """
    tmrca, height = [], []
    for draw in draws:
        spans = np.diff(draw.boundaries(bin_edges))
        pairs = draw.trees[:, *np.triu_indices(draw.num_haplotypes, 1)]
        tmrca.append(np.average(grid_times[pairs].mean(axis=1), weights=spans))
        height.append(np.average(grid_times[pairs.max(axis=1)], weights=spans))
    return DrawSummaries(
        records=np.array([draw.num_segments - 1 for draw in draws]),
        visible_records=np.array([len(draw.visible_records) for draw in draws]),
        mean_tmrca=np.array(tmrca),
        mean_tree_height=np.array(height),
    )


def tmrca_quantiles(
    tmrca: np.ndarray, population_size: float, probabilities: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Compare the quantiles of pairwise TMRCAs with those of the prior they were drawn under.

    For two lineages in a constant population the prior is exponential with mean ``2 N``: its
    quantile is ``-2 N log(1 - p)``. Pooled over a long region the posterior should resemble it, if
    N is right.

    Args:
        tmrca: Times of any pairs, places and draws, generations.
        population_size: Diploid N_e of the prior.
        probabilities: Where to compare, in (0, 1).

    Returns:
        Quantiles of the posterior and of the prior, generations.
    """
    prior = -2 * population_size * np.log1p(-np.asarray(probabilities))
    return np.quantile(tmrca, probabilities), prior
