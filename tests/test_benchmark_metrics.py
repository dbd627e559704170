"""The accuracy metrics of the benchmarks, against closed forms."""

import itertools

import msprime
import numpy as np
import pytest
import tskit
from scipy.stats import norm

from benchmarks.accuracy import metrics
from benchmarks.accuracy.size_metrics import (
    GRID_GENERATIONS,
    SizeEstimate,
    reported_size_errors,
    size_errors,
    size_of_draws,
)
from benchmarks.accuracy.tree_metrics import clade_metrics, compare_trees, tree_metrics
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


def simulate(samples, length: float, seed: int = 2, **options) -> tskit.TreeSequence:
    return msprime.sim_ancestry(
        samples,
        sequence_length=length,
        recombination_rate=1e-8,
        population_size=1e4,
        random_seed=seed,
        **options,
    )


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


def test_coverage_of_39_draws_is_that_of_their_range(generator: np.random.Generator) -> None:
    """Weibull: the smallest and the largest of 39 are the quantiles 1 / 40 and 39 / 40."""
    draws, truth = gaussian_case(generator, 39)
    inside = (draws.min(axis=0) <= truth) & (truth <= draws.max(axis=0))
    assert metrics.coverage(draws, truth, 0.95) == pytest.approx(inside.mean(), abs=1e-12)


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


def test_pooling_cancels_errors_of_single_data_sets(generator: np.random.Generator) -> None:
    """Data sets that err to either side alike are calibrated together."""
    shifts = (-0.15, 0.15, -0.15, 0.15)
    cases = [gaussian_case(generator, 64, spread=0.335, shift=shift) for shift in shifts]
    histograms = np.array([metrics.transform_histogram(*case, bins=50) for case in cases])
    single = [metrics.calibration_error(*case, generator) for case in cases]
    pooled = metrics.pooled_calibration_error(histograms)
    assert min(single) > 0.1
    assert pooled["mean"] < 0.01 < pooled["stderr"] < 0.1


def test_pooled_calibration_of_one_data_set_is_its_own(generator: np.random.Generator) -> None:
    case = gaussian_case(generator, 64, spread=0.15, shift=0.1)
    histogram = np.array([metrics.transform_histogram(*case)])
    own = metrics.calibration_error(*case, generator)
    assert histogram.sum() == pytest.approx(1.0, abs=1e-4)
    assert metrics.pooled_calibration_error(histogram) == {
        "mean": pytest.approx(own, abs=2e-3),
        "stderr": None,
    }


def test_pool_gives_mean_and_standard_error() -> None:
    pooled = metrics.pool([{"bias": 1.0, "rmse": 3.0}, {"bias": 3.0, "rmse": 4.0}])
    assert pooled["bias"] == pytest.approx({"mean": 2.0, "stderr": 1.0})
    assert pooled["rmse"]["mean"] == pytest.approx(np.sqrt(12.5))


def test_pool_takes_the_data_sets_that_have_a_metric() -> None:
    pooled = metrics.pool([{"bias": 1.0}, {"bias": 3.0, "size_rmse": 2.0}])
    assert pooled["bias"]["mean"] == 2.0
    assert pooled["size_rmse"] == {"mean": 2.0, "stderr": None}


def test_one_data_set_has_no_standard_error() -> None:
    assert metrics.pool([{"bias": 1.0}]) == {"bias": {"mean": 1.0, "stderr": None}}


@pytest.mark.parametrize("times", [[0, 0], [0, 5000]], ids=["living", "ancient"])
def test_pairwise_tmrca_is_tskits(times: list[float]) -> None:
    tree_sequence = simulate([msprime.SampleSet(2, time=time) for time in times], 20_000)
    assert tree_sequence.num_trees > 5
    positions = evenly_spaced_positions(20_000, 40)
    seen = pairwise_tmrca(tree_sequence, positions)
    for column, position in enumerate(positions):
        tree = tree_sequence.at(position)
        expected = [tree.tmrca(i, j) for i, j in itertools.combinations(range(8), 2)]
        np.testing.assert_allclose(seen[:, column], expected, rtol=1e-12)


def test_pairwise_tmrca_without_common_ancestor_is_nan() -> None:
    tables = msprime.sim_ancestry(2, sequence_length=10, random_seed=1).dump_tables()
    tables.delete_intervals([[0, 5]], simplify=False)
    seen = pairwise_tmrca(tables.tree_sequence(), np.array([2.5, 7.5]))
    assert np.isnan(seen[:, 0]).all()
    assert np.isfinite(seen[:, 1]).all()


