"""Simulation-based calibration: is the truth one more draw from the posterior?

If data are made by the law that the inference assumes, the rank of the truth among `S` draws is
uniform (Cook, Gelman & Rubin 2006; Talts et al. 2018). With ties broken at random and a uniform
number inside its step, `u = (rank + U) / (S + 1)` is uniform on (0, 1) for every `S`.

Replicates are independent; ranks of several places in one replicate are not. `N` such ranks count
as `N / d` independent ones, with `d` the design effect: the variance between replicates of the
share of ranks below `z`, over that of independent ranks, summed over `z` (Kish 1965).

References:
    Talts, Betancourt, Simpson, Vehtari and Gelman (2018), Validating Bayesian inference algorithms
    with simulation-based calibration, arXiv 1804.06788.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from escapement_jax.genealogy.diagnostics.rank_uniformity import chi_square_p_value, ecdf_p_value

Truth = Float[np.ndarray, "replicates places"]
Draws = Float[np.ndarray, "replicates draws places"]
Ranks = Float[np.ndarray, "replicates places"]

SMALLEST_P_VALUE = 0.01
LARGEST_ERRORS = 3.0


@dataclass(frozen=True)
class Estimate:
    """A mean over replicates and its standard error.

    Attributes:
        mean: The mean.
        stderr: Standard error over replicates; NaN for a single one.
    """

    mean: float
    stderr: float


@dataclass(frozen=True)
class QuantityCalibration:
    """How one quantity is calibrated.

    Attributes:
        name: The quantity, with its unit.
        ranks: Normalised ranks of the truth, 0 below all draws, 1 above.
        effective_count: Number of independent ranks that they are worth.
        ecdf_p_value: Uniformity of the ranks by their distribution function.
        chi_square_p_value: Uniformity of the ranks in ten bins.
        coverage_50: Share of truths in the central 50 % interval of the draws.
        coverage_95: The same for 95 %.
        attainable_50: Coverage that a perfect sampler with as many draws has.
        attainable_95: The same for 95 %.
        bias: Mean of the draws minus the truth.
        rmse: Root mean square of that.
        crps: Continuous ranked probability score.
    """

    name: str
    ranks: np.ndarray
    effective_count: float
    ecdf_p_value: float
    chi_square_p_value: float
    coverage_50: Estimate
    coverage_95: Estimate
    attainable_50: float
    attainable_95: float
    bias: Estimate
    rmse: Estimate
    crps: Estimate

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the calibration, in words."""
        found = []
        if self.ecdf_p_value < SMALLEST_P_VALUE:
            found.append(
                f"{self.name}: the truth is no draw from the posterior (p = "
                f"{self.ecdf_p_value:.3g}); it lies {_side(self.ranks)}"
            )
        right = self.attainable_95
        gap = self.coverage_95.mean - right
        # The error that a calibrated sampler has: the one measured is 0 when all are covered.
        if abs(gap) > LARGEST_ERRORS * np.sqrt(right * (1 - right) / self.effective_count):
            found.append(
                f"{self.name}: 95 % intervals are too {'wide' if gap > 0 else 'narrow'}: they hold "
                f"{100 * self.coverage_95.mean:.1f} +- {100 * self.coverage_95.stderr:.1f} % of "
                f"the truths, and {100 * right:.1f} % is right"
            )
        return tuple(found)


def calibrate(name: str, truth: Truth, draws: Draws, *, seed: int) -> QuantityCalibration:
    """Hold draws against truths.

    Args:
        name: The quantity, with its unit.
        truth: True values at places of independent replicates.
        draws: Draws of the same.
        seed: Seed of broken ties and of simulated p-values.
    """
    ranks = normalised_ranks(truth, draws, np.random.default_rng(seed))
    count = effective_count(ranks)
    error = draws.mean(axis=1) - truth
    return QuantityCalibration(
        name=name,
        ranks=ranks,
        effective_count=count,
        ecdf_p_value=ecdf_p_value(ranks.ravel(), round(count), seed=seed),
        chi_square_p_value=chi_square_p_value(ranks.ravel(), count),
        coverage_50=over_replicates(covered(truth, draws, 0.50)),
        coverage_95=over_replicates(covered(truth, draws, 0.95)),
        attainable_50=attainable_coverage(draws.shape[1], 0.50),
        attainable_95=attainable_coverage(draws.shape[1], 0.95),
        bias=over_replicates(error),
        rmse=_root(over_replicates(error**2)),
        crps=over_replicates(crps(truth, draws)),
    )


