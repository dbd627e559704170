"""The accuracy metrics of the benchmarks, against closed forms."""

import itertools

import msprime
import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.accuracy import metrics
from benchmarks.accuracy.true_tmrca import evenly_spaced_positions, pairwise_tmrca


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(7)


def gaussian_case(
    generator: np.random.Generator, num_draws: int, spread: float = 0.3, shift: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw log10 TMRCA from N(mean, spread^2) and the truth from N(mean + shift, 0.3^2)."""
    mean = generator.uniform(2.5, 4.5, (10, 400))
    truth = mean + shift + 0.3 * generator.standard_normal(mean.shape)
    draws = mean + spread * generator.standard_normal((num_draws, *mean.shape))
    return 10**draws, 10**truth


def gaussian_crps(error: np.ndarray, spread: float) -> np.ndarray:
    """Gneiting & Raftery (2007), equation (21)."""
    z = error / spread
    return spread * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))


@pytest.mark.parametrize("num_draws", [2, 8, 64])
@pytest.mark.parametrize(("spread", "error"), [(0.3, 0.0), (0.3, 0.4), (0.1, -0.5)])
def test_crps_of_gaussian_draws(
    generator: np.random.Generator, num_draws: int, spread: float, error: float
) -> None:
    """Fair: right in expectation for any number of draws."""
    draws = 10 ** (3.0 + spread * generator.standard_normal((num_draws, 100, 200)))
    truth = np.full((100, 200), 10 ** (3.0 + error))
    expected = gaussian_crps(np.array(error), spread)
    assert metrics.crps(draws, truth) == pytest.approx(expected, abs=4e-3 * spread / 0.1)


def test_crps_equals_its_definition(generator: np.random.Generator) -> None:
    draws, truth = 10 ** generator.uniform(2, 4, (5, 2, 3)), 10 ** generator.uniform(2, 4, (2, 3))
    x, y = np.log10(draws), np.log10(truth)
    pairs = [np.abs(x[i] - x[j]).mean() for i, j in itertools.permutations(range(5), 2)]
    assert metrics.crps(draws, truth) == pytest.approx(np.abs(x - y).mean() - np.mean(pairs) / 2)


def test_crps_of_one_draw_is_the_absolute_error() -> None:
    assert metrics.crps(np.full((1, 1, 1), 1000.0), np.full((1, 1), 100.0)) == pytest.approx(1.0)


def test_point_errors_in_closed_form() -> None:
    truth = np.array([[100.0, 1000.0, 10_000.0]])
    draws = np.stack([truth, truth * 100])
    assert metrics.point_errors(draws, truth) == pytest.approx({"rmse": 1, "bias": 1, "r": 1})


def test_times_below_the_floor_are_equal() -> None:
    draws, truth = np.array([[[0.0, 1000.0]]]), np.array([[3.0, 1000.0]])
    assert metrics.point_errors(draws, truth)["rmse"] == 0


@pytest.mark.parametrize(("level", "num_draws"), [(0.5, 9), (0.5, 32), (0.95, 99)])
def test_coverage_of_a_perfect_sampler(
    generator: np.random.Generator, level: float, num_draws: int
) -> None:
    draws, truth = gaussian_case(generator, num_draws)
    assert metrics.coverage(draws, truth, level) == pytest.approx(level, abs=0.025)


def test_coverage_is_limited_by_few_draws(generator: np.random.Generator) -> None:
    draws, truth = gaussian_case(generator, 9)
    assert metrics.attainable_coverage(9, 0.95) == pytest.approx(0.8)
    assert metrics.coverage(draws, truth, 0.95) == pytest.approx(0.8, abs=0.02)


def test_coverage_sees_intervals_of_wrong_width(generator: np.random.Generator) -> None:
    narrow = metrics.coverage(*gaussian_case(generator, 99, spread=0.15), 0.95)
    wide = metrics.coverage(*gaussian_case(generator, 99, spread=0.6), 0.95)
    assert narrow == pytest.approx(2 * norm.cdf(1.96 / 2) - 1, abs=0.03)
    assert wide > 0.99


def test_calibration_error(generator: np.random.Generator) -> None:
    perfect = metrics.calibration_error(*gaussian_case(generator, 32), generator)
    shifted = metrics.calibration_error(*gaussian_case(generator, 32, shift=0.3), generator)
    beyond = metrics.calibration_error(*gaussian_case(generator, 32, shift=9.0), generator)
    assert perfect < 0.02
    # The transform of N(0, 1) data under N(-1, 1) has mean Phi(1 / sqrt(2)).
    assert shifted == pytest.approx(norm.cdf(1 / np.sqrt(2)) - 0.5, abs=0.02)
    assert beyond == pytest.approx(0.5, abs=0.02)


def test_pool_gives_mean_and_standard_error() -> None:
    pooled = metrics.pool([{"bias": 1.0, "rmse": 3.0}, {"bias": 3.0, "rmse": 4.0}])
    assert pooled["bias"] == pytest.approx({"mean": 2.0, "stderr": 1.0})
    assert pooled["rmse"]["mean"] == pytest.approx(np.sqrt(12.5))


def test_one_data_set_has_no_standard_error() -> None:
    assert metrics.pool([{"bias": 1.0}]) == {"bias": {"mean": 1.0, "stderr": None}}


def test_pairwise_tmrca_is_tskits() -> None:
    tree_sequence = msprime.sim_ancestry(
        4, sequence_length=20_000, recombination_rate=1e-8, population_size=1e4, random_seed=2
    )
    assert tree_sequence.num_trees > 5
    positions = evenly_spaced_positions(20_000, 40)
    seen = pairwise_tmrca(tree_sequence, positions)
    for column, position in enumerate(positions):
        tree = tree_sequence.at(position)
        expected = [tree.tmrca(i, j) for i, j in itertools.combinations(range(8), 2)]
        np.testing.assert_array_equal(seen[:, column], expected)


def test_pairwise_tmrca_without_common_ancestor_is_nan() -> None:
    tables = msprime.sim_ancestry(2, sequence_length=10, random_seed=1).dump_tables()
    tables.delete_intervals([[0, 5]], simplify=False)
    seen = pairwise_tmrca(tables.tree_sequence(), np.array([2.5, 7.5]))
    assert np.isnan(seen[:, 0]).all()
    assert np.isfinite(seen[:, 1]).all()
