import dataclasses

import numpy as np
import pytest

from escapement_jax.genealogy.diagnostics.trace import Trace
from escapement_jax.genealogy.genome.rate_map import RateMap
from escapement_jax.genealogy.predictive_checks import predictive_checks
from escapement_jax.plotting.predictive_checks import (
    plot_predictive_checks,
    plot_trace,
    save_check_figures,
)
from tests.reference.random_posterior import random_posterior


@pytest.fixture(scope="module")
def posterior():
    generator = np.random.default_rng(1)
    trace = Trace(
        generator.normal(-100, 3, (6, 4)),
        generator.normal(9, 1, (6, 4, 2, 3)),
        np.array([1500.0, 4500.0]),
        np.array([[0, 1], [0, 2], [3, 4]]),
    )
    return dataclasses.replace(random_posterior(), trace=trace)


@pytest.fixture(scope="module")
def checks(posterior):
    return predictive_checks(posterior, RateMap.constant(1e-6, 1000, 5000), num_replicates=20)


def test_every_check_has_a_panel_with_the_data(checks):
    panels = plot_predictive_checks(checks).axes
    assert [axes.get_title(loc="left").split(",")[0] for axes in panels] == [
        "diversity",
        "frequency spectrum",
        "linkage disequilibrium",
    ]
    data = next(line for line in panels[1].lines if line.get_label() == "data")
    np.testing.assert_array_equal(data.get_ydata(), checks[1].observed)
    assert panels[2].get_xscale() == "log"


def test_the_trace_shows_every_draw(posterior):
    density, times = plot_trace(posterior.trace).axes
    assert len(density.lines) == len(times.lines) == 4 + 1
    means = posterior.trace.log_density.mean(axis=1)
    np.testing.assert_allclose(density.lines[-1].get_ydata(), means)


@pytest.mark.parametrize("sweeps", [True, False])
def test_figures_are_written(posterior, checks, sweeps, tmp_path):
    shown = posterior if sweeps else dataclasses.replace(posterior, trace=Trace())
    save_check_figures(shown, checks, tmp_path)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) == {"predictive_checks.png"} | ({"trace.png"} if sweeps else set())
    assert all(5_000 < size < 200_000 for size in sizes.values())
