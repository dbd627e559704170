"""A plain verdict on the sweeps: have the chains reached the posterior, and how can one tell.

Every chain starts at a pass of its own. The first half of the steps is left
out; in the second half four rules must hold:

1. R-hat is at most `LARGEST_R_HAT`, or at most what chains as few and as short show by chance, for
   the log joint density and for all but 5 % of the traced coalescence times (over hundreds of them
   the largest is chance);
2. the effective sample size, over all chains together, is at least `SMALLEST_EFFECTIVE_SIZE`, again
   for the log density and all but 5 % of the times; in fewer than `MIN_STEPS_OF_SIZE` steps, too
   few for autocorrelations, it is the number of chains;
3. the log density does not drift: over these steps its mean slope moves it by less than
   `LARGEST_DRIFT_ERRORS` standard errors, or by less than `LARGEST_DRIFT` of the spread of chains;
4. there are enough steps to tell.

The verdict is on the sampler. Whether the model fits the genomes is for `predictive_checks`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from escapement_jax.genealogy.diagnostics.chain_statistics import (
    MIN_STEPS,
    bulk_effective_size,
    r_hat,
    tail_effective_size,
)
from escapement_jax.genealogy.diagnostics.trace import Trace
from escapement_jax.genealogy.diagnostics.weights import mean_and_standard_error

LARGEST_R_HAT = 1.05
SMALLEST_EFFECTIVE_SIZE = 100
LARGEST_DRIFT_ERRORS = 3.0
LARGEST_DRIFT = 0.25
TOLERATED_SHARE = 0.05
MIN_STEPS_OF_SIZE = 10
NUM_CHANCE_RATIOS = 100_000


@dataclass(frozen=True)
class Convergence:
    """Figures of the second half of the steps; NaN where they cannot be told.

    Attributes:
        steps: Steps looked at.
        r_hat_allowed: Largest R-hat that passes.
        r_hat_log_density: R-hat of the log joint density.
        r_hat_tmrca: R-hat that 95 % of the traced times stay below.
        r_hat_tmrca_largest: Largest R-hat of them all.
        bulk_ess_log_density: Bulk effective size of the log joint density.
        bulk_ess_tmrca: Bulk effective size that 95 % of the traced times stay above.
        tail_ess_tmrca: The same of tail effective sizes.
        log_density_drift: Mean change of the log joint density over these steps, nats.
        log_density_drift_stderr: Its standard error over chains.
        log_density_spread: Standard deviation between chains, mean over steps, nats.
    """

    steps: int
    r_hat_allowed: float
    r_hat_log_density: float
    r_hat_tmrca: float
    r_hat_tmrca_largest: float
    bulk_ess_log_density: float
    bulk_ess_tmrca: float
    tail_ess_tmrca: float
    log_density_drift: float
    log_density_drift_stderr: float
    log_density_spread: float


@dataclass(frozen=True)
class Verdict:
    """Whether the draws may be taken for draws from the posterior.

    Attributes:
        converged: Whether every rule holds; false where nobody can tell.
        warnings: The rules that do not hold, in words.
        convergence: The figures behind; None after a pass without sweeps.
    """

    converged: bool
    warnings: tuple[str, ...] = ()
    convergence: Convergence | None = None


def judge(trace: Trace, num_haplotypes: int) -> Verdict:
    """Judge the sweeps of an inference.

    Args:
        trace: What was recorded after the pass and after every sweep.
        num_haplotypes: Two haplotypes are drawn exactly by the pass.
    """
    if num_haplotypes == 2:
        return Verdict(converged=True)
    if trace.num_sweeps == 0:
        return Verdict(
            False,
            (
                "only the first pass was made: its draws come near the posterior, and nothing "
                "tells how near; add Gibbs sweeps (sweeps, --sweeps)",
            ),
        )
    convergence = measure_convergence(trace)
    warnings = _broken_rules(convergence)
    return Verdict(not warnings, warnings, convergence)


def measure_convergence(trace: Trace) -> Convergence:
    """Measure the second half of the steps of a trace with at least one sweep.

    Args:
        trace: What was recorded.
    """
    kept = len(trace.log_density) // 2
    density = trace.log_density[kept:].T
    times = trace.log_tmrca[kept:].reshape(*density.shape[::-1], -1).transpose(2, 1, 0)
    drift, drift_stderr = log_density_drift(density)
    hats = _each(r_hat, times)
    bulk_size, tail_size = (
        partial(_size, one) for one in (bulk_effective_size, tail_effective_size)
    )
    return Convergence(
        steps=density.shape[1],
        r_hat_allowed=max(LARGEST_R_HAT, chance_r_hat(*density.shape)),
        r_hat_log_density=r_hat(density),
        r_hat_tmrca=_all_but_some(hats),
        r_hat_tmrca_largest=float(np.fmax.reduce(hats, initial=np.nan)),
        bulk_ess_log_density=bulk_size(density),
        bulk_ess_tmrca=_all_but_some(_each(bulk_size, times), smallest=True),
        tail_ess_tmrca=_all_but_some(_each(tail_size, times), smallest=True),
        log_density_drift=drift,
        log_density_drift_stderr=drift_stderr,
        log_density_spread=float(density.std(axis=0).mean()),
    )


def chance_r_hat(num_chains: int, steps: int) -> float:
    """Return the R-hat that 99 % of chains of independent draws from one law stay below.

    R-hat of few steps is noisy: 24 chains of 11 steps have 1.07. For `m` half chains of `n`
    independent normal numbers `R-hat^2 = (n - 1 + F) / n`, where `F` has the F distribution with
    `m - 1` and `m (n - 1)` degrees of freedom; R-hat proper is the larger of two that are nearly
    independent, in place and in spread.

    Args:
        num_chains: Number of chains.
        steps: Steps of each.
    """
    half_chains, half_steps = 2 * num_chains, steps // 2
    if half_steps < 2:
        return float("nan")
    between, within = half_chains - 1, half_chains * (half_steps - 1)
    ratio = np.random.default_rng(0).f(between, within, NUM_CHANCE_RATIOS)
    return float(np.sqrt((half_steps - 1 + np.quantile(ratio, np.sqrt(0.99))) / half_steps))


def log_density_drift(density: np.ndarray) -> tuple[float, float]:
    """Return the mean over draws of slope times steps, and its standard error over chains.

    The slope of each chain is that of least squares; chains are independent, so their spread gives
    the error, however strongly the steps of a draw are correlated.

    Args:
        density: Log joint density, nats [chains, steps].
    """
    steps = density.shape[1]
    if steps < 2:
        return float("nan"), float("nan")
    centred = np.arange(steps) - (steps - 1) / 2
    slopes = density @ centred / (centred @ centred)
    return mean_and_standard_error(slopes * (steps - 1))


def _size(statistic: Callable[[np.ndarray], float], chains: np.ndarray) -> float:
    num_chains, steps = chains.shape
    return float(num_chains) if steps < MIN_STEPS_OF_SIZE else statistic(chains)


def _each(statistic: Callable[[np.ndarray], float], quantities: np.ndarray) -> np.ndarray:
    return np.array([statistic(chains) for chains in quantities])


def _all_but_some(values: np.ndarray, *, smallest: bool = False) -> float:
    """The bound that all but `TOLERATED_SHARE` of the known values keep; NaN if none is known.

    A time that never changes tells nothing: its statistic is NaN.
    """
    known = np.sort(values[~np.isnan(values)])
    if not known.size:
        return float("nan")
    tolerated = int(TOLERATED_SHARE * known.size)
    return float(known[tolerated] if smallest else known[-1 - tolerated])


def _broken_rules(figures: Convergence) -> tuple[str, ...]:
    if figures.steps < MIN_STEPS:
        return (
            f"too few sweeps to tell convergence: {figures.steps} steps are left in the second "
            f"half, and R-hat needs {MIN_STEPS}; use {2 * MIN_STEPS - 1} sweeps or more",
        )
    return tuple(_mixing(figures)) + tuple(_drift(figures))


def _mixing(figures: Convergence) -> Iterator[str]:
    hats = {
        "the log density": figures.r_hat_log_density,
        "coalescence times": figures.r_hat_tmrca,
    }
    for name, value in hats.items():
        if value > figures.r_hat_allowed:
            yield (
                f"the chains disagree on {name}: R-hat is {value:.2f}, above "
                f"{figures.r_hat_allowed:.2f}; use more sweeps"
            )
    sizes = {
        "of the log density": figures.bulk_ess_log_density,
        "of coalescence times": figures.bulk_ess_tmrca,
        "of the tails of coalescence times": figures.tail_ess_tmrca,
    }
    for name, value in sizes.items():
        if value < SMALLEST_EFFECTIVE_SIZE:
            yield (
                f"the effective sample size {name} is {value:.0f}, below "
                f"{SMALLEST_EFFECTIVE_SIZE}; use more sweeps or more chains"
            )


def _drift(figures: Convergence) -> Iterator[str]:
    drift, error = figures.log_density_drift, figures.log_density_drift_stderr
    certain = abs(drift) > LARGEST_DRIFT_ERRORS * error
    if certain and abs(drift) > LARGEST_DRIFT * figures.log_density_spread:
        yield (
            f"the log density still {'rises' if drift > 0 else 'falls'}: by {abs(drift):.1f} +- "
            f"{error:.1f} nats over the last {figures.steps} steps; use more sweeps"
        )
