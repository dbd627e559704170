"""Figures of a recovery: what can be known, types, rates, predictions."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from escapement_jax.homeostasis.recovery import Recovery
from escapement_jax.homeostasis.recovery_report import RecoveryReport
from escapement_jax.homeostasis.simulation.truth import Truth
from escapement_jax.homeostasis.source_view.prediction import Prediction
from escapement_jax.plotting.homeostasis_source_view import (
    plot_embeddings,
    plot_kinograph,
    plot_node_functions,
    plot_recipe,
)
from escapement_jax.plotting.style import BLUE, COLOURS, DOTS_PER_INCH, GREY, styled_figure

NUM_PANELS = 6
NUM_TICKS = 5
LEAST_RELATIVE_ERROR = 1e-20


def plot_identifiability(recovery: Recovery) -> Figure:
    """Draw what could be known before the fit: correlated errors, and how large errors must be.

    Left: expected correlations of the errors of all slopes and offsets; those of the fit where data
    have no noise. Right: expected and achieved standard errors of the slopes over the slope of the
    metabolite's type; beyond 1 not even the sign is known from the metabolite alone.

    Args:
        recovery: What was recovered.
    """
    report = recovery.identifiability
    count = recovery.network.num_metabolites
    with styled_figure(8.2, 3.9) as figure:
        heat, errors = figure.subplots(1, 2, width_ratios=[1.15, 1])
        image = heat.imshow(
            _correlation(recovery), cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest"
        )
        heat.grid(visible=False)
        for place in (heat.axhline, heat.axvline):
            place(count - 0.5, color="black", linewidth=0.6)
        middles, names = [count / 2 - 0.5, 1.5 * count - 0.5], ["slopes", "offsets"]
        heat.set_xticks(middles, names)
        heat.set_yticks(middles, names, rotation=90, va="center")
        heat.tick_params(length=0)
        heat.set_title("Correlation of errors")
        figure.colorbar(image, ax=heat, shrink=0.85, pad=0.02)
        _draw_relative_errors(errors, recovery)
        figure.suptitle(report.verdict, fontsize=9, x=0.01, ha="left", wrap=True)
    return figure


def _correlation(recovery: Recovery) -> np.ndarray:
    if recovery.identifiability.expected_slope_stderr.any():
        return recovery.identifiability.correlation
    deviations = np.sqrt(np.diag(recovery.covariance))
    scale = np.where(deviations > 0, deviations, 1.0)
    return recovery.covariance / np.outer(scale, scale)


def _draw_relative_errors(axes: Axes, recovery: Recovery) -> None:
    typical = np.abs(recovery.type_slopes[recovery.types])
    typical = np.where(typical > 0, typical, np.nan)
    achieved = recovery.slope_stderr / typical
    expected = recovery.identifiability.expected_slope_stderr / typical
    order = np.argsort(achieved)
    ranks = np.arange(1, len(order) + 1)
    for values, colour, name in ((achieved, BLUE, "achieved"), (expected, GREY, "Cramér-Rao")):
        shown = np.where(values[order] > LEAST_RELATIVE_ERROR, values[order], np.nan)
        if np.isfinite(shown).any():
            axes.plot(ranks, shown, ".", color=colour, markersize=4, label=name)
    axes.axhline(1, color="black", linewidth=0.8, linestyle="--", label="the slope itself")
    axes.set(yscale="log", xlabel="metabolites, by standard error", ylabel="over the type's slope")
    axes.set_title("Standard errors of slopes")
    axes.legend()


def plot_types(recovery: Recovery, truth: Truth | None = None) -> Figure:
    """Draw slope and offset of every metabolite with its error, and the types found.

    Args:
        recovery: What was recovered.
        truth: What is true, if it is known.
    """
    with styled_figure(8.2, 3.6) as figure:
        plane, criterion = figure.subplots(1, 2, width_ratios=[2.4, 1])
        for kind in range(recovery.num_types):
            _draw_type(plane, recovery, kind)
        if truth is not None:
            plane.plot(
                np.asarray(truth.type_slopes) * 1e3,
                np.asarray(truth.type_offsets) * 1e3,
                "k+",
                markersize=11,
                markeredgewidth=1.4,
                zorder=5,
                label="truth",
            )
        _limit_to_the_known(plane, recovery)
        plane.set(xlabel="slope (10$^{-3}$ per unit of time)", ylabel="offset (10$^{-3}$)")
        plane.set_title("Metabolites and their types")
        plane.legend(loc="upper right")
        _draw_criterion(criterion, recovery)
    return figure


def _draw_type(axes: Axes, recovery: Recovery, kind: int) -> None:
    members = recovery.types == kind
    colour = COLOURS[kind % len(COLOURS)]
    axes.errorbar(
        recovery.slopes[members] * 1e3,
        recovery.offsets[members] * 1e3,
        xerr=recovery.slope_stderr[members] * 1e3,
        yerr=recovery.offset_stderr[members] * 1e3,
        fmt="o",
        color=colour,
        markersize=3,
        elinewidth=0.5,
        alpha=0.5,
        label=f"type {kind}: {int(members.sum())} metabolites",
    )
    centre = recovery.type_slopes[kind] * 1e3, recovery.type_offsets[kind] * 1e3
    widths = [
        2 * 1.96 * error[kind] * 1e3
        for error in (recovery.type_slope_stderr, recovery.type_offset_stderr)
    ]
    axes.add_patch(
        Ellipse(centre, *widths, facecolor=colour, edgecolor="black", linewidth=0.8, zorder=4)
    )
    axes.plot(*centre, "o", color=colour, markeredgecolor="black", markersize=6, zorder=4)


def _limit_to_the_known(axes: Axes, recovery: Recovery) -> None:
    """Leave metabolites outside the view of which nearly nothing is known."""
    for values, limit in ((recovery.slopes, axes.set_xlim), (recovery.offsets, axes.set_ylim)):
        low, high = np.quantile(values * 1e3, [0.02, 0.98])
        margin = 0.25 * (high - low) + 1e-3
        limit(low - margin, high + margin)


def _draw_criterion(axes: Axes, recovery: Recovery) -> None:
    criterion = np.asarray(recovery.bayesian_information)
    numbers = np.arange(1, len(criterion) + 1)
    axes.plot(numbers, criterion - criterion.min(), "o-", color=BLUE)
    axes.set_yscale("symlog", linthresh=10)
    axes.set_xticks(numbers)
    axes.set(xlabel="number of types", ylabel="BIC above the best")
    axes.set_title("How many types")


def plot_rate_constants(recovery: Recovery, truth: Truth | None = None) -> Figure:
    """Draw rate constants with 95 % intervals, against the truth if it is known.

    Args:
        recovery: What was recovered.
        truth: What is true.
    """
    known = np.asarray(recovery.identifiable) & np.isfinite(recovery.log10_rates)
    finite = np.isfinite(recovery.log10_rates)
    errors = 1.96 * np.nan_to_num(recovery.log10_rates_stderr)
    places = np.zeros(len(known))
    if truth is not None:
        places = np.asarray(truth.log10_rates)
    else:
        places[np.argsort(recovery.log10_rates)] = np.arange(1, len(known) + 1)
    with styled_figure(4.6, 4.2) as figure:
        axes = figure.subplots()
        for chosen, colour, name in (
            (known, BLUE, "can be known"),
            (finite & ~known, GREY, "only in combination with others"),
        ):
            axes.errorbar(
                places[chosen],
                recovery.log10_rates[chosen],
                yerr=errors[chosen],
                fmt="o",
                color=colour,
                markersize=3,
                elinewidth=0.6,
                label=f"{int(chosen.sum())} {name}",
            )
        if truth is not None:
            low, high = places.min(), places.max()
            axes.plot([low, high], [low, high], color="black", linewidth=0.8, zorder=0)
        axes.set_xlabel("true log$_{10}$ k" if truth is not None else "reactions, by rate")
        axes.set_ylabel("recovered log$_{10}$ k, 95 % interval")
        axes.set_title("Rate constants")
        axes.legend(loc="upper left")
    return figure


def plot_prediction(prediction: Prediction, recovery: Recovery, *, held_out: bool) -> Figure:
    """Draw a trajectory predicted from its start alone over what was measured.

    Args:
        prediction: The trajectory.
        recovery: The fit that predicted it.
        held_out: Whether the fit has never seen it.
    """
    spread = np.nanstd(prediction.measured, axis=0)
    chosen = np.argsort(spread)[::-1][:NUM_PANELS]
    with styled_figure(8.2, 3.9) as figure:
        panels = figure.subplots(2, NUM_PANELS // 2, sharex=True, squeeze=False).ravel()
        for axes, metabolite in zip(panels, chosen, strict=False):
            axes.plot(
                prediction.times,
                prediction.measured[:, metabolite],
                ".",
                color=GREY,
                markersize=3,
                label="measured",
            )
            axes.plot(
                prediction.times, prediction.predicted[:, metabolite], color=BLUE, label="predicted"
            )
            axes.set_title(recovery.network.metabolite_names[metabolite])
        panels[0].legend()
        figure.supxlabel("time", fontsize=9)
        figure.supylabel("concentration", fontsize=9)
        what = "A trajectory held out" if held_out else "The first trajectory"
        figure.suptitle(
            f"{what}, predicted from its start: normalised error {prediction.normalised_error:.2%}",
            fontsize=10,
            x=0.01,
            ha="left",
        )
    return figure


def save_figures(report: RecoveryReport, folder: Path) -> None:
    """Write all figures of a recovery as PNG.

    Args:
        report: The recovery with all about it.
        folder: Where to write; created if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    recovery, truth = report.recovery, report.truth
    figures = {
        "identifiability": plot_identifiability(recovery),
        "types": plot_types(recovery, truth),
        "rate_constants": plot_rate_constants(recovery, truth),
        "node_functions": plot_node_functions(report.node, recovery, truth),
        "embeddings": plot_embeddings(report.node, recovery, truth),
        "kinograph": plot_kinograph(report.courses, recovery),
        "prediction": plot_prediction(report.predictions[0], recovery, held_out=report.held_out),
    }
    if report.exploration is not None:
        figures["published_recipe"] = plot_recipe(report.exploration)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=DOTS_PER_INCH)
