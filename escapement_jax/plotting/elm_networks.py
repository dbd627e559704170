"""Figures of what a network has learned: its linear maps and its sensitivities."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from escapement_jax.elm.effects import Effects, NetworkReport
from escapement_jax.elm.genotypes.study import Truth
from escapement_jax.plotting.elm_panels import MAX_TRAITS, annotate, points, trait_panels
from escapement_jax.plotting.style import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    ORANGE,
    VERMILION,
    styled_figure,
)

NUM_PAIRS = 3


def plot_reconstruction(effects: Effects, network: NetworkReport) -> Figure:
    """Draw the output of the network against its equivalent linear map, J(x) x.

    Args:
        effects: a decomposition.
        network: the report of its network.
    """
    outputs, rebuilt = np.asarray(network.outputs), np.asarray(network.reconstruction)
    with trait_panels(
        effects.trait_names,
        f"Equivalent linear maps: largest error {float(network.reconstruction_error):.1e}",
        x="output of the network, $f(x)$",
        y="$J(x)\\, x$",
        square=True,
    ) as (figure, panels):
        for trait, axes in enumerate(panels):
            points(axes, outputs[:, trait], rebuilt[:, trait], BLUE, size=4)
    return figure


def plot_sensitivity_variance(
    effects: Effects, network: NetworkReport, truth: Truth | None = None
) -> Figure:
    """Draw the variance of every locus' sensitivity: the parabola b^2 where each has one partner.

    Without a truth, the variance is drawn along the loci.

    Args:
        effects: a decomposition.
        network: the report of its network.
        truth: pair effects behind simulated phenotypes.
    """
    variance = np.asarray(network.sensitivity.variance)
    partner = None if truth is None else _partner_effects(truth, variance.shape[1])
    x = "locus" if partner is None else "epistatic effect of the locus with its partner, $b$"
    with trait_panels(
        effects.trait_names,
        "Variance of sensitivities over individuals",
        x=x,
        y="$\\mathrm{Var}[\\partial f / \\partial x_i]$",
    ) as (figure, panels):
        for trait, axes in enumerate(panels):
            if partner is None:
                points(axes, np.arange(1, variance.shape[1] + 1), variance[trait], BLUE)
                continue
            points(axes, partner[trait], variance[trait], BLUE)
            _draw_parabola(axes, partner[trait], variance[trait])
    return figure


def _draw_parabola(axes: Axes, effect: np.ndarray, variance: np.ndarray) -> None:
    if np.ptp(effect) == 0:
        annotate(axes, "no pair interacts")
        return
    grid = np.linspace(effect.min(), effect.max(), 100)
    square, linear, constant = np.polyfit(effect, variance, 2)
    axes.plot(grid, grid**2, color=GREY, linestyle="--", linewidth=0.9)
    axes.plot(grid, np.polyval([square, linear, constant], grid), color=VERMILION)
    annotate(axes, f"{square:.2f} $b^2$ + ...")


def _partner_effects(truth: Truth, num_loci: int) -> np.ndarray | None:
    """Return the effect of each locus with its partner, or None if some locus has several."""
    columns = truth.interaction_columns
    partner = np.zeros((truth.additive.shape[0], num_loci))
    if columns.shape[1] != 2 or columns.max(initial=0) >= num_loci:
        return None
    for trait, pair, effect in zip(
        truth.interaction_trait, columns, truth.interaction_effect, strict=True
    ):
        if np.any(partner[trait, pair] != 0):
            return None
        partner[trait, pair] = effect
    return partner


def plot_genotype_clusters(
    effects: Effects, network: NetworkReport, truth: Truth | None = None
) -> Figure:
    """Draw the sensitivities of two loci against each other, by their four genotypes.

    The three pairs of the largest effect, of the trait that has the largest: true ones where known.

    Args:
        effects: a decomposition of haploids.
        network: the report of its network.
        truth: pair effects behind simulated phenotypes.
    """
    pairs = np.asarray(effects.pairs)
    size = np.asarray(effects.epistatic.effect) if truth is None else truth.pair_effects(pairs)
    trait = _most_epistatic(size)
    chosen = np.argsort(-np.abs(size[trait]))[:NUM_PAIRS]
    sensitivity, alleles = np.asarray(network.jacobians)[:, trait], np.asarray(network.inputs)
    with styled_figure(7.6, 3.1) as figure:
        panels = figure.subplots(1, len(chosen), squeeze=False)[0]
        for axes, place in zip(panels, chosen, strict=True):
            first, second = pairs[place]
            for colour, genotype in zip(
                (BLUE, ORANGE, VERMILION, GREEN), ((-1, -1), (-1, 1), (1, -1), (1, 1)), strict=True
            ):
                here = np.all(np.sign(alleles[:, [first, second]]) == genotype, axis=1)
                label = f"{genotype[0]:+d}/{genotype[1]:+d}".replace("-", "\N{MINUS SIGN}")
                axes.scatter(
                    sensitivity[here, first],
                    sensitivity[here, second],
                    s=5,
                    color=colour,
                    alpha=0.5,
                    linewidths=0,
                    label=label,
                    rasterized=True,
                )
            names = [effects.locus_names[locus] for locus in (first, second)]
            known = "true" if truth is not None else "estimated"
            axes.set_title(f"{known} $b$ = {size[trait, place]:.2f}", fontsize=9)
            axes.set(xlabel=f"sensitivity of {names[0]}", ylabel=f"sensitivity of {names[1]}")
            axes.locator_params(nbins=4)
        figure.suptitle(
            f"Sensitivities by genotype, {effects.trait_names[trait]}",
            x=0.01,
            ha="left",
            fontsize=10,
        )
        handles, labels = panels[0].get_legend_handles_labels()
        legend = figure.legend(
            handles, labels, title="genotype", loc="outside right center", markerscale=2.5
        )
        for handle in legend.legend_handles:
            if handle is not None:
                handle.set_alpha(1)
    return figure


def _most_epistatic(size: np.ndarray) -> int:
    """Return the trait whose third strongest pair is the strongest among traits."""
    ranked = -np.sort(-np.abs(size), axis=1)
    return int(np.argmax(ranked[:, min(NUM_PAIRS, ranked.shape[1]) - 1]))


def plot_variance_spectrum(effects: Effects, network: NetworkReport) -> Figure:
    """Draw the variance of the network's output by order of interaction, a line per trait.

    Args:
        effects: a decomposition.
        network: the report of its network.
    """
    spectrum = np.asarray(network.variance_spectrum)[:MAX_TRAITS]
    share = spectrum / np.nansum(spectrum, axis=1, keepdims=True)
    orders = np.arange(1, share.shape[1] + 1)
    with styled_figure(4.4, 3.2) as figure:
        axes = figure.subplots()
        for trait, name in enumerate(effects.trait_names[:MAX_TRAITS]):
            colour = COLOURS[trait % len(COLOURS)]
            axes.plot(orders, share[trait], marker="o", markersize=4, color=colour, label=name)
        labels = [str(order) for order in orders[:-1]] + [f"{orders[-1]} and more"]
        axes.set_xticks(orders, labels)
        axes.set(xlabel="loci in an interaction", ylabel="share of the network's variance")
        axes.set_ylim(min(0.0, float(np.nanmin(share)) * 1.05), None)
        axes.set_title("Variance of the network by order")
        axes.legend()
    return figure
