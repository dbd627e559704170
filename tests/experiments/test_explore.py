"""Runs of `escapement explore`: what they write, how they go on, what they refuse."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from escapement_jax.command_line import main
from escapement_jax.config.curiosity import ExploreConfig
from escapement_jax.config.execution import Execution
from escapement_jax.config.toml import read_toml
from escapement_jax.experiments.explore import run_explore
from escapement_jax.experiments.explored_system import experiment_of, parse_range
from escapement_jax.io.curiosity.histories import read_history

CONFIG = ExploreConfig(
    num_steps=400, budget=200, batch_size=100, num_starts=100, checkpoint_every=1
)
RESUME = Execution(resume=True)
OPTIONS = {"progress": False, "force": False}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    output = tmp_path_factory.mktemp("explore") / "run"
    run_explore(output, CONFIG, **OPTIONS)
    return output


def test_run_directory_is_complete(run):
    assert {path.name for path in run.iterdir()} == {
        "circuits",
        "config.toml",
        "log.jsonl",
        "discoveries.csv",
        "figures",
        "history",
        "summary.json",
    }
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    history = read_history(run / "history")
    assert summary["rollouts"] == len(history) == 200
    assert summary["oscillators"] == history.found.sum() > 0
    assert 0 < summary["qd_filled_bins"] <= summary["oscillators"]
    assert summary["qd_extent"] == [[0, 0, 0], [1, 1, 1.2]]
    assert set(summary["seconds"]) == {"compile", "search", "total"}
    figures = {path.stem for path in (run / "figures").glob("*.png")}
    assert figures == {"archive", "curves", "time_courses", "circuits"}
    kinds = {path.suffix for path in (run / "circuits").iterdir()}
    assert kinds == {".csv", ".ant", ".xml"}


def test_a_run_goes_on_as_if_it_had_not_stopped(run, tmp_path):
    larger = dataclasses.replace(CONFIG, budget=300)
    run_explore(tmp_path / "whole", larger, **OPTIONS)
    run_explore(run, larger, **OPTIONS, execution=RESUME)
    whole, resumed = (read_history(path / "history") for path in (tmp_path / "whole", run))
    np.testing.assert_array_equal(whole.parameters, resumed.parameters)
    np.testing.assert_array_equal(whole.descriptors, resumed.descriptors)
    assert json.loads((run / "summary.json").read_text(encoding="utf-8"))["rollouts"] == 300


def test_other_settings_and_other_files_are_refused(run, tmp_path):
    with pytest.raises(FileExistsError, match="use --resume to go on"):
        run_explore(run, CONFIG, **OPTIONS)
    other = dataclasses.replace(CONFIG, seed=2)
    with pytest.raises(FileExistsError, match="made with other settings"):
        run_explore(run, other, **OPTIONS, execution=RESUME)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        run_explore(tmp_path, CONFIG, progress=False, force=True)
    assert (tmp_path / "mine.txt").exists()


@pytest.mark.parametrize("name", ["oscillators", "source", "biomodel"])
def test_configurations_describe_experiments(name):
    config = read_toml(Path(f"configs/curiosity/{name}.toml"), ExploreConfig)
    config.check_complete()
    if name != "biomodel":  # Its extent takes a hundred stiff rollouts.
        assert experiment_of(config).system.num_states == 3


def test_ranges_are_read():
    assert parse_range("ERK=0:2.5") == ("ERK", (0.0, 2.5))
    with pytest.raises(ValueError, match="write NAME=LOW:HIGH"):
        parse_range("ERK=2.5")


def test_errors_are_told_in_a_line(tmp_path, capsys):
    words = ["explore", "--output", str(tmp_path / "run"), "--observed", "y7"]
    assert main(words) == 2
    assert "there is no state 'y7' to observe; choose y0, y1, y2" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
