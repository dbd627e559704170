"""Calibration from end to end on tiny data, and what is compared with what."""

import dataclasses
import json

import msprime
import numpy as np
import pytest

from escapement_jax.config.calibration import CalibrateConfig
from escapement_jax.config.genealogy import InferConfig
from escapement_jax.experiments import calibrate as experiment
from escapement_jax.experiments.calibration_replicate import (
    NODE_IS_RE_EVENT,
    count_recombinations,
    draw_quantities,
    ranked_places,
    run_replicate,
    true_quantities,
)
from tests.reference.random_posterior import random_posterior

CONFIG = CalibrateConfig(
    replicates=2, haplotypes=4, sequence_length=20_000, positions=2, pairs=2, mutation_rate=5e-8
)
TOLD = InferConfig(draws=4, time_levels=8)
NAMES = {
    "log10 TMRCA",
    "recombinations",
    "log10 mean tree length",
    "log10 N_e of diversity",
}


@pytest.fixture
def replicates(monkeypatch):
    """Stand in for the inference: which replicates were run; draws as good as the truth."""
    seen = []

    def run_replicate(index, config, told, history):
        seen.append(index)
        generator = np.random.default_rng(index)
        quantities = {
            "log10 TMRCA": {
                "truth": generator.normal(size=4).tolist(),
                "draws": generator.normal(size=(9, 4)).tolist(),
            }
        }
        return {"replicate": index, "quantities": quantities}

    monkeypatch.setattr(experiment, "run_replicate", run_replicate)
    return seen


def run(output, config=CONFIG, told=TOLD, *, force=False):
    experiment.run_calibrate(output, config, told, progress=False, force=force)


@pytest.mark.slow
def test_a_tiny_calibration(tmp_path, capsys):
    run(tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "calibration.json").read_text())
    assert set(summary["quantities"]) == NAMES
    assert summary["num_replicates"] == 2
    times = summary["quantities"]["log10 TMRCA"]
    assert times["num_ranks"] == sum(times["rank_histogram"]) == 2 * 4
    assert times["crps"]["mean"] > 0
    assert times["attainable_95"] == pytest.approx(3 / 5)
    printed = capsys.readouterr().out
    assert "2 replicates" in printed
    assert all(name in printed for name in NAMES)
    replicate = json.loads((tmp_path / "out" / "replicates" / "replicate_0001.json").read_text())
    assert np.shape(replicate["quantities"]["log10 TMRCA"]["draws"]) == (4, 4)
    again = run_replicate(1, CONFIG, experiment.complete_settings(CONFIG, TOLD))
    assert again["quantities"] == replicate["quantities"]


def test_a_rerun_goes_on_where_the_last_one_ended(tmp_path, replicates):
    run(tmp_path / "out")
    run(tmp_path / "out", dataclasses.replace(CONFIG, replicates=4))
    assert replicates == [0, 1, 2, 3]
    assert json.loads((tmp_path / "out" / "calibration.json").read_text())["num_replicates"] == 4
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "calibration.json",
        "config.toml",
        "log.jsonl",
        "figures",
        "replicates",
    }


def test_other_settings_need_force(tmp_path, replicates):
    run(tmp_path / "out")
    other = dataclasses.replace(TOLD, draws=5)
    with pytest.raises(FileExistsError, match="draws = 5"):
        run(tmp_path / "out", told=other)
    run(tmp_path / "out", told=other, force=True)
    assert replicates == [0, 1, 0, 1]


def test_a_broken_replicate_is_named(tmp_path, replicates):
    run(tmp_path / "out")
    (tmp_path / "out" / "replicates" / "replicate_0001.json").write_text("{")
    with pytest.raises(ValueError, match="replicate_0001.json: not a replicate"):
        run(tmp_path / "out")


def test_rates_left_open_are_the_true_ones():
    told = experiment.complete_settings(CONFIG, InferConfig(recombination_rate=3e-8))
    assert (told.mutation_rate, told.recombination_rate) == (5e-8, 3e-8)


def test_maps_are_refused(tmp_path):
    told = InferConfig(mutation_map=tmp_path / "map.txt")
    with pytest.raises(ValueError, match="leave mutation_map out"):
        experiment.complete_settings(CONFIG, told)


def test_a_history_may_come_from_a_table(tmp_path, monkeypatch):
    table = tmp_path / "demography.csv"
    table.write_text("time_generations,population_size\n0,500\n1000,20000\n")
    seen = []

    def run_replicate(index, config, told, history):
        seen.append(history.debug().population_size_trajectory([10.0, 5000.0])[:, 0].tolist())
        raise ValueError("enough")

    monkeypatch.setattr(experiment, "run_replicate", run_replicate)
    with pytest.raises(ValueError, match="enough"):
        run(tmp_path / "out", dataclasses.replace(CONFIG, demography_file=table))
    assert seen == [[500.0, 20000.0]]


def test_genomes_without_a_site_name_the_replicate():
    config = dataclasses.replace(CONFIG, mutation_rate=1e-20)
    with pytest.raises(ValueError, match="replicate 3 .*no site"):
        run_replicate(3, config, experiment.complete_settings(config, TOLD))


@pytest.mark.statistical
def test_recombinations_are_poisson_with_the_branch_length():
    """Recombinations per branch base pair over 60 graphs: within 4 standard errors of the rate."""
    assert NODE_IS_RE_EVENT == msprime.NODE_IS_RE_EVENT
    counted, expected = 0, 0.0
    for seed in range(1, 61):
        graph = msprime.sim_ancestry(
            2,
            population_size=1e4,
            sequence_length=50_000,
            recombination_rate=1e-8,
            random_seed=seed,
            record_full_arg=True,
        )
        counted += count_recombinations(graph)
        expected += 1e-8 * graph.segregating_sites(mode="branch", span_normalise=False)
    assert abs(counted - expected) < 4 * np.sqrt(expected)


def test_truth_and_draws_are_measured_alike():
    """The tree sequence of a draw, taken for the truth, has the quantities of the draw."""
    posterior = random_posterior(num_draws=2)
    pairs, positions = np.array([[0, 1], [2, 3]]), np.array([1500.0, 4000.0])
    drawn = draw_quantities(posterior, positions, pairs)
    true = true_quantities(posterior.tree_sequence(1, node_times="level"), positions, pairs)
    assert set(drawn) == set(true) == NAMES
    levels = np.log10(posterior.time_grid_edges[1:])
    assert drawn["log10 TMRCA"].shape == (2, 4)
    np.testing.assert_array_equal(
        np.searchsorted(levels, drawn["log10 TMRCA"][1], side="right"),
        np.searchsorted(levels, true["log10 TMRCA"], side="right"),
    )
    assert true["recombinations"] == len(posterior.draws[1].visible_records)
    assert drawn["recombinations"][1] == posterior.draws[1].num_segments - 1


def test_places_are_far_apart():
    positions, pairs = ranked_places(CONFIG)
    assert positions.tolist() == [5_000, 15_000]
    assert pairs.tolist() == [[0, 1], [2, 3]]
