"""The look of all figures: matplotlib settings, never set globally."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

# Okabe and Ito (2008): told apart with every kind of colour vision.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, GREY = "#CC79A7", "#56B4E9", "#7F7F7F"
COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
DOTS_PER_INCH = 120


def style() -> dict[Any, Any]:
    """Return the matplotlib settings of the library's figures, for ``matplotlib.rc_context``."""
    return {
        "axes.grid": True,
        "axes.prop_cycle": cycler(color=COLOURS),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 10,
        "axes.labelsize": 9,
        "figure.dpi": DOTS_PER_INCH,
        "font.size": 9,
        "grid.alpha": 0.3,
        "grid.linewidth": 0.5,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "lines.linewidth": 1.4,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
    }


@contextmanager
def styled_figure(width: float, height: float) -> Iterator[Figure]:
    """Give an empty figure (sizes in inches) and draw in the library's style inside the block."""
    with mpl.rc_context(style()):
        yield Figure(figsize=(width, height), layout="constrained")
