"""Figures of additive and epistatic effects, beside the truth where it is known."""

import numpy as np
from matplotlib.figure import Figure

from escapement_jax.elm.effects import Effects
from escapement_jax.elm.genotypes.study import Truth
from escapement_jax.elm.method_table import agreement
from escapement_jax.plotting.elm_panels import MAX_TRAITS, annotate, points, trait_panels
from escapement_jax.plotting.style import BLUE, GREY, ORANGE, VERMILION, styled_figure

NOMINAL = np.linspace(0.05, 0.99, 48)
FALSE_DISCOVERY_RATE = 0.05


def plot_additive_effects(effects: Effects, truth: Truth | None = None) -> Figure:
    """Draw additive effects with 95 % intervals, against the truth or along the loci.

    Args:
        effects: a decomposition.
        truth: the effects behind simulated phenotypes.
    """
    table = effects.additive
    estimate, error = np.asarray(table.unshrunken), np.asarray(table.stderr)
    x_label = "true additive effect" if truth is not None else "locus"
    known = ", 95 % interval" if np.isfinite(error).all() else ""
    with trait_panels(
        effects.trait_names,
        "Additive effects (average effects of substitution)",
        x=x_label,
        y=f"estimated effect{known}",
        square=truth is not None,
    ) as (figure, panels):
        for trait, axes in enumerate(panels):
            if truth is None:
                axes.axhline(0, color=GREY, linewidth=0.8)
                x = np.arange(1, estimate.shape[1] + 1)
            else:
                x = truth.additive[trait]
                slope, r2, _ = agreement(estimate[trait], x)
                annotate(axes, f"slope {slope:.3f}\n$R^2$ {r2:.3f}")
            points(axes, x, estimate[trait], BLUE, error=error[trait])
    return figure


def plot_epistatic_effects(effects: Effects, truth: Truth | None = None) -> Figure:
    """Draw pair effects against the truth; without a truth, their strength against their size.

    Pairs that do not interact are drawn apart from those that do.

    Args:
        effects: a decomposition.
        truth: the effects behind simulated phenotypes.
    """
    if truth is None:
        return _volcano(effects)
    estimate = np.asarray(effects.epistatic.effect)
    true_effects = truth.pair_effects(np.asarray(effects.pairs))
    with trait_panels(
        effects.trait_names,
        "Pair effects: all pairs of loci",
        x="true epistatic effect",
        y="estimated effect",
        square=True,
    ) as (figure, panels):
        for trait, axes in enumerate(panels):
            real = true_effects[trait] != 0
            points(axes, true_effects[trait][~real], estimate[trait][~real], GREY, size=5)
            points(axes, true_effects[trait][real], estimate[trait][real], VERMILION, size=12)
            slope, r2, _ = agreement(estimate[trait], true_effects[trait])
            largest = np.abs(estimate[trait]).max(initial=0.0)
            known = f"slope {slope:.3f}\n$R^2$ {r2:.3f}" if real.any() else "no pair interacts"
            annotate(axes, known if real.any() else f"{known}\nlargest {largest:.3f}")
    return figure


def _volcano(effects: Effects) -> Figure:
    table = effects.epistatic
    effect, p_values, q_values = (
        np.asarray(field) for field in (table.unshrunken, table.p_value, table.q_value)
    )
    with trait_panels(
        effects.trait_names,
        "Pair effects (coloured: false discovery rate below 5 %)",
        x="estimated effect",
        y="$-\\log_{10}$ p",
    ) as (figure, panels):
        for trait, axes in enumerate(panels):
            strength = -np.log10(np.maximum(p_values[trait], 1e-300))
            found = q_values[trait] <= FALSE_DISCOVERY_RATE
            points(axes, effect[trait][~found], strength[~found], GREY, size=5)
            points(axes, effect[trait][found], strength[found], VERMILION, size=12)
            annotate(axes, f"{found.sum()} found")
    return figure


def plot_interval_calibration(effects: Effects, truth: Truth) -> Figure:
    """Draw how often intervals of every level hold the true effect, and what chance would do.

    Args:
        effects: a decomposition with standard errors.
        truth: the effects behind simulated phenotypes.
    """
    from scipy.stats import norm

    true_pairs = truth.pair_effects(np.asarray(effects.pairs))
    half_widths = norm.ppf((1 + NOMINAL) / 2)
    with styled_figure(4.4, 3.6) as figure:
        axes = figure.subplots()
        counts = []
        for table, true_effects, name, colour in (
            (effects.additive, truth.additive, "additive effects", BLUE),
            (effects.epistatic, true_pairs, "pair effects", VERMILION),
        ):
            z = (np.asarray(table.unshrunken) - true_effects) / np.asarray(table.stderr)
            covered = np.mean(np.abs(z.reshape(-1, 1)) <= half_widths, axis=0)
            counts.append(z.size)
            label = f"{name} ({z.size:,}), 95 %: {np.mean(np.abs(z) <= 1.96):.3f}"
            axes.plot(NOMINAL, covered - NOMINAL, color=colour, label=label)
        spread = 1.96 * np.sqrt(NOMINAL * (1 - NOMINAL) / min(counts))
        label = f"95 % of chance, {min(counts):,} effects"
        axes.fill_between(NOMINAL, -spread, spread, color=GREY, alpha=0.2, linewidth=0, label=label)
        axes.axhline(0, color=GREY, linewidth=0.8)
        limit = max(0.05, float(np.abs(axes.get_ylim()).max()))
        axes.set(xlabel="level of the interval", ylabel="coverage minus level", xlim=(0, 1))
        axes.set_ylim(-limit, limit)
        axes.set_title("Calibration of the intervals")
        axes.legend(loc="lower left")
    return figure


def plot_variance_components(effects: Effects) -> Figure:
    """Draw the share of each component in the phenotypic variance of every trait.

    Args:
        effects: a decomposition with variance components.
    """
    components = effects.variance
    variance = np.asarray(components.variance)[:MAX_TRAITS]
    error = np.asarray(components.stderr)[:MAX_TRAITS]
    total = variance.sum(axis=1)
    names = [name for name in components.names if name != "residual"]
    traits = np.arange(len(variance))
    colours = (BLUE, VERMILION, ORANGE, "#009E73", "#CC79A7")
    width = 0.8 / max(len(names), 1)
    with styled_figure(max(4.2, 1.0 + 0.75 * len(variance)), 3.2) as figure:
        axes = figure.subplots()
        for place, name in enumerate(names):
            offset = (place - (len(names) - 1) / 2) * width
            axes.bar(
                traits + offset,
                variance[:, place] / total,
                width * 0.9,
                yerr=1.96 * error[:, place] / total,
                color=colours[place % len(colours)],
                error_kw={"elinewidth": 0.8, "ecolor": "#333333"},
                label=name,
            )
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set_xticks(traits, effects.trait_names[:MAX_TRAITS])
        axes.set_ylabel("share of the phenotypic variance")
        axes.set_title("Variance components, 95 % intervals")
        axes.grid(visible=False, axis="x")
        axes.legend(ncols=2)
    return figure
