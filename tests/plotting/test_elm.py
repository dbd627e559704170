import numpy as np
import pytest

from escapement_jax.elm.method_table import compare_methods
from escapement_jax.plotting.elm import figures, save_figures
from escapement_jax.plotting.elm_effects import plot_additive_effects, plot_epistatic_effects
from escapement_jax.plotting.elm_networks import plot_sensitivity_variance
from tests.reference.random_effects import TEST, random_effects, random_truth

EVERY_FIGURE = {
    "additive_effects",
    "epistatic_effects",
    "genotype_clusters",
    "interval_calibration",
    "methods",
    "reconstruction",
    "sensitivity_variance",
    "variance_components",
    "variance_spectrum",
}


def drawn(effects, truth):
    return dict(figures(effects, compare_methods(effects, truth, name="x", cpu_seconds=1.0), truth))


def test_every_figure_is_saved(tmp_path):
    effects, truth = random_effects(), random_truth()
    rows = compare_methods(effects, truth, name="debiased", cpu_seconds=1.0)
    save_figures(tmp_path / "figures", effects, rows, truth)
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == EVERY_FIGURE


def test_without_truth_or_network_what_is_known_is_drawn():
    names = drawn(random_effects(network=False), None)
    assert set(names) == {"additive_effects", "epistatic_effects", "variance_components", "methods"}


def test_diploids_have_no_genotype_clusters():
    assert "genotype_clusters" not in drawn(random_effects(dominance=True), None)


def test_additive_effects_are_drawn_against_the_truth():
    figure = plot_additive_effects(random_effects(), random_truth())
    offsets = figure.axes[0].collections[-1].get_offsets()
    np.testing.assert_allclose(offsets[:, 0], random_truth().additive[0])


def test_true_pairs_are_told_apart():
    figure = plot_epistatic_effects(random_effects(), random_truth())
    assert [len(c.get_offsets()) for c in figure.axes[1].collections] == [12, 3]


def test_the_parabola_is_that_of_the_points():
    effects = random_effects()
    figure = plot_sensitivity_variance(effects, effects.network, random_truth())
    partner = figure.axes[1].collections[0].get_offsets()[:, 0]
    np.testing.assert_allclose(np.sort(np.abs(partner)), [0.3, 0.3, 0.4, 0.4, 0.5, 0.5])


def test_clusters_show_every_individual_once():
    figure = drawn(random_effects(), random_truth())["genotype_clusters"]
    assert sum(len(c.get_offsets()) for c in figure.axes[0].collections) == TEST


@pytest.mark.parametrize("name", ["reconstruction", "variance_spectrum"])
def test_figures_have_a_panel_or_line_per_trait(name):
    figure = drawn(random_effects(), None)[name]
    lines = len(figure.axes[0].lines)
    assert (len(figure.axes) == 2) if name == "reconstruction" else (lines == 2)
