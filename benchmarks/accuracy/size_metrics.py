"""How well N_e(t) agrees with the true history."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tskit

GRID_GENERATIONS = np.logspace(2.5, 5, 51)
MIDDLE = (GRID_GENERATIONS >= 1e3) & (GRID_GENERATIONS <= 4e4)
WINDOW_EDGES = np.logspace(2, 5.25, 27)
MAX_DRAWS = 20
LARGEST_SIZE = 1e9


@dataclass(frozen=True)
class SizeEstimate:
    """A method's own piecewise-constant N_e(t): left edges of epochs, sizes, 95 % band if known."""

    start_generations: np.ndarray
    size: np.ndarray
    band_95: tuple[np.ndarray, np.ndarray] | None = None

    def on_grid(self, values: np.ndarray) -> np.ndarray:
        """Return the values, one of each epoch, at the times of the grid."""
        return values[np.searchsorted(self.start_generations, GRID_GENERATIONS, "right") - 1]


def size_errors(estimate: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return the root mean square error of log10 N_e on the grid, and from 10^3 to 4 10^4."""
    squares = (np.log10(estimate) - np.log10(truth)) ** 2
    return {
        "size_rmse": float(np.sqrt(squares.mean())),
        "size_rmse_middle": float(np.sqrt(squares[MIDDLE].mean())),
    }


def reported_size_errors(estimate: SizeEstimate, truth: np.ndarray) -> dict[str, float]:
    """Return the errors of a method's own N_e(t), and the share of the grid its band covers."""
    errors = size_errors(estimate.on_grid(estimate.size), truth)
    figures = {f"reported_{name}": value for name, value in errors.items()}
    if estimate.band_95 is None:
        return figures
    lower, upper = map(estimate.on_grid, estimate.band_95)
    covered = (lower <= truth) & (truth <= upper)
    return figures | {"reported_size_coverage95": float(covered.mean())}


def size_of_draws(draws: Sequence[tskit.TreeSequence]) -> np.ndarray:
    """Return N_e on the grid from the rates of pair coalescence in at most twenty draws.

    N_e = 1 / (2 rate) in windows of equal width in log time, rates averaged over draws; between the
    windows' middles log N_e is interpolated. Windows in which no pair coalesces are left out.
    """
    windows = np.concatenate([[0.0], WINDOW_EDGES, [np.inf]])
    rates = np.array([_pair_coalescence_rates(draw, windows) for draw in draws[:MAX_DRAWS]])
    known = np.isfinite(rates)
    mean = np.where(known, rates, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    rate = mean[1:-1]
    middle = np.log(WINDOW_EDGES[:-1] * WINDOW_EDGES[1:]) / 2
    used = rate > 1 / (2 * LARGEST_SIZE)
    if not used.any():
        raise ValueError("no pair of samples coalesces between 100 and 180,000 generations ago")
    return np.exp(np.interp(np.log(GRID_GENERATIONS), middle[used], -np.log(2 * rate[used])))


def _pair_coalescence_rates(draw: tskit.TreeSequence, windows: np.ndarray) -> np.ndarray:
    if draw.time_units != "generations":
        tables = draw.dump_tables()
        tables.time_units = "generations"
        draw = tables.tree_sequence()
    return draw.pair_coalescence_rates(windows)
