"""Figures of what a search has found."""

from collections.abc import Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from escapement_jax.curiosity.behaviour.base import AbstractBehaviour
from escapement_jax.curiosity.behaviour.feasibility import largest_amplitude
from escapement_jax.curiosity.diversity.filled_bins import filled_curve
from escapement_jax.curiosity.diversity.grid import DescriptorGrid
from escapement_jax.curiosity.history import History
from escapement_jax.plotting.circuit_drawing import draw_circuit
from escapement_jax.plotting.style import BLUE, DOTS_PER_INCH, GREY, VERMILION, styled_figure

POINT_SIZE = 5.0
LABELS = {
    "offset": "offset",
    "amplitude": "amplitude, peak to peak",
    "frequency_hz": "frequency (Hz)",
}


def plot_archive(history: History, behaviour: AbstractBehaviour) -> Figure:
    """Draw every discovery in the space of behaviours, one panel per pair of descriptors.

    Colour tells when it was found; for oscillations the bound of what any circuit can do is drawn.

    Args:
        history: The rollouts of a search.
        behaviour: The space of behaviours.
    """
    names = behaviour.names
    pairs = [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))] or [(0, 0)]
    pairs = pairs[:3]
    found = np.flatnonzero(history.found)
    with styled_figure(3.3 * len(pairs) + 0.6, 3.3) as figure:
        panels = figure.subplots(1, len(pairs), squeeze=False)[0]
        points = None
        for axes, (i, j) in zip(panels, pairs, strict=True):
            seen = history.descriptors[found]
            points = axes.scatter(
                seen[:, i],
                seen[:, j],
                c=found,
                s=POINT_SIZE,
                cmap="viridis",
                lw=0,
                alpha=0.8,
                rasterized=True,
            )
            points.set_clim(0, len(history))
            axes.set(xlabel=_label(names[i]), ylabel=_label(names[j]))
            axes.set(xlim=(behaviour.low[i], behaviour.high[i]))
            axes.set(ylim=(behaviour.low[j], behaviour.high[j]))
            _draw_bound(axes, names[i], names[j])
        panels[0].set_title(f"{len(found):,} discoveries in {len(history):,} rollouts")
        if points is not None:
            figure.colorbar(points, ax=panels, label="rollout", pad=0.01, aspect=30)
    return figure


def plot_curves(history: History, grid: DescriptorGrid, *, feasible: int | None = None) -> Figure:
    """Draw how many discoveries and filled cells there are after every rollout.

    Args:
        history: The rollouts of a search.
        grid: The cells that are counted.
        feasible: Number of cells that any circuit can fill, if known.
    """
    rollouts = np.arange(1, len(history) + 1)
    filled = filled_curve(history.descriptors, history.found, grid)
    with styled_figure(6.6, 3.0) as figure:
        left, right = figure.subplots(1, 2)
        left.plot(rollouts, np.cumsum(history.found), color=BLUE)
        left.plot(rollouts, rollouts, color=GREY, lw=0.8, ls="--", label="every rollout")
        left.set(xlabel="rollouts", ylabel="discoveries", title="Discoveries")
        left.legend(loc="upper left")
        right.plot(rollouts, filled, color=VERMILION)
        right.set(xlabel="rollouts", ylabel="filled cells", title="Diversity")
        if feasible:
            share = right.secondary_yaxis(
                "right", functions=(lambda n: 100 * n / feasible, lambda p: p * feasible / 100)
            )
            share.set_ylabel("per cent of feasible cells")
        for axes in (left, right):
            axes.set_xlim(0, len(history))
            axes.set_ylim(bottom=0)
    return figure


