"""Drawings of gene circuits: nodes on a circle, arrows that activate, bars that repress."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch

from escapement_jax.plotting.style import BLUE, VERMILION

NODE_RADIUS = 0.2
LEAST_DRAWN_SHARE = 0.05
"""Edges weaker than this share of the strongest are left out."""

WIDEST_LINE = 3.2


def draw_circuit(axes: Axes, weights: Float[np.ndarray, "nodes nodes"]) -> None:
    """Draw the regulation of a circuit; line width grows with the weight.

    Args:
        axes: Where to draw.
        weights: Action of node j (column) on node i (row).
    """
    nodes = weights.shape[0]
    angles = np.pi / 2 - 2 * np.pi * np.arange(nodes) / nodes
    places = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    strongest = max(float(np.abs(weights).max()), 1e-12)
    for target, source in np.argwhere(np.abs(weights) > LEAST_DRAWN_SHARE * strongest).tolist():
        share = float(weights[target, source]) / strongest
        _draw_edge(axes, places[source], places[target], share, is_loop=source == target)
    for node, place in enumerate(places):
        axes.add_patch(Circle(tuple(place), NODE_RADIUS, fc="white", ec="black", lw=1, zorder=3))
        axes.text(place[0], place[1], str(node), ha="center", va="center", fontsize=9, zorder=4)
    axes.set(xlim=(-1.75, 1.75), ylim=(-1.1, 1.75), aspect="equal")
    axes.axis("off")


def _draw_edge(
    axes: Axes,
    source: Float[np.ndarray, "2"],
    target: Float[np.ndarray, "2"],
    share: float,
    *,
    is_loop: bool,
) -> None:
    start, end, bend = _loop(source) if is_loop else _between(source, target)
    width = 0.6 + (WIDEST_LINE - 0.6) * abs(share)
    head = "-|>,head_width=3,head_length=5" if share > 0 else "|-|,widthA=0,widthB=3.2"
    arrow = FancyArrowPatch(
        tuple(start),
        tuple(end),
        connectionstyle=f"arc3,rad={bend}",
        arrowstyle=head,
        shrinkA=0,
        shrinkB=0,
        lw=width,
        color=BLUE if share > 0 else VERMILION,
        joinstyle="miter",
        capstyle="butt",
        zorder=2,
    )
    axes.add_patch(arrow)


def _between(
    source: Float[np.ndarray, "2"], target: Float[np.ndarray, "2"]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return ends beside the straight line, so that both directions of a pair can be seen."""
    along = (target - source) / np.linalg.norm(target - source)
    aside = np.array([-along[1], along[0]])
    gap = 1.35 * NODE_RADIUS
    return source + gap * along + 0.09 * aside, target - gap * along + 0.09 * aside, -0.12


def _loop(place: Float[np.ndarray, "2"]) -> tuple[np.ndarray, np.ndarray, float]:
    """Return ends on the outer side of a node, joined by a wide bow."""
    outward = place / np.linalg.norm(place)
    aside = np.array([-outward[1], outward[0]])
    gap = 1.3 * NODE_RADIUS
    left, right = 0.75 * outward + 0.66 * aside, 0.75 * outward - 0.66 * aside
    return place + gap * left, place + gap * right, -1.9
