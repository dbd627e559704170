import numpy as np
import pytest
from matplotlib.figure import Figure

from escapement_jax.plotting.genealogy import (
    local_tree_svg,
    plot_log_weights,
    plot_pairwise_tmrca,
    plot_population_size,
    save_figures,
)
from tests.reference.random_posterior import BIN_EDGES, random_posterior


@pytest.fixture(scope="module")
def posterior():
    return random_posterior()


def test_population_size_shows_every_epoch(posterior):
    figure = plot_population_size(posterior)
    assert isinstance(figure, Figure)
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    shown = next(patch for patch in axes.patches if patch.get_label() == "N_e(t)")
    np.testing.assert_allclose(shown.get_data().values, posterior.population_size.population_size)


def test_tmrca_bands_hold_the_quantiles_of_the_draws(posterior):
    positions, pairs = np.array([1500.0, 2500.0, 4500.0]), np.array([[0, 1], [2, 5]])
    figure = plot_pairwise_tmrca(posterior, pairs=pairs, positions=positions)
    assert len(figure.axes) == 2
    tmrca = posterior.pairwise_tmrca(positions, pairs=pairs)
    for axes, draws in zip(figure.axes, tmrca.transpose(1, 0, 2), strict=True):
        median = axes.lines[0]
        np.testing.assert_allclose(median.get_xdata(), positions / 1000)
        np.testing.assert_allclose(median.get_ydata(), np.median(draws, axis=0))


@pytest.mark.parametrize("num_haplotypes", [2, 6])
def test_default_panels_are_distinct_pairs(num_haplotypes):
    figure = plot_pairwise_tmrca(random_posterior(num_haplotypes=num_haplotypes))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0] == "sample_0 and sample_1"
    assert len(titles) == len(set(titles)) == (1 if num_haplotypes == 2 else 2)


def test_log_weights_of_one_and_many_draws(posterior):
    for result in (posterior, random_posterior(num_draws=1)):
        steps, totals = plot_log_weights(result).axes
        np.testing.assert_allclose(steps.lines[-1].get_ydata(), result.log_weights.mean(axis=0))
        np.testing.assert_allclose(totals.lines[0].get_ydata(), result.log_weights.sum(axis=1))


def test_local_tree_shows_times_of_branching_nodes_alone(posterior):
    tree_sequence = posterior.tree_sequence(0)
    svg = local_tree_svg(tree_sequence, 3000.0)
    tree = tree_sequence.at(3000.0)
    for node in tree.nodes():
        if tree.num_children(node) > 1:
            assert f">{tree.time(node):,.0f}<" in svg
    assert svg.count(" node n") == tree_sequence.simplify().at(3000.0).num_edges + 1


def test_figures_are_saved_small(posterior, tmp_path):
    save_figures(posterior, tmp_path / "figures")
    pictures = sorted((tmp_path / "figures").iterdir())
    assert [picture.suffix for picture in pictures].count(".svg") == 3
    assert {"population_size.png", "pairwise_tmrca.png", "log_weights.png"} <= {
        picture.name for picture in pictures
    }
    assert all(picture.stat().st_size < 150_000 for picture in pictures)
    assert BIN_EDGES[0] == posterior.genotypes.start