def plot_time_courses(
    times: Float[np.ndarray, " times"],
    courses: Float[np.ndarray, "members states times"],
    *,
    titles: Sequence[str] = (),
    state_names: Sequence[str] = (),
) -> Figure:
    """Draw time courses, one panel per member, the first state in front.

    Args:
        times: Seconds.
        courses: States of every member.
        titles: What to write above each panel.
        state_names: Names for the legend.
    """
    members, states = courses.shape[:2]
    columns = min(3, members)
    rows = -(-members // columns)
    with styled_figure(2.6 * columns, 1.45 * rows + 0.5) as figure:
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for place, axes in enumerate(panels.flat):
            if place >= members:
                axes.set_axis_off()
                continue
            for state in reversed(range(states)):
                front = state == 0
                axes.plot(
                    times,
                    courses[place, state],
                    color=f"C{state}",
                    lw=1.4 if front else 0.8,
                    alpha=1 if front else 0.55,
                    label=state_names[state] if state_names else None,
                )
            if titles:
                axes.set_title(titles[place], fontsize=8)
        for axes in panels[-1]:
            axes.set_xlabel("time (s)")
        for axes in panels[:, 0]:
            axes.set_ylabel("expression")
        panels[0, 0].set_xlim(times[0], times[-1])
        if state_names:
            handles, names = panels[0, 0].get_legend_handles_labels()
            figure.legend(
                handles[::-1], names[::-1], loc="outside upper right", ncols=min(states, 6)
            )
    return figure


def plot_circuits(
    weights: Float[np.ndarray, "members nodes nodes"], *, titles: Sequence[str] = ()
) -> Figure:
    """Draw circuits side by side: blue arrows activate, red bars repress.

    Args:
        weights: Weights of every circuit, columns act on rows.
        titles: What to write above each.
    """
    members = weights.shape[0]
    columns = min(3, members)
    rows = -(-members // columns)
    with styled_figure(2.1 * columns, 1.85 * rows) as figure:
        panels = figure.subplots(rows, columns, squeeze=False)
        for place, axes in enumerate(panels.flat):
            if place >= members:
                axes.set_axis_off()
                continue
            draw_circuit(axes, weights[place])
            if titles:
                axes.set_title(titles[place], fontsize=8, loc="center")
    return figure


def plot_target(
    times: Float[np.ndarray, " times"],
    target: Float[np.ndarray, " times"],
    courses: dict[str, Float[np.ndarray, " times"]],
) -> Figure:
    """Draw how near courses come to a target, and where they miss it.

    Args:
        times: Seconds.
        target: The course that was asked for.
        courses: What was reached, by name; a name may say the loss.
    """
    with styled_figure(6.6, 3.6) as figure:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        top.plot(times, target, color="black", lw=2.6, alpha=0.25, label="target")
        for name, course in courses.items():
            (line,) = top.plot(times, course, lw=1.2, label=name)
            bottom.plot(times, course - target, lw=1.0, color=line.get_color())
        top.set(ylabel="expression", title="Target and what was reached")
        top.legend(loc="upper right", ncols=2)
        bottom.set(xlabel="time (s)", ylabel="error", xlim=(times[0], times[-1]))
        top.set_ylim(top=top.get_ylim()[1] + 0.25 * float(np.ptp(top.get_ylim())))
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Save a figure as PNG and as SVG beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path.with_suffix(".png"), dpi=DOTS_PER_INCH)
    figure.savefig(path.with_suffix(".svg"))


def _label(name: str) -> str:
    return LABELS.get(name, name)


def _draw_bound(axes: Axes, first: str, second: str) -> None:
    """Draw the largest amplitude that any circuit reaches (`feasibility.largest_amplitude`)."""
    if (first, second) == ("amplitude", "frequency_hz"):
        frequency = np.linspace(*axes.get_ylim(), 200)[1:]
        centre = jnp.full(frequency.shape, 0.5)
        largest = np.asarray(largest_amplitude(centre, jnp.asarray(frequency, centre.dtype)))
        axes.plot(largest, frequency, **_BOUND)
        axes.legend(loc="upper right")
    elif (first, second) == ("offset", "amplitude"):
        offset = np.linspace(*axes.get_xlim(), 200)[1:-1]
        axes.plot(offset, np.minimum(2 * offset, 2 - 2 * offset), **_BOUND)
        axes.legend(loc="upper left")


_BOUND = {"color": "black", "lw": 1.0, "ls": "--", "label": "bound of any circuit"}
