"""The published score of rate constants, and the ceiling that the network's structure sets."""

import numpy as np
from jaxtyping import Float

from escapement_jax.homeostasis.network import Network

GRID = 401


def rate_constants_r2(
    log10_rates: Float[np.ndarray, " reactions"], true_log10_rates: Float[np.ndarray, " reactions"]
) -> float:
    """Return the squared correlation of log10 rate constants, over all reactions as published.

    Args:
        log10_rates: Recovered; every one finite (see `split_shared_rates`).
        true_log10_rates: The truth.
    """
    return float(np.corrcoef(log10_rates, true_log10_rates)[0, 1] ** 2)


def identity_r2(
    log10_rates: Float[np.ndarray, " reactions"], true_log10_rates: Float[np.ndarray, " reactions"]
) -> float:
    """Return ``1 - sum (x - t)^2 / sum (t - mean t)^2``, which a wrong scale does not satisfy.

    Args:
        log10_rates: Recovered.
        true_log10_rates: The truth.
    """
    spread = ((true_log10_rates - true_log10_rates.mean()) ** 2).sum()
    return float(1 - ((log10_rates - true_log10_rates) ** 2).sum() / spread)


def split_shared_rates(
    network: Network,
    rates: Float[np.ndarray, " reactions"],
    *,
    groups: tuple[tuple[int, ...], ...],
    edgeless: tuple[int, ...],
    log10_range: tuple[float, float],
) -> Float[np.ndarray, " reactions"]:
    """Return the expected log10 rate constants where the data leave them open.

    Reactions of one group share their monomial: data tell only ``S_group k``. What they leave open
    is averaged under rates that are log-uniform over a range. Reactions that never run get the
    middle of it, and rates outside the range are moved to its nearest end.

    Args:
        network: The reactions.
        rates: Rate constants with the right ``S_group k`` in every group.
        groups: Reactions that cannot be told apart.
        edgeless: Reactions that never run.
        log10_range: Least and largest log10 rate constant thought possible.
    """
    low, high = log10_range
    log10_rates = np.log10(np.clip(np.nan_to_num(rates), 10.0**low, 10.0**high))
    log10_rates[list(edgeless)] = (low + high) / 2
    stoichiometry = np.asarray(network.stoichiometry)
    for group in groups:
        members = list(group)
        log10_rates[members] = _expected_split(stoichiometry[:, members], rates[members], low, high)
    return log10_rates


def _expected_split(
    stoichiometry: np.ndarray, rates: np.ndarray, low: float, high: float
) -> np.ndarray:
    """Average over the line of rates with the same effect, weighted by the log-uniform prior."""
    singular, right = np.linalg.svd(stoichiometry)[1:]
    rank = int((singular > 1e-9 * singular.max(initial=1.0)).sum())
    if len(rates) - rank != 1:
        # More than one direction is open: keep the rates as they are, inside the range.
        return np.log10(np.clip(rates, 10.0**low, 10.0**high))
    direction = right[-1]
    ends = (10.0 ** np.array([[low], [high]]) - rates) / direction
    first, last = ends.min(axis=0).max(), ends.max(axis=0).min()
    if first >= last:
        return np.log10(np.clip(rates, 10.0**low, 10.0**high))
    points = rates + np.linspace(first, last, GRID)[:, None] * direction
    points = np.clip(points, 10.0**low, 10.0**high)
    return np.average(np.log10(points), axis=0, weights=1 / points.prod(axis=1))
