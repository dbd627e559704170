"""How well posterior draws of pairwise TMRCA agree with the truth.

All functions take `draws` [draws, pairs, positions] and `truth` [pairs, positions] in generations
and work on log10 generations. The point estimate is the posterior mean of log TMRCA.
"""

import numpy as np

FLOOR_GENERATIONS = 10.0


def log10_tmrca(times: np.ndarray) -> np.ndarray:
    """Return log10 of times in generations, floored at 10: some methods put nodes at time zero."""
    return np.log10(np.maximum(times, FLOOR_GENERATIONS))


def point_errors(draws: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return root mean square error, bias and correlation of the point estimate of log10 TMRCA."""
    estimate = log10_tmrca(draws).mean(axis=0).ravel()
    target = log10_tmrca(truth).ravel()
    error = estimate - target
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "bias": float(np.mean(error)),
        "r": float(np.corrcoef(estimate, target)[0, 1]),
    }


def crps(draws: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean fair continuous ranked probability score of log10 TMRCA.

    CRPS = E|X - y| - E|X - X'| / 2 with distinct draws X, X', so that its expectation does not
    depend on the number of draws (Ferro 2014). A single draw is scored as a point: |x - y|.
    """
    values, target = np.sort(log10_tmrca(draws), axis=0), log10_tmrca(truth)
    num_draws = len(values)
    distance = np.abs(values - target[None]).mean()
    if num_draws == 1:
        return float(distance)
    # Sorted, the k-th of S draws is the larger in k and the smaller in S - 1 - k pairs.
    weight = 2.0 * np.arange(num_draws) - (num_draws - 1)
    spread = np.tensordot(weight, values, axes=1).mean() * 2 / (num_draws * (num_draws - 1))
    return float(distance - spread / 2)


def coverage(draws: np.ndarray, truth: np.ndarray, level: float) -> float:
    """Return how often the equal-tailed interval of the given level covers the truth.

    The k-th of S sorted draws is the quantile k / (S + 1) (Weibull): exact for independent draws as
    long as both ends lie inside the sample; see `attainable_coverage`.
    """
    values, target = log10_tmrca(draws), log10_tmrca(truth)
    tails = [(1 - level) / 2, (1 + level) / 2]
    lower, upper = np.quantile(values, tails, axis=0, method="weibull")
    return float(np.mean((lower <= target) & (target <= upper)))


def attainable_coverage(num_draws: int, level: float) -> float:
    """Return the coverage of a perfect sampler: the level, or the range of so few draws."""
    return min(level, (num_draws - 1) / (num_draws + 1))


def transforms(draws: np.ndarray, truth: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return the sorted probability integral transforms: uniform if the draws are calibrated.

    The transform is the rank of the truth among the draws, ties broken at random.
    """
    values, target = log10_tmrca(draws), log10_tmrca(truth)[None]
    below, equal = (values < target).sum(axis=0), (values == target).sum(axis=0)
    rank = below + generator.random(below.shape) * (equal + 1)
    return np.sort(rank.ravel() / (len(values) + 1))


def calibration_error(
    draws: np.ndarray, truth: np.ndarray, generator: np.random.Generator
) -> float:
    """Return the mean distance of the sorted probability integral transforms from uniform.

    0 is perfect, 0.25 is every truth beyond the draws, on either side alike, and 0.5 on one side.
    """
    sorted_transforms = transforms(draws, truth, generator)
    uniform = (np.arange(sorted_transforms.size) + 0.5) / sorted_transforms.size
    return float(np.mean(np.abs(sorted_transforms - uniform)))


def transform_histogram(
    draws: np.ndarray, truth: np.ndarray, seed: int = 0, bins: int = 100
) -> list[float]:
    """Return the share of the transforms in equal bins of [0, 1]; uniform is perfect."""
    values = transforms(draws, truth, np.random.default_rng(seed))
    counts = np.histogram(values, bins, range=(0.0, 1.0))[0]
    return [float(f"{share:.6g}") for share in counts / values.size]


def pooled_calibration_error(
    histograms: np.ndarray, resamples: int = 1000
) -> dict[str, float | None]:
    """Return the calibration error of all data sets taken together, with a bootstrap error.

    One data set holds few independent genealogies, so that its own transforms are never uniform;
    those of many are. The error is the integral of |F(x) - x| over the pooled transforms.

    Args:
        histograms: [data sets, bins], as of `transform_histogram`.
        resamples: how often the data sets are drawn anew.
    """
    number, generator = len(histograms), np.random.default_rng(0)
    error = _distance_from_uniform(histograms.mean(axis=0))
    if number == 1:
        return {"mean": error, "stderr": None}
    chosen = generator.integers(number, size=(resamples, number))
    errors = [_distance_from_uniform(histograms[rows].mean(axis=0)) for rows in chosen]
    return {"mean": error, "stderr": float(np.std(errors))}


def _distance_from_uniform(shares: np.ndarray) -> float:
    distribution = np.concatenate([[0.0], np.cumsum(shares)])
    return float(
        np.trapezoid(np.abs(distribution - np.linspace(0, 1, distribution.size))) / shares.size
    )


def all_metrics(draws: np.ndarray, truth: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Return every metric by name; all but `r` and the coverages are better when nearer to 0."""
    generator = np.random.default_rng(seed)
    scores = point_errors(draws, truth) | {"crps": crps(draws, truth)}
    if len(draws) == 1:
        return scores
    return scores | {
        "coverage50": coverage(draws, truth, 0.50),
        "coverage95": coverage(draws, truth, 0.95),
        "coverage95_attainable": attainable_coverage(len(draws), 0.95),
        "calibration_error": calibration_error(draws, truth, generator),
    }


def pool(scores: list[dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """Return mean and standard error of every metric over the data sets that have it.

    Root mean square errors are pooled as the root of the mean square; their standard error is that
    of the plain mean. One data set has no standard error.
    """
    pooled: dict[str, dict[str, float | None]] = {}
    for name in dict.fromkeys(name for score in scores for name in score):
        values = np.array([score[name] for score in scores if name in score])
        mean = np.sqrt(np.mean(values**2)) if "rmse" in name else np.mean(values)
        stderr = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
        pooled[name] = {"mean": float(mean), "stderr": stderr}
    return pooled
