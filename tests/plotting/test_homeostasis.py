import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

from escapement_jax.homeostasis.gradient_baseline.explore import Exploration
from escapement_jax.homeostasis.gradient_baseline.explorer import Trial
from escapement_jax.homeostasis.gradient_baseline.recipe import Recipe
from escapement_jax.plotting.homeostasis import (
    plot_identifiability,
    plot_prediction,
    plot_rate_constants,
    plot_types,
    save_figures,
)
from escapement_jax.plotting.homeostasis_source_view import (
    plot_embeddings,
    plot_kinograph,
    plot_node_functions,
)
from tests.reference.known_recovery import known_report


@pytest.fixture(scope="module")
def report():
    return known_report()


def texts(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(lambda item: hasattr(item, "_text")))


def test_identifiability_shows_the_matrix_and_the_verdict(report):
    figure = plot_identifiability(report.recovery)
    image = figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(image, report.recovery.identifiability.correlation)
    assert "made up" in texts(figure)


def test_without_noise_the_correlation_is_that_of_the_fit(report):
    silent = dataclasses.replace(
        report.recovery.identifiability, expected_slope_stderr=np.zeros(12)
    )
    recovery = dataclasses.replace(report.recovery, identifiability=silent)
    image = plot_identifiability(recovery).axes[0].images[0].get_array()
    np.testing.assert_allclose(np.diag(image), 1)


def test_types_say_how_many_metabolites_they_hold(report):
    figure = plot_types(report.recovery, report.truth)
    assert "type 1: 6 metabolites" in texts(figure)
    criterion = figure.axes[1].lines[0]
    np.testing.assert_array_equal(criterion.get_ydata(), [50, 0, 12])


@pytest.mark.parametrize("known", [True, False])
def test_rates_are_drawn_against_the_truth_if_there_is_one(report, known):
    figure = plot_rate_constants(report.recovery, report.truth if known else None)
    assert ("true" in figure.axes[0].get_xlabel()) == known
    assert "15 can be known" in texts(figure)
    assert "1 only in combination with others" in texts(figure)


def test_node_functions_lie_on_the_true_lines(report):
    figure = plot_node_functions(report.node, report.recovery, report.truth)
    lines = figure.axes[0].lines
    truth = [line for line in lines if line.get_linestyle() == "--"]
    means = [line for line in lines if line.get_linewidth() == 2]
    for mean, true in zip(means, truth, strict=True):
        np.testing.assert_allclose(mean.get_ydata(), true.get_ydata(), atol=1)


def test_a_metabolite_in_the_wrong_type_is_crossed_out(report):
    types = np.asarray(report.recovery.types).copy()
    types[0] = 1
    recovery = dataclasses.replace(report.recovery, types=types)
    figure = plot_embeddings(report.node, recovery, report.truth)
    assert "other true type (1)" in texts(figure)


def test_the_kinograph_parts_measured_into_modelled_and_residual(report):
    figure = plot_kinograph(report.courses, report.recovery)
    measured, modelled, residual = (axes.images[0].get_array() for axes in figure.axes[:3])
    np.testing.assert_allclose(measured - modelled, residual)


def test_predictions_tell_their_error(report):
    figure = plot_prediction(report.predictions[0], report.recovery, held_out=True)
    assert "A trajectory held out" in texts(figure)
    line = figure.axes[0].lines[1]
    assert len(line.get_xdata()) == 21


def test_all_figures_are_saved(report, tmp_path):
    trials = [
        Trial(Recipe(rollout_length=length), -1, "", reward)
        for length, reward in ((4, 0.1), (16, 0.4))
    ]
    exploration = Exploration(
        reactions=report.truth.model,
        phase_one_losses=np.array([3.0, 1.0]),
        trials=trials,
        nodes=[report.node, report.node],
        losses=np.array([[2.0, 1.0], [3.0, 0.5]]),
    )
    save_figures(dataclasses.replace(report, exploration=exploration), tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == {
        "embeddings",
        "identifiability",
        "kinograph",
        "node_functions",
        "prediction",
        "published_recipe",
        "rate_constants",
        "types",
    }
