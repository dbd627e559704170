"""Figures of a search show what the history holds."""

import numpy as np
import pytest

from escapement_jax.curiosity.behaviour.oscillation import Oscillation
from escapement_jax.curiosity.diversity import DescriptorGrid, filled_bins
from escapement_jax.curiosity.models.landscape import EnergyLandscape
from escapement_jax.plotting.curiosity import (
    plot_archive,
    plot_circuits,
    plot_curves,
    plot_target,
    plot_time_courses,
    save_figure,
)
from escapement_jax.plotting.landscape import plot_landscape
from tests.reference.made_up_history import made_up_history

HISTORY = made_up_history()
GRID = DescriptorGrid((0.0, 0.0, 0.0), (1.0, 1.0, 1.2), 20)


def test_the_archive_shows_discoveries_only():
    panels = plot_archive(HISTORY, Oscillation()).axes[:3]
    for axes in panels:
        assert len(axes.collections[0].get_offsets()) == HISTORY.found.sum()
    bound = panels[2].lines[0]
    assert float(np.max(bound.get_xdata())) == pytest.approx(1.0, abs=0.02)


def test_curves_end_at_the_totals():
    left, right = plot_curves(HISTORY, GRID, feasible=2700).axes[:2]
    assert left.lines[0].get_ydata()[-1] == HISTORY.found.sum()
    total = filled_bins(HISTORY.descriptors, HISTORY.found, GRID)
    assert right.lines[0].get_ydata()[-1] == total


def test_every_member_has_a_panel(tmp_path):
    times = np.linspace(0.0, 10.0, 50)
    courses = np.random.default_rng(1).random((4, 2, 50))
    figure = plot_time_courses(times, courses, titles=list("abcd"), state_names=("u", "v"))
    assert [axes.get_title(loc="left") for axes in figure.axes[:4]] == list("abcd")
    save_figure(figure, tmp_path / "figures" / "courses")
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "figures").iterdir()}
    assert set(sizes) == {"courses.png", "courses.svg"}
    assert all(size > 5_000 for size in sizes.values())


def test_a_circuit_has_an_edge_per_strong_weight():
    weights = np.array([[[30.0, -30.0], [0.5, 0.0]]])
    axes = plot_circuits(weights, titles=["pair"]).axes[0]
    edges = [patch for patch in axes.patches if hasattr(patch, "get_arrowstyle")]
    # Of four weights one is zero and one too weak to draw.
    assert len(edges) == 2
    assert [text.get_text() for text in axes.texts] == ["0", "1"]


def test_errors_are_drawn_below_a_target():
    times = np.linspace(0.0, 10.0, 50)
    top, bottom = plot_target(times, np.sin(times), {"near": np.sin(times) + 0.1}).axes
    np.testing.assert_allclose(bottom.lines[0].get_ydata(), 0.1)
    assert len(top.lines) == 2


def test_a_landscape_is_white_where_nothing_was():
    energy = np.array([[0.0, 1.0], [np.inf, 2.0]])
    landscape = EnergyLandscape(np.arange(2.0), np.arange(2.0), energy)
    surface = plot_landscape(landscape, names=("a", "b")).axes[0].collections[0]
    assert surface.get_array().mask.sum() == 1
