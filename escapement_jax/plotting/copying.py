"""Figures of a learned posterior: training, N_e(t) along it, and attention as copying."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from escapement_jax.genealogy.variational.train import LearnedPosterior
from escapement_jax.plotting.style import BLUE, DOTS_PER_INCH, GREY, styled_figure

TERMS = ("mutation", "coalescent", "breakpoint", "entropy")


def plot_training(posterior: LearnedPosterior) -> Figure:
    """Draw the bound beside the evidence it bounds, and its terms, at every step.

    The evidence is that of the last population size, so the bound of early steps, at other sizes,
    may differ from it by more than the gap.

    Args:
        posterior: A trained posterior.
    """
    history = posterior.history
    steps = np.arange(len(history["bound"]))
    with styled_figure(7.0, 2.8) as figure:
        left, right = figure.subplots(1, 2)
        left.plot(steps, history["bound"], label="bound")
        evidence = float(posterior.log_evidence().sum())
        left.axhline(evidence, color=GREY, linewidth=1, label="log evidence")
        left.set_ylabel("nats")
        for name in TERMS:
            right.plot(steps, history[name] - history[name][0], label=name)
        right.set_ylabel("change, nats")
        for axes in (left, right):
            axes.set_xlabel("step")
            axes.legend()
    return figure


def plot_sizes_along(posterior: LearnedPosterior) -> Figure:
    """Draw N_e(t) every 100 steps of training, late ones darker.

    Args:
        posterior: A trained posterior.
    """
    steps, sizes = posterior.sizes_along
    edges = np.asarray(posterior.population_size.breakpoints)
    times = np.append(np.maximum(edges, edges[1] / 3), 2 * edges[-1])
    with styled_figure(3.6, 2.8) as figure:
        axes = figure.subplots()
        for place, row in enumerate(sizes):
            last = place == len(steps) - 1
            axes.stairs(
                row,
                times,
                baseline=None,
                color=BLUE,
                alpha=0.15 + 0.85 * (place + 1) / len(steps),
                linewidth=1.6 if last else 0.8,
                label=f"step {steps[place]}" if last else None,
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("generations before present")
        axes.set_ylabel("diploid size")
        axes.legend()
    return figure


def plot_copying_probabilities(
    attention: np.ndarray, copied: np.ndarray, positions: np.ndarray, haplotype: int
) -> Figure:
    """Draw whom one haplotype looks at, above whom it copies under the learned posterior.

    Args:
        attention: Attention read as copying probabilities [sites, haplotypes, parents].
        copied: Probability of copying each parent at the same sites, of the same shape.
        positions: Of the sites, base pairs.
        haplotype: Whose row to draw, not the first.

    Raises:
        ValueError: The first haplotype, which copies no one, or one that there is not.
    """
    if not 0 < haplotype < attention.shape[1]:
        raise ValueError(
            f"haplotype {haplotype} has no earlier ones; choose from 1 to {attention.shape[1] - 1}"
        )
    with styled_figure(7.0, 3.6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True)
        _draw_parents(upper, attention, positions, haplotype)
        upper.set_title(f"attention of haplotype {haplotype} to earlier haplotypes")
        _draw_parents(lower, copied, positions, haplotype)
        lower.set_title("probability of copying them")
        lower.set_xlabel("position, kb")
    return figure


def save_learned_figures(
    posterior: LearnedPosterior, attention: np.ndarray, copied: np.ndarray, folder: Path
) -> None:
    """Write all figures of a learned posterior as PNG.

    Args:
        posterior: A trained posterior of a genome in one window.
        attention: Attention read as copying probabilities [sites, haplotypes, parents].
        copied: Probability of copying each parent at the same sites.
        folder: Where to; created if absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    positions = np.asarray(posterior.genome.windows.columns.positions[0])
    last = attention.shape[1] - 1
    figures = {
        "training": plot_training(posterior),
        "population_size": plot_sizes_along(posterior),
        "copying": plot_copying_probabilities(attention, copied, positions, last),
    }
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=DOTS_PER_INCH)


def _draw_parents(
    axes: Axes, probabilities: np.ndarray, positions: np.ndarray, haplotype: int
) -> None:
    rows = probabilities[:, haplotype, :haplotype].T
    middles = (positions[:-1] + positions[1:]) / 2
    edges = np.concatenate([positions[:1], middles, positions[-1:]]) / 1_000
    axes.pcolormesh(edges, np.arange(haplotype + 1), rows, vmin=0.0, vmax=1.0, cmap="Blues")
    axes.set_ylabel("parent")
    axes.grid(False)
