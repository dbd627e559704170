"""Figures of a posterior over genealogies."""

from pathlib import Path

import numpy as np
import tskit
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from escapement_jax.genealogy.posterior import Posterior
from escapement_jax.plotting.style import BLUE, DOTS_PER_INCH, GREY, VERMILION, styled_figure

NUM_POSITIONS = 400
NUM_LOCAL_TREES = 3


def plot_population_size(posterior: Posterior) -> Figure:
    """Draw the population size through time, with its 95 % interval and the size of the prior.

    Args:
        posterior: The result of an inference.
    """
    estimate = posterior.population_size
    left = estimate.time_generations
    # A logarithmic axis has no 0: the first epoch is shown from half its end.
    edges = np.concatenate([[left[1] / 2] if len(left) > 1 else [1.0], left[1:]])
    edges = np.append(edges, max(edges[-1], posterior.time_grid_times[-1]) * 1.2)
    with styled_figure(6, 3.4) as figure:
        axes = figure.subplots()
        axes.stairs(
            estimate.upper_95,
            edges,
            baseline=estimate.lower_95,
            fill=True,
            color=BLUE,
            alpha=0.25,
            linewidth=0,
            label="95 % interval",
        )
        axes.stairs(
            estimate.population_size,
            edges,
            baseline=None,
            color=BLUE,
            linewidth=1.8,
            label="N_e(t)",
        )
        prior = posterior.population_size_prior
        axes.axhline(prior, color=GREY, linestyle="--", linewidth=1, label="from diversity")
        axes.set(xscale="log", yscale="log", xlim=(edges[0], edges[-1]))
        axes.set(xlabel="generations ago", ylabel="diploid population size")
        axes.set_title("Population size through time")
        lowest, highest = estimate.lower_95.min(), estimate.upper_95.max()
        axes.set_ylim(min(lowest, prior) / 1.2, max(highest, prior) * 1.2)
        axes.legend()
    return figure


def plot_pairwise_tmrca(
    posterior: Posterior,
    *,
    pairs: np.ndarray | None = None,
    positions: np.ndarray | None = None,
) -> Figure:
    """Draw the TMRCA of pairs along the genome: posterior median, 50 % and 95 % bands.

    Args:
        posterior: The result of an inference.
        pairs: Haplotype indices [pairs, 2], one panel each; by default the first individual's two
            haplotypes, the first and the last haplotype, and the first of the first two
            individuals, where they differ.
        positions: Base pairs inside the region; by default a regular grid over it.
    """
    genotypes = posterior.genotypes
    if pairs is None:
        last = genotypes.num_haplotypes - 1
        pairs = np.unique([[0, 1], [0, min(genotypes.ploidy, last)], [0, last]], axis=0)
    if positions is None:
        width = genotypes.length / NUM_POSITIONS
        positions = genotypes.start + width * (np.arange(NUM_POSITIONS) + 0.5)
    tmrca = posterior.pairwise_tmrca(positions, pairs=pairs)
    with styled_figure(7, 0.8 + 1.6 * len(pairs)) as figure:
        panels = figure.subplots(len(pairs), sharex=True, sharey=True, squeeze=False)[:, 0]
        for row, (axes, pair) in enumerate(zip(panels, pairs, strict=True)):
            _draw_bands(axes, positions / 1000, tmrca[:, row])
            names = " and ".join(
                _haplotype_name(posterior, haplotype) for haplotype in pair.tolist()
            )
            axes.set(yscale="log", title=names)
        panels[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3)
        panels[-1].set_xlabel(f"position on contig {genotypes.contig} (kb)")
        figure.supylabel("TMRCA (generations)", fontsize=9)
    return figure


def _draw_bands(axes: Axes, positions: np.ndarray, draws: np.ndarray) -> None:
    low, lower, median, upper, high = np.quantile(draws, [0.025, 0.25, 0.5, 0.75, 0.975], axis=0)
    axes.fill_between(positions, low, high, color=BLUE, alpha=0.15, linewidth=0, label="95 %")
    axes.fill_between(positions, lower, upper, color=BLUE, alpha=0.3, linewidth=0, label="50 %")
    axes.plot(positions, median, color=BLUE, label="median")
    axes.set_xlim(positions[0], positions[-1])


def _haplotype_name(posterior: Posterior, haplotype: int) -> str:
    genotypes = posterior.genotypes
    individual, copy = divmod(haplotype, genotypes.ploidy)
    name = genotypes.sample_names[individual]
    return name if genotypes.ploidy == 1 else f"{name} ({copy + 1})"


def plot_log_weights(posterior: Posterior) -> Figure:
    """Draw log Z of every threading, mean and 95 % of the chains, and the bound of each chain.

    Args:
        posterior: The result of an inference.
    """
    log_weights = posterior.log_weights
    threadings = np.arange(2, log_weights.shape[1] + 2)
    with styled_figure(7, 3.2) as figure:
        steps, totals = figure.subplots(1, 2, width_ratios=[3, 2])
        low, high = np.quantile(log_weights, [0.025, 0.975], axis=0)
        steps.fill_between(threadings, low, high, color=BLUE, alpha=0.2, linewidth=0)
        steps.plot(threadings, log_weights.mean(axis=0), color=BLUE, marker="o", markersize=3)
        steps.set(xlabel="haplotypes in the graph after threading", ylabel="log Z (nats)")
        steps.set_title("Every threading: mean and 95 % of chains")
        totals.plot(posterior.log_bounds, "o", color=BLUE, markersize=4)
        totals.axhline(posterior.elbo, color=VERMILION, linewidth=1, label="evidence lower bound")
        totals.set(xlabel="chain", ylabel="log weight (nats)")
        totals.set_title("Every chain")
        totals.legend(loc="lower right")
    return figure


def local_tree_svg(tree_sequence: tskit.TreeSequence, position: float) -> str:
    """Draw the local tree at a position as SVG, nodes at ranks of their times.

    Recombination nodes and other nodes with one child are left out.

    Args:
        tree_sequence: Genealogies.
        position: Base pair inside the region.

    Returns:
        The SVG document.
    """
    tree = tree_sequence.simplify().at(position)
    label = {
        node: f"{tree.time(node):,.0f}" for node in tree.nodes() if tree.num_children(node) > 1
    }
    return tree.draw_svg(
        size=(max(320, 26 * tree_sequence.num_samples), 320),
        time_scale="rank",
        title=f"position {position:,.0f}; node times in generations",
        node_labels={**label, **{node: str(node) for node in tree.samples()}},
        omit_sites=True,
        style=".node > .sym {fill: #0072B2} .node > .lab {font-size: 9px} .title {font-size: 12px}",
    )


def save_figures(posterior: Posterior, folder: Path) -> None:
    """Write all figures as PNG and a few local trees of the first draw as SVG.

    Args:
        posterior: The result of an inference.
        folder: Where to write; created if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "population_size": plot_population_size(posterior),
        "pairwise_tmrca": plot_pairwise_tmrca(posterior),
        "log_weights": plot_log_weights(posterior),
    }
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=DOTS_PER_INCH)
    tree_sequence = posterior.tree_sequences[0]
    genotypes = posterior.genotypes
    for index in range(NUM_LOCAL_TREES):
        position = genotypes.start + genotypes.length * (index + 0.5) / NUM_LOCAL_TREES
        svg = local_tree_svg(tree_sequence, position)
        (folder / f"local_tree_{position:.0f}.svg").write_text(svg, encoding="utf-8")
