import numpy as np
import pytest

from escapement_jax.genealogy.diagnostics.calibration import calibrate
from escapement_jax.plotting.calibration import (
    plot_ecdf_differences,
    plot_rank_histograms,
    save_calibration_figures,
)
from escapement_jax.plotting.style import BLUE, VERMILION


@pytest.fixture(scope="module")
def results():
    generator = np.random.default_rng(1)
    truth, draws = generator.normal(size=(40, 3)), generator.normal(size=(40, 19, 3))
    return [
        calibrate("good", truth, draws, seed=1),
        calibrate("biased", truth, draws + 1, seed=1),
    ]


def test_histograms_hold_all_ranks(results):
    for axes in plot_rank_histograms(results).axes:
        [bars] = [patch for patch in axes.patches if hasattr(patch, "get_data")]
        assert bars.get_data().values.sum() == pytest.approx(1.0)


def test_a_curve_outside_its_band_is_red(results):
    good, biased = plot_ecdf_differences(results).axes
    assert good.lines[0].get_color() == BLUE
    assert biased.lines[0].get_color() == VERMILION
    assert biased.lines[0].get_ydata().max() > 0.2


def test_figures_are_written(results, tmp_path):
    save_calibration_figures(results, tmp_path / "figures")
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "figures").iterdir()}
    assert set(sizes) == {"rank_histograms.png", "rank_ecdf_differences.png"}
    assert all(5_000 < size < 200_000 for size in sizes.values())
