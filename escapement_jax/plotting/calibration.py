"""Figures of a calibration: rank histograms, and how distribution functions leave the diagonal."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from escapement_jax.genealogy.diagnostics.calibration import QuantityCalibration
from escapement_jax.genealogy.diagnostics.rank_uniformity import ecdf_band
from escapement_jax.plotting.style import BLUE, DOTS_PER_INCH, GREY, VERMILION, styled_figure

NUM_BINS = 10
NUM_COLUMNS = 2


def plot_rank_histograms(results: Sequence[QuantityCalibration]) -> Figure:
    """Draw a histogram of the ranks of the truth for every quantity.

    A hump says that posteriors are too wide, a valley too narrow, a slope biased. The band is two
    standard errors of a bar about its expectation, for as many ranks as these are worth.

    Args:
        results: One for each quantity.
    """
    return _panels(results, _draw_histogram)


def plot_ecdf_differences(results: Sequence[QuantityCalibration]) -> Figure:
    """Draw the distribution function of the ranks minus the diagonal, with its 95 % band.

    The whole curve of a calibrated sampler is inside the band with probability 0.95.

    Args:
        results: One for each quantity.

    References:
        Sailynoja, Buerkner and Vehtari (2022), Statistics and Computing 32:32.
    """
    return _panels(results, _draw_ecdf_difference)


def _panels(
    results: Sequence[QuantityCalibration], draw: Callable[[Axes, QuantityCalibration], None]
) -> Figure:
    rows = -(-len(results) // NUM_COLUMNS)
    with styled_figure(3.4 * NUM_COLUMNS, 2.6 * rows) as figure:
        for place, result in enumerate(results, start=1):
            axes = figure.add_subplot(rows, NUM_COLUMNS, place)
            draw(axes, result)
            axes.set_title(result.name)
            axes.set_xlim(0, 1)
            axes.set_xlabel("rank of the truth among draws")
    return figure


def _draw_histogram(axes: Axes, result: QuantityCalibration) -> None:
    shares = np.histogram(result.ranks, NUM_BINS, range=(0.0, 1.0))[0] / result.ranks.size
    even = 1 / NUM_BINS
    error = 2 * np.sqrt(even * (1 - even) / result.effective_count)
    axes.axhspan(max(even - error, 0), even + error, color=GREY, alpha=0.25, linewidth=0)
    axes.stairs(shares, np.linspace(0, 1, NUM_BINS + 1), fill=True, color=BLUE, alpha=0.6)
    axes.axhline(even, color=GREY, linewidth=1)
    axes.set_ylabel("share of ranks")


def _draw_ecdf_difference(axes: Axes, result: QuantityCalibration) -> None:
    levels, lower, upper = ecdf_band(max(round(result.effective_count), 2))
    curve = (result.ranks.ravel()[:, None] <= levels).mean(axis=0)
    ends = np.concatenate([[0.0], levels, [1.0]])
    band = {"color": GREY, "alpha": 0.25, "linewidth": 0}
    axes.fill_between(ends, _closed(lower - levels), _closed(upper - levels), **band)
    axes.plot(
        ends, _closed(curve - levels), color=BLUE if _inside(curve, lower, upper) else VERMILION
    )
    axes.axhline(0, color=GREY, linewidth=1)
    axes.set_ylabel("distribution minus uniform")


def _closed(curve: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], curve, [0.0]])


def _inside(curve: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> bool:
    return bool(((lower <= curve) & (curve <= upper)).all())


def save_calibration_figures(results: Sequence[QuantityCalibration], folder: Path) -> None:
    """Write the figures as PNG.

    Args:
        results: One for each quantity.
        folder: Where to write; created if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "rank_histograms": plot_rank_histograms(results),
        "rank_ecdf_differences": plot_ecdf_differences(results),
    }
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=DOTS_PER_INCH)
