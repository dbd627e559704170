"""Are numbers uniform on (0, 1)? Distribution functions with simultaneous bands.

For `n` independent uniform numbers the count below `z` is binomial. A curve of counts is as odd as
its oddest point, `gamma = min_z 2 min(P(X <= count), P(X >= count))`; how odd curves are by chance
is simulated. A band that holds a whole curve with probability 0.95 is that of all counts with
`gamma` above the 5 % quantile.

References:
    Sailynoja, Buerkner and Vehtari (2022), Graphical test for discrete uniformity and its
    applications in goodness-of-fit evaluation and multiple sample comparison, Statistics and
    Computing 32:32.
"""

import math
from functools import cache

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaincc
from jaxtyping import Float

NUM_SIMULATED = 2000
LARGEST_GRID = 100
NUM_BINS = 10

Levels = Float[np.ndarray, " levels"]


def evaluation_levels(count: int) -> Levels:
    """Return the inner points `z` at which curves of so many numbers are looked at."""
    points = min(max(count, 2), LARGEST_GRID)
    return np.arange(1, points) / points


def ecdf_p_value(values: Float[np.ndarray, " values"], count: int, *, seed: int = 0) -> float:
    """Return the p-value of uniformity by the oddest point of the distribution function.

    Args:
        values: Numbers in (0, 1).
        count: Number of independent ones that they are worth.
        seed: Seed of the curves that are simulated.
    """
    levels = evaluation_levels(count)
    tails = _binomial_tails(count)
    observed = (values[:, None] <= levels).mean(axis=0)
    odd = _oddness(np.rint(observed * count).astype(int)[None], tails)[0]
    # Equal but for rounding is equal.
    by_chance = _simulated_oddness(count, seed) <= odd * (1 + 1e-9)
    return float((1 + by_chance.sum()) / (1 + NUM_SIMULATED))


def ecdf_band(
    count: int, *, coverage: float = 0.95, seed: int = 0
) -> tuple[Levels, Levels, Levels]:
    """Return a band that holds the whole distribution function of uniform numbers.

    Args:
        count: Number of independent uniform numbers.
        coverage: Probability that the curve stays inside the band.
        seed: Seed of the curves that are simulated.

    Returns:
        The levels, and the lower and the upper end of the share of numbers below each.
    """
    levels = evaluation_levels(count)
    threshold = np.quantile(_simulated_oddness(count, seed), 1 - coverage)
    # Equal but for rounding is inside, as it is in the p-value.
    inside = 2 * np.minimum(*_binomial_tails(count)) >= threshold * (1 - 1e-9)
    lower = inside.argmax(axis=1)
    upper = count - inside[:, ::-1].argmax(axis=1)
    return levels, lower / count, upper / count


def chi_square_p_value(values: Float[np.ndarray, " values"], count: float) -> float:
    """Return the p-value of Pearson's test in ten bins, for numbers worth `count` independent ones.

    The statistic of dependent numbers is divided by their design effect (Rao & Scott 1981). With
    few numbers there are fewer bins, so that five are expected in each.

    Args:
        values: Numbers in (0, 1).
        count: Number of independent ones that they are worth.
    """
    bins = int(np.clip(count // 5, 2, NUM_BINS))
    shares = np.histogram(values, bins, range=(0.0, 1.0))[0] / len(values)
    statistic = count * bins * ((shares - 1 / bins) ** 2).sum()
    return float(gammaincc(jnp.asarray((bins - 1) / 2), jnp.asarray(statistic / 2)))


@cache
def _binomial_tails(count: int) -> tuple[np.ndarray, np.ndarray]:
    """`P(X <= k)` and `P(X >= k)` for binomial X, [levels, count + 1]."""
    level = evaluation_levels(count)[:, None]
    k = np.arange(count + 1)
    log_factorial = np.array([math.lgamma(number + 1) for number in k])
    log_ways = log_factorial[-1] - log_factorial - log_factorial[::-1]
    mass = np.exp(log_ways + k * np.log(level) + (count - k) * np.log1p(-level))
    return np.cumsum(mass, axis=1), np.cumsum(mass[:, ::-1], axis=1)[:, ::-1]


def _oddness(counts: np.ndarray, tails: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """`gamma` of curves of counts [curves, levels]."""
    at_most, at_least = tails
    rows = np.arange(counts.shape[1])
    return 2 * np.minimum(at_most[rows, counts], at_least[rows, counts]).min(axis=1)


@cache
def _simulated_oddness(count: int, seed: int) -> np.ndarray:
    """`gamma` of curves of independent uniform numbers."""
    levels = evaluation_levels(count)
    generator = np.random.default_rng([seed, count])
    widths = np.diff(np.concatenate([[0.0], levels, [1.0]]))
    counts = generator.multinomial(count, widths, NUM_SIMULATED)[:, :-1].cumsum(axis=1)
    return _oddness(counts, _binomial_tails(count))
