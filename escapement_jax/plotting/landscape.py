"""Figures of energy landscapes."""

import numpy as np
from matplotlib.figure import Figure

from escapement_jax.curiosity.models.landscape import EnergyLandscape
from escapement_jax.plotting.style import styled_figure


def plot_landscape(
    landscape: EnergyLandscape, *, names: tuple[str, str], title: str = "Energy landscape"
) -> Figure:
    """Draw a landscape as a map; where no trajectory has been it is left white.

    Args:
        landscape: The surface.
        names: Names of the two states.
        title: What to write above.
    """
    with styled_figure(4.4, 3.4) as figure:
        axes = figure.subplots()
        energy = np.ma.masked_invalid(landscape.energy.T)
        surface = axes.pcolormesh(
            landscape.x, landscape.y, energy, cmap="viridis_r", shading="nearest", rasterized=True
        )
        axes.set(xlabel=names[0], ylabel=names[1], title=title)
        axes.grid(visible=False)
        figure.colorbar(surface, ax=axes, label="energy, −log density")
    return figure