BALANCED, COMB, STAR = (
    make(4).tree_sequence
    for make in (
        tskit.Tree.generate_balanced,
        tskit.Tree.generate_comb,
        tskit.Tree.generate_star,
    )
)


@pytest.mark.parametrize(
    ("truth", "draw", "rf", "resolution"),
    [
        (BALANCED, BALANCED, 0.0, 1.0),
        # Clades {01, 23} and {23, 123}: two of four are not shared.
        (BALANCED, COMB, 0.5, 1.0),
        (BALANCED, STAR, 1.0, 0.0),
        (STAR, STAR, 0.0, 0.0),
    ],
)
def test_clades_of_known_trees(
    truth: tskit.TreeSequence, draw: tskit.TreeSequence, rf: float, resolution: float
) -> None:
    assert clade_metrics(truth, draw) == {"rf": rf, "resolution": resolution}


def test_robinson_foulds_is_tskits() -> None:
    """Between binary trees of n samples: tskit's distance over the 2 (n - 2) inner clades."""
    first, second = simulate(5, 50_000), simulate(5, 50_000, seed=3)
    expected = [
        first.at(position).rf_distance(second.at(position)) / (2 * (10 - 2))
        for position in evenly_spaced_positions(50_000, 30)
    ]
    seen = clade_metrics(first, second, num_positions=30)
    assert seen["rf"] == pytest.approx(np.mean(expected), abs=1e-12)
    assert 0 < seen["rf"] < 1


def test_the_true_trees_are_perfect_with_silent_nodes_or_without() -> None:
    pytest.importorskip("tscompare")
    full = simulate(5, 50_000, coalescing_segments_only=False)
    perfect = {"rf": 0, "resolution": 1, "arf": 0, "tpr": 1, "breakpoint_ratio": 1}
    assert tree_metrics(full.simplify(), [full]) == pytest.approx(perfect, abs=1e-12)


def test_half_of_the_trees_found() -> None:
    """The left half is right, the right half a star: every clade is right, but half are missed."""
    pytest.importorskip("tscompare")
    tables, star = BALANCED.dump_tables(), tskit.Tree.generate_star(4, span=1).tree_sequence
    tables.keep_intervals([[0, 0.5]], simplify=False)
    for sample in range(4):
        tables.edges.add_row(0.5, 1, parent=star.num_nodes + 1, child=sample)
    tables.sort()
    scores = compare_trees(BALANCED, tables.tree_sequence())
    assert scores["arf"] == pytest.approx(0, abs=1e-12)
    assert scores["resolution"] == pytest.approx(0.5)
    # Of seven nodes, the two inner ones are found on half of the span.
    assert scores["tpr"] == pytest.approx(6 / 7)


def test_size_errors_in_closed_form() -> None:
    truth = np.full(GRID_GENERATIONS.size, 1e4)
    assert size_errors(truth * 10, truth) == pytest.approx({"size_rmse": 1, "size_rmse_middle": 1})
    young = np.where(GRID_GENERATIONS < 1e3, 10.0, 1.0)
    share = np.mean(GRID_GENERATIONS < 1e3)
    expected = {"size_rmse": np.sqrt(share), "size_rmse_middle": 0.0}
    assert size_errors(truth * young, truth) == pytest.approx(expected)


def test_reported_sizes_are_read_as_steps() -> None:
    """Epochs from 0 and from 10^4 generations on; the band of the second misses the truth."""
    truth = np.full(GRID_GENERATIONS.size, 1e4)
    band = (np.array([5e3, 5e4]), np.array([2e4, 2e5]))
    estimate = SizeEstimate(np.array([0.0, 1e4]), np.array([1e4, 1e5]), band)
    old = np.mean(GRID_GENERATIONS >= 1e4)
    seen = reported_size_errors(estimate, truth)
    assert seen["reported_size_rmse"] == pytest.approx(np.sqrt(old))
    assert seen["reported_size_coverage95"] == pytest.approx(1 - old)


@pytest.mark.statistical
def test_true_trees_know_the_size() -> None:
    """Over eight seeds the error is 0.064 with standard deviation 0.013; the bound is 4 above."""
    tree_sequence = simulate(10, 3e6)
    errors = size_errors(size_of_draws([tree_sequence]), np.full(GRID_GENERATIONS.size, 1e4))
    assert errors["size_rmse_middle"] < 0.12