def normalised_ranks(truth: Truth, draws: Draws, generator: np.random.Generator) -> Ranks:
    """Return `(rank + U) / (S + 1)`, with the rank among ties drawn at random.

    Args:
        truth: True values.
        draws: Draws.
        generator: Source of ties and of `U`.
    """
    below = (draws < truth[:, None]).sum(axis=1)
    equal = (draws == truth[:, None]).sum(axis=1)
    return (below + generator.random(truth.shape) * (equal + 1)) / (draws.shape[1] + 1)


def effective_count(ranks: Ranks) -> float:
    """Return the number of independent ranks that are as informative as dependent ones.

    Between the number of replicates and the number of ranks.

    Args:
        ranks: Ranks of independent replicates.
    """
    replicates, places = ranks.shape
    if replicates < 2:
        return float(replicates)
    levels = np.linspace(0, 1, 21)[1:-1]
    below = (ranks[:, :, None] <= levels).mean(axis=1)
    independent = (levels * (1 - levels)).sum() / places
    effect = below.var(axis=0, ddof=1).sum() / independent
    return float(ranks.size / np.clip(effect, 1.0, places))


def covered(truth: Truth, draws: Draws, level: float) -> Float[np.ndarray, "replicates places"]:
    """Return whether the central interval of a level holds the truth, 1.0 or 0.0.

    The `k`-th smallest of `S` draws is the quantile `k / (S + 1)` (Weibull), which is exact for
    independent draws while both ends are inside the sample.
    """
    tails = [(1 - level) / 2, (1 + level) / 2]
    lower, upper = np.quantile(draws, tails, axis=1, method="weibull")
    return ((lower <= truth) & (truth <= upper)).astype(np.float64)


def attainable_coverage(num_draws: int, level: float) -> float:
    """Return the coverage of a perfect sampler: the level, or the range of so few draws."""
    return min(level, (num_draws - 1) / (num_draws + 1))


def crps(truth: Truth, draws: Draws) -> Float[np.ndarray, "replicates places"]:
    """Return the fair continuous ranked probability score, `E|X - y| - E|X - X'| / 2`.

    The second mean is over pairs of distinct draws, so that the expectation does not depend on
    their number (Ferro 2014).
    """
    values = np.sort(draws, axis=1)
    size = values.shape[1]
    # Sorted, the k-th of S draws is the larger one in k pairs and the smaller in S - 1 - k.
    weight = 2.0 * np.arange(size) - (size - 1)
    spread = np.einsum("k,rkp->rp", weight, values) / max(size * (size - 1), 1)
    return np.abs(values - truth[:, None]).mean(axis=1) - spread


def over_replicates(values: Float[np.ndarray, "replicates places"]) -> Estimate:
    """Return the mean of values and its standard error, replicates being independent."""
    means = values.mean(axis=1)
    stderr = means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.nan
    return Estimate(float(means.mean()), float(stderr))


def _root(square: Estimate) -> Estimate:
    """Root of a mean square, its error by the delta method."""
    root = np.sqrt(square.mean)
    return Estimate(float(root), float(square.stderr / (2 * root)) if root > 0 else 0.0)


def _side(ranks: Ranks) -> str:
    """Where the truth lies among the draws, by mean and spread of uniform ranks."""
    shift = (ranks.mean() - 1 / 2) / (1 / 12) ** 0.5
    spread = (ranks.var() - 1 / 12) / (1 / 180) ** 0.5
    if abs(shift) > abs(spread):
        return "too often above the draws" if shift > 0 else "too often below the draws"
    return "too often outside the draws" if spread > 0 else "too often amid the draws"
