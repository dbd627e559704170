"""R-hat and effective sample size of Markov chains, after Vehtari et al. (2021).

Every function takes one quantity as `chains` [chains, steps] and gives NaN where it cannot tell: in
fewer than four steps, or for a quantity that never changes.

References:
    Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021), Rank-normalization, folding, and
    localization: an improved R-hat, Bayesian Analysis 16:667.
"""

from functools import cache

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import Float

Chains = Float[np.ndarray, "chains steps"]

MIN_STEPS = 4
TAILS = (0.05, 0.95)


def r_hat(chains: Chains) -> float:
    """Return the rank-normalised split R-hat: 1 when all chains sample one law.

    The larger of R-hat of the ranks, for where chains are, and of ranks folded about the median,
    for how far they spread.

    Args:
        chains: One quantity.

    References:
        Vehtari et al. (2021), sections 3 and 4.1.
    """
    if _cannot_tell(chains):
        return float("nan")
    split = split_chains(chains)
    folded = np.abs(split - np.median(split))
    return max(_plain_r_hat(normal_scores(split)), _plain_r_hat(normal_scores(folded)))


def bulk_effective_size(chains: Chains) -> float:
    """Return the number of independent draws that place the middle of the law as well.

    Args:
        chains: One quantity.

    References:
        Vehtari et al. (2021), section 4.2.
    """
    if _cannot_tell(chains):
        return float("nan")
    return effective_size(normal_scores(split_chains(chains)))


def tail_effective_size(chains: Chains) -> float:
    """Return the number of independent draws that place the 5 % and 95 % quantiles as well.

    The smaller of the effective sizes of "below the quantile", over the two quantiles.

    Args:
        chains: One quantity.

    References:
        Vehtari et al. (2021), section 4.3.
    """
    if _cannot_tell(chains):
        return float("nan")
    below = [(chains <= np.quantile(chains, tail)).astype(np.float64) for tail in TAILS]
    return min(effective_size(split_chains(tail)) for tail in below)


def effective_size(chains: Chains) -> float:
    """Return `S / tau`, the draws in all chains over their integrated autocorrelation time.

    `tau = -1 + 2 sum_k (rho_2k + rho_2k+1)`, with the pairs cut at the first negative one and made
    monotone (Geyer 1992). The autocorrelation `rho` counts differences between chains as
    correlation. A size above `S log10 S` is cut there.

    Args:
        chains: One quantity, as it is.

    References:
        Vehtari et al. (2021), equations 9 to 13.
    """
    num_chains, steps = chains.shape
    if np.ptp(chains) == 0:
        return float(chains.size)
    covariance = _autocovariance(chains).mean(axis=0)
    within = covariance[0] * steps / (steps - 1)
    between = chains.mean(axis=1).var(ddof=1) if num_chains > 1 else 0.0
    variance = within * (steps - 1) / steps + between
    correlation = 1.0 - (within - covariance) / variance
    correlation[0] = 1.0
    time = _autocorrelation_time(correlation)
    return float(chains.size / max(time, 1 / np.log10(chains.size)))


def split_chains(chains: Chains) -> Float[np.ndarray, "halves half_steps"]:
    """Cut every chain in half, so that a chain that drifts disagrees with itself."""
    half = chains.shape[1] // 2
    return np.concatenate([chains[:, :half], chains[:, -half:]])


def normal_scores(chains: Chains) -> Chains:
    """Replace values by the normal quantiles of their ranks `r` among all: `(r - 3/8) / (S + 1/4)`.

    Equal values share their mean rank (Blom 1958).
    """
    _, place, counts = np.unique(chains, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    doubled_rank = (2 * last - counts + 1)[place.reshape(chains.shape)]
    return _scores_of_ranks(chains.size)[doubled_rank - 2]


@cache
def _scores_of_ranks(size: int) -> np.ndarray:
    """Normal scores of the ranks 1, 1.5, 2, ..., size."""
    ranks = np.arange(2, 2 * size + 1) / 2
    return np.asarray(ndtri(jnp.asarray((ranks - 0.375) / (size + 0.25))), np.float64)


def _plain_r_hat(chains: Chains) -> float:
    steps = chains.shape[1]
    within = chains.var(axis=1, ddof=1).mean()
    between = chains.mean(axis=1).var(ddof=1)
    if within == 0:
        return float("inf") if between > 0 else float("nan")
    return float(np.sqrt((steps - 1) / steps + between / within))


def _autocovariance(chains: Chains) -> Chains:
    """Biased autocovariance of every chain, lags in place of steps."""
    steps = chains.shape[1]
    centred = chains - chains.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * steps, axis=1)
    return np.fft.irfft(np.abs(spectrum) ** 2, 2 * steps, axis=1)[:, :steps] / steps


def _autocorrelation_time(correlation: Float[np.ndarray, " lags"]) -> float:
    """Geyer's initial monotone sequence of pairs, and the first lag after it where positive."""
    num_pairs = 1 + max((len(correlation) - 3) // 2, 0)
    pairs = correlation[: 2 * num_pairs].reshape(num_pairs, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    used = int(negative[0]) if negative.size else num_pairs - 1
    total = np.minimum.accumulate(pairs[:used]).sum()
    return float(-1 + 2 * total + max(correlation[2 * used], 0.0))


def _cannot_tell(chains: Chains) -> bool:
    return chains.shape[1] < MIN_STEPS or bool(np.ptp(chains) == 0)
