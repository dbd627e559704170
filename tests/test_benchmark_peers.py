"""The comparison with the peers: its data, the output of methods, and resuming."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import msprime
import numpy as np
import pytest

from benchmarks.accuracy import escapement_tool, measured_command, peers
from benchmarks.accuracy.baselines import baseline_prior, baseline_window, oracle_truth
from benchmarks.accuracy.cases import (
    CASES,
    DataSet,
    DataSetName,
    simulate,
    true_population_size,
    write_data_set,
)
from benchmarks.accuracy.peers_table import markdown_table
from benchmarks.accuracy.runs import Run, Tool, score
from benchmarks.accuracy.tool_output import read_output, spanning
from benchmarks.accuracy.true_tmrca import evenly_spaced_positions, pairwise_tmrca

SMALL = DataSetName("const", length=20_000, haplotypes=4, seed=1)
POSITIONS = evenly_spaced_positions(20_000, 20)
# What any method could do: copy some trees to where draws belong.
COPY = (
    "import os, shutil, sys; os.mkdir(sys.argv[2] + '/draws'); "
    "shutil.copy(sys.argv[1], sys.argv[2] + '/draws/draw_0000.trees')"
)


@pytest.fixture(scope="module")
def data() -> DataSet:
    return simulate(SMALL)


@pytest.fixture
def true_trees(data: DataSet, tmp_path: Path) -> Path:
    path = tmp_path / "true.trees"
    data.tree_sequence.dump(path)
    return path


def test_genotypes_are_those_of_the_true_trees(data: DataSet) -> None:
    for variant in data.tree_sequence.variants():
        rows = data.genotypes.haplotypes[data.genotypes.positions == variant.site.position]
        if len(rows):
            np.testing.assert_array_equal(rows[0], variant.genotypes)
    assert data.genotypes.num_sites > 10


def test_errors_flip_one_allele_in_a_hundred() -> None:
    clean, flipped = (simulate(DataSetName(case, 200_000, 20, 1)) for case in ("const", "err1"))
    assert clean.tree_sequence.tables.edges == flipped.tree_sequence.tables.edges
    shared, rows, others = np.intersect1d(
        clean.genotypes.positions, flipped.genotypes.positions, return_indices=True
    )
    differ = clean.genotypes.haplotypes[rows] != flipped.genotypes.haplotypes[others]
    # Binomial: four standard deviations.
    assert differ.mean() == pytest.approx(0.01, abs=4 * np.sqrt(0.01 / (20 * shared.size)))


def test_more_recombination_is_not_told() -> None:
    few, many = (simulate(DataSetName(case, 200_000, 20, 1)) for case in ("const", "rho4"))
    assert many.tree_sequence.num_trees > 3 * few.tree_sequence.num_trees
    assert many.told["recombination_rate"] == few.told["recombination_rate"] == 1e-8


@pytest.mark.parametrize(
    ("case", "sizes"), [("const", [1e4, 1e4, 1e4]), ("bottleneck", [1e4, 1e3, 1e4])]
)
def test_true_sizes(case: str, sizes: list[float]) -> None:
    seen = true_population_size(case, np.array([500.0, 1500.0, 5000.0]))
    np.testing.assert_allclose(seen, sizes)


def test_the_vcf_holds_the_genotypes(data: DataSet, tmp_path: Path) -> None:
    write_data_set(tmp_path, data)
    rows = [
        line.split("\t")
        for line in (tmp_path / "genotypes.vcf").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert [int(row[1]) - 1 for row in rows] == data.genotypes.positions.tolist()
    calls = [[int(allele) for call in row[9:] for allele in call.split("|")] for row in rows]
    np.testing.assert_array_equal(calls, data.genotypes.haplotypes)


def test_the_truth_scores_perfectly(data: DataSet) -> None:
    pytest.importorskip("tscompare")
    scores = score(oracle_truth(data, POSITIONS), data, POSITIONS)
    assert scores["rmse"] == scores["crps"] == scores["rf"] == 0
    assert scores["tpr"] == scores["breakpoint_ratio"] == 1


def test_the_prior_has_its_mean(data: DataSet) -> None:
    draws = baseline_prior(data, POSITIONS).tmrca
    mean = 2 * data.told["population_size"]
    assert draws.mean() == pytest.approx(mean, abs=4 * mean / np.sqrt(draws.size))


def test_the_window_counts_the_sites_around_a_position(data: DataSet) -> None:
    """The mean over draws is (1 + k) / rate; four standard errors of it."""
    position = np.array([6_000.0])
    draws = baseline_window(data, position).tmrca[:, 0, 0]
    genotypes, told = data.genotypes, data.told
    inside = (genotypes.positions >= 1_000) & (genotypes.positions < 11_000)
    differences = (genotypes.haplotypes[:, 0] != genotypes.haplotypes[:, 1])[inside].sum()
    rate = 1 / (2 * told["population_size"]) + 2 * told["mutation_rate"] * 10_000
    error = np.sqrt(1 + differences) / rate / np.sqrt(len(draws))
    assert draws.mean() == pytest.approx((1 + differences) / rate, abs=4 * error)


def test_trees_are_extended_to_the_ends(data: DataSet) -> None:
    tables = data.tree_sequence.dump_tables()
    tables.keep_intervals([[5_000, 15_000]], simplify=False)
    whole = spanning(tables.tree_sequence())
    seen = pairwise_tmrca(whole, np.array([1.0, 5_000.0, 14_999.0, 19_999.0]))
    expected = pairwise_tmrca(data.tree_sequence, np.array([5_000.0, 14_999.0]))
    np.testing.assert_allclose(seen, expected[:, [0, 0, 1, 1]])


def test_node_times_are_draws_on_one_topology(
    data: DataSet, true_trees: Path, tmp_path: Path
) -> None:
    (tmp_path / "draws").mkdir()
    true_trees.rename(tmp_path / "draws" / "dated.trees")
    times = data.tree_sequence.nodes_time
    np.save(tmp_path / "node_times.npy", np.stack([times, 2 * times, 3 * times]))
    tmrca = read_output(tmp_path, POSITIONS, 4, 20_000).tmrca
    np.testing.assert_allclose(tmrca[2] / tmrca[0], 3.0)
    np.testing.assert_allclose(tmrca[0], pairwise_tmrca(data.tree_sequence, POSITIONS))


@pytest.mark.parametrize("band", [True, False])
def test_sizes_are_read_with_their_band_or_without(tmp_path: Path, band: bool) -> None:
    np.save(tmp_path / "tmrca.npy", np.ones((3, 6, 20)))
    table = ["time_generations,population_size" + ",lower_95,upper_95" * band]
    table += ["0,1e4" + ",5e3,2e4" * band, "700,2e4" + ",1e4,4e4" * band]
    (tmp_path / "demography.csv").write_text("\n".join(table))
    estimate = read_output(tmp_path, POSITIONS, 4, 20_000).population_size
    assert estimate is not None
    np.testing.assert_array_equal(estimate.on_grid(estimate.size)[[0, -1]], [1e4, 2e4])
    assert (estimate.band_95 is not None) == band


def test_output_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="wrote nothing"):
        read_output(tmp_path, POSITIONS, 4, 20_000)
    np.save(tmp_path / "tmrca.npy", np.ones((3, 5, 20)))
    with pytest.raises(ValueError, match="6 pairs x 20 positions"):
        read_output(tmp_path, POSITIONS, 4, 20_000)
    (tmp_path / "draws").mkdir()
    msprime.sim_ancestry(3, sequence_length=10).dump(tmp_path / "draws" / "draw.trees")
    with pytest.raises(ValueError, match="6 samples and 10 base pairs"):
        read_output(tmp_path, POSITIONS, 4, 20_000)


def test_any_command_can_be_a_method(true_trees: Path, tmp_path: Path) -> None:
    pytest.importorskip("tscompare")
    run = Run(SMALL, Tool("copy", f'{{python}} -c "{COPY}" {true_trees} {{output}}'), tmp_path)
    assert run.stored() is None
    result = run.perform()
    assert result == run.stored()
    assert result["scores"]["rmse"] == 0
    assert result["scores"]["cpu_seconds"] > 0
    assert not list((tmp_path / "scratch").iterdir())


def test_a_run_by_another_command_is_not_reused(tmp_path: Path) -> None:
    Run(SMALL, Tool("baseline_prior"), tmp_path).perform()
    with pytest.raises(ValueError, match="--redo baseline_prior"):
        Run(SMALL, Tool("baseline_prior", "other"), tmp_path).stored()


def test_a_failing_method_does_not_stop_the_others(tmp_path: Path) -> None:
    tools = [Tool("broken", '{python} -c "raise SystemExit(3)"'), Tool("baseline_window")]
    failures = peers.perform_missing([Run(SMALL, tool, tmp_path) for tool in tools], jobs=1)
    assert len(failures) == 1
    assert "broken failed" in failures[0]
    assert [result["tool"] for result in peers.stored_results(tmp_path)] == ["baseline_window"]


def test_the_comparison_continues_and_ends_in_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["peers", "--cases", "const", "--lengths", "20000", "--haplotypes", "4"]
    command += ["--tools", "baseline_prior", "baseline_window", "--work", str(tmp_path)]
    command += ["--output", str(tmp_path / "peers.json"), "--seeds", "1", "2"]
    for seeds, stored in [([], "0 of 4"), (["3"], "4 of 6")]:
        monkeypatch.setattr(sys, "argv", command + seeds)
        peers.main()
        assert f"{stored} runs are stored" in capsys.readouterr().out
    result = json.loads((tmp_path / "peers.json").read_text())
    assert [row["tool"] for row in result["pooled"]] == ["baseline_prior", "baseline_window"]
    assert result["pooled"][0]["seeds"] == [1, 2, 3]
    lines = markdown_table(result["pooled"], ["rmse", "rf"])
    assert lines[0] == "| case | method | data sets | RMSE | RF |"
    assert lines[2].startswith("| const, 20 kb | baseline_prior | 3 | 0.")
    assert lines[2].endswith("| – |")


def test_methods_that_cannot_run_are_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = argparse.Namespace(
        tools=None,
        draws=7,
        infer=["sweeps=2"],
        name="ours",
        peer_python=None,
        tool=["x=y {output}"],
    )
    tools = peers.chosen_tools(arguments)
    assert "tsinfer_tsdate is skipped" in capsys.readouterr().out
    assert [tool.name for tool in tools][0::4] == ["ours", "x"]
    assert tools[0].command is not None
    assert tools[0].command.endswith("--draws 7 sweeps=2")


def test_a_name_becomes_part_of_a_file_name() -> None:
    with pytest.raises(ValueError, match="a/b"):
        Tool("a/b", "command")


def test_cost_is_that_of_the_command(tmp_path: Path) -> None:
    busy = (
        "import time; block = bytearray(300_000_000)\n"
        "while time.process_time() < 0.5: pass\n"
        "print(time.process_time())"
    )
    wrapper = [sys.executable, measured_command.__file__, str(tmp_path / "cost.json")]
    finished = subprocess.run(
        [*wrapper, sys.executable, "-c", busy], check=True, capture_output=True, text=True
    )
    cost = json.loads((tmp_path / "cost.json").read_text())
    # Its own clock stops a little before it ends.
    assert cost["cpu_seconds"] == pytest.approx(float(finished.stdout), abs=0.2)
    assert cost["peak_memory_mb"] == pytest.approx(310, abs=30)


def test_options_are_those_of_the_configuration() -> None:
    told = {"mutation_rate": 1e-8, "recombination_rate": 2e-8}
    config = escapement_tool.infer_config(
        told, 3, ["sweeps=2", "node_times=level", "genotype_error=1e-2"]
    )
    assert (config.draws, config.sweeps, config.node_times) == (3, 2, "level")
    assert (config.recombination_rate, config.genotype_error) == (2e-8, 0.01)
    with pytest.raises(ValueError, match="did you mean sweeps"):
        escapement_tool.infer_config(told, 3, ["sweep=2"])
    with pytest.raises(ValueError, match="give key=value"):
        escapement_tool.infer_config(told, 3, ["sweeps"])


def test_the_compilation_clock_sees_compilations_alone() -> None:
    with escapement_tool.CompilationClock(0.001) as idle:
        np.linalg.eigvals(np.random.default_rng(1).random((300, 300)))
    with escapement_tool.CompilationClock(0.001) as compiling:
        jax.jit(lambda x: jnp.linalg.eigh(x)[0] + 17.25).lower(jnp.ones((3, 3))).compile()
    assert idle.cpu_seconds == 0
    assert compiling.cpu_seconds > 0


@pytest.mark.slow
def test_escapement_can_be_scored(tmp_path: Path) -> None:
    pytest.importorskip("tscompare")
    command = peers.MODULE.format(module="escapement_tool", draws=2)
    scores = Run(SMALL, Tool("escapement", command), tmp_path).perform()["scores"]
    assert scores["num_draws"] == 2
    assert 0 < scores["startup_cpu_seconds"] < scores["cpu_seconds"]
    assert 0 < scores["resolution"] <= 1
    assert {"reported_size_rmse", "log_evidence_bound", "tpr"} < set(scores)


def test_every_case_has_a_history() -> None:
    assert list(CASES) == ["const", "bottleneck", "zigzag", "err1", "rho4"]
    for case in CASES:
        assert (true_population_size(case, np.logspace(2, 5, 9)) > 0).all()
