"""Figures of how far an inference can be trusted: predictive checks and the trace of sweeps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from escapement_jax.genealogy.diagnostics.trace import Trace
from escapement_jax.genealogy.posterior import Posterior
from escapement_jax.genealogy.predictive_checks import PredictiveCheck
from escapement_jax.plotting.style import BLUE, DOTS_PER_INCH, GREY, VERMILION, styled_figure

AXES = {
    "diversity": ("position (kb)", "differences per 1,000 bp", 1e-3, 1e3),
    "frequency spectrum": ("count of the rarer allele", "sites", 1.0, 1.0),
    "linkage disequilibrium": ("distance of two sites (bp)", "mean $r^2$", 1.0, 1.0),
}
"""Labels of both axes, and what positions and values are multiplied by, for every check."""


def plot_predictive_checks(checks: Sequence[PredictiveCheck]) -> Figure:
    """Draw the curves of the data over the mean and the 99 % band of genomes made anew.

    Args:
        checks: Checks of one inference, a panel each.
    """
    with styled_figure(3.4 * len(checks), 3.0) as figure:
        panels = figure.subplots(1, len(checks), squeeze=False)[0]
        for axes, check in zip(panels, checks, strict=True):
            _draw_check(axes, check)
        panels[0].legend(loc="best")
    return figure


def _draw_check(axes: Axes, check: PredictiveCheck) -> None:
    along, up, unit, scale = AXES[check.name]
    edges = check.edges * unit
    centres = (edges[:-1] + edges[1:]) / 2
    if check.name == "linkage disequilibrium":
        centres = np.sqrt(edges[:-1] * edges[1:])
        axes.set_xscale("log")
    known = np.isfinite(check.observed)
    lower, upper, mean, observed = (
        curve[known] * scale for curve in (check.lower, check.upper, check.mean, check.observed)
    )
    lower = np.maximum(lower, 0.0)
    axes.fill_between(
        centres[known], lower, upper, color=BLUE, alpha=0.2, linewidth=0, label="99 %"
    )
    axes.plot(centres[known], mean, color=BLUE, label="made anew")
    axes.plot(centres[known], observed, "o", color=VERMILION, markersize=3.5, label="data")
    axes.set(xlabel=along, ylabel=up, title=f"{check.name}, p = {check.p_value:.2g}")
    axes.set_ylim(bottom=0)


def plot_trace(trace: Trace) -> Figure:
    """Draw the log joint density and the mean log TMRCA of every draw after the pass and sweeps.

    Args:
        trace: What was recorded; at least one sweep.
    """
    steps = np.arange(trace.num_sweeps + 1)
    curves = {
        "log p(genomes, graph) (nats)": trace.log_density,
        "mean log10 TMRCA, traced pairs": trace.log_tmrca.mean(axis=(2, 3)) / np.log(10),
    }
    with styled_figure(7, 3.0) as figure:
        for axes, (name, values) in zip(figure.subplots(1, 2), curves.items(), strict=True):
            axes.plot(steps, values, color=GREY, linewidth=0.5, alpha=0.6)
            axes.plot(steps, values.mean(axis=1), color=BLUE, label="mean of chains")
            axes.axvspan(steps[0], len(steps) // 2, color=GREY, alpha=0.1, linewidth=0)
            axes.set(xlabel="sweeps", ylabel=name, xlim=(steps[0], steps[-1]))
        axes.legend(loc="best")
    return figure


def save_check_figures(
    posterior: Posterior, checks: Sequence[PredictiveCheck], folder: Path
) -> None:
    """Write the figures as PNG; that of the trace if there were sweeps.

    Args:
        posterior: The result of an inference.
        checks: Its predictive checks.
        folder: Where to write; created if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"predictive_checks": plot_predictive_checks(checks)}
    if posterior.trace.num_sweeps:
        figures["trace"] = plot_trace(posterior.trace)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=DOTS_PER_INCH)
