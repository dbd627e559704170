"""All figures of a decomposition."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from escapement_jax.elm.effects import Effects
from escapement_jax.elm.genotypes.study import Truth
from escapement_jax.elm.method_table import MethodRow
from escapement_jax.plotting.elm_effects import (
    plot_additive_effects,
    plot_epistatic_effects,
    plot_interval_calibration,
    plot_variance_components,
)
from escapement_jax.plotting.elm_networks import (
    plot_genotype_clusters,
    plot_reconstruction,
    plot_sensitivity_variance,
    plot_variance_spectrum,
)
from escapement_jax.plotting.elm_panels import MAX_TRAITS
from escapement_jax.plotting.style import COLOURS, DOTS_PER_INCH, GREY, styled_figure


def save_figures(
    folder: Path, effects: Effects, rows: Sequence[MethodRow], truth: Truth | None = None
) -> None:
    """Draw every figure that a decomposition has the numbers for, as PNG.

    Args:
        folder: where to write; it is created.
        effects: a decomposition.
        rows: the comparison of methods.
        truth: the effects behind simulated phenotypes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures(effects, rows, truth):
        figure.savefig(folder / f"{name}.png", dpi=DOTS_PER_INCH)


def figures(
    effects: Effects, rows: Sequence[MethodRow], truth: Truth | None = None
) -> Iterator[tuple[str, Figure]]:
    """Yield the name and figure of everything that can be drawn.

    Args:
        effects: a decomposition.
        rows: the comparison of methods.
        truth: the effects behind simulated phenotypes.
    """
    has_errors = bool(np.isfinite(np.asarray(effects.epistatic.stderr)).all())
    yield "additive_effects", plot_additive_effects(effects, truth)
    if has_errors or truth is not None:
        yield "epistatic_effects", plot_epistatic_effects(effects, truth)
    if len(effects.variance.names) > 1:
        yield "variance_components", plot_variance_components(effects)
    if has_errors and truth is not None:
        yield "interval_calibration", plot_interval_calibration(effects, truth)
    if len(rows) > 1:
        yield "methods", plot_methods(rows, effects.trait_names)
    network = effects.network
    if network is None:
        return
    yield "reconstruction", plot_reconstruction(effects, network)
    yield "sensitivity_variance", plot_sensitivity_variance(effects, network, truth)
    if np.isfinite(np.asarray(network.variance_spectrum)).any():
        yield "variance_spectrum", plot_variance_spectrum(effects, network)
    if "D" not in effects.column_kind:
        yield "genotype_clusters", plot_genotype_clusters(effects, network, truth)


def plot_methods(rows: Sequence[MethodRow], trait_names: Sequence[str]) -> Figure:
    """Draw the test R2 of every method, a group of dots per trait.

    Args:
        rows: the comparison of methods.
        trait_names: names of the traits.
    """
    shown = list(trait_names)[:MAX_TRAITS]
    with styled_figure(6, 1.1 + 0.42 * len(shown)) as figure:
        axes = figure.subplots()
        height = np.arange(len(shown))[::-1]
        offsets = np.linspace(0.25, -0.25, len(rows)) if len(rows) > 1 else [0.0]
        for place, (row, offset) in enumerate(zip(rows, offsets, strict=True)):
            axes.scatter(
                row.test_r2[: len(shown)],
                height + offset,
                s=40 if place == 0 else 24,
                marker="o" if place else "D",
                color=COLOURS[place] if place < len(COLOURS) else GREY,
                linewidths=0,
                label=row.name,
                zorder=3,
            )
        axes.set_yticks(height, shown)
        axes.set_ylim(-0.5, len(shown) - 0.5)
        axes.set_xlabel("$R^2$ on test individuals")
        axes.set_title("Prediction by method")
        figure.legend(loc="outside right upper")
    return figure
