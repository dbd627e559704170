"""Small pieces of the figures of decompositions: a panel per trait, a scatter against a line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from escapement_jax.plotting.style import GREY, styled_figure

MAX_TRAITS = 10
COLUMNS = 5
PANEL_INCHES = 2.1


@contextmanager
def trait_panels(
    trait_names: Sequence[str], title: str, *, x: str, y: str, square: bool = False
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Give a figure with a panel for each of the first ten traits.

    Args:
        trait_names: titles of the panels.
        title: of the figure.
        x: what is on the horizontal axes.
        y: what is on the vertical axes.
        square: whether panels are squares whose axes cover the same range.
    """
    shown = list(trait_names)[:MAX_TRAITS]
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    width = max(PANEL_INCHES * columns, 4.2)
    with styled_figure(width, 0.6 + 0.97 * PANEL_INCHES * rows) as figure:
        grid = figure.subplots(rows, columns, squeeze=False).reshape(-1)
        panels = list(grid[: len(shown)])
        for axes in grid[len(shown) :]:
            axes.set_visible(False)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
        figure.supxlabel(x, fontsize=9)
        figure.supylabel(y, fontsize=9)
        for axes, name in zip(panels, shown, strict=True):
            axes.set_title(name, fontsize=9)
            axes.locator_params(nbins=4)
        yield figure, panels
        for axes in panels if square else []:
            make_square(axes)


def make_square(axes: Axes) -> None:
    """Give both axes one range and draw the line of equality through it.

    Args:
        axes: a panel with data.
    """
    low = min(axes.get_xlim()[0], axes.get_ylim()[0])
    high = max(axes.get_xlim()[1], axes.get_ylim()[1])
    axes.axline((0, 0), slope=1, color=GREY, linewidth=0.8, linestyle="--", zorder=1)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")


def annotate(axes: Axes, text: str) -> None:
    """Write a few words into the upper left corner of a panel.

    Args:
        axes: the panel.
        text: lines of text.
    """
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5}
    axes.text(0.04, 0.96, text, transform=axes.transAxes, va="top", fontsize=7, bbox=box, zorder=5)


def points(
    axes: Axes,
    x: np.ndarray,
    y: np.ndarray,
    colour: str,
    *,
    error: np.ndarray | None = None,
    size: float = 9,
) -> None:
    """Draw points, with 95 % intervals where standard errors are known.

    Args:
        axes: the panel.
        x: horizontal coordinates.
        y: vertical coordinates.
        colour: of points and intervals.
        error: standard errors of `y`.
        size: area of a point.
    """
    if error is not None and np.isfinite(error).all():
        axes.errorbar(
            x, y, yerr=1.96 * error, fmt="none", ecolor=colour, elinewidth=0.6, alpha=0.35
        )
    axes.scatter(x, y, s=size, color=colour, alpha=0.8, linewidths=0, zorder=3, rasterized=True)
