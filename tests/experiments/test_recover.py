import dataclasses
import json

import numpy as np
import pytest

from escapement_jax.config.homeostasis import RecoverConfig
from escapement_jax.config.homeostasis_simulation import SimulateHomeostasisConfig
from escapement_jax.config.toml import read_toml
from escapement_jax.experiments import recover as experiment
from escapement_jax.experiments.recover import RecoverInputs
from escapement_jax.experiments.simulate_homeostasis import run_simulate_homeostasis
from escapement_jax.homeostasis.recovery_report import split_trajectories
from escapement_jax.io.homeostasis.read_input import read_metabolic_input
from escapement_jax.io.homeostasis.truth import read_truth
from tests.reference.known_recovery import SMALL, known_report, small_simulation


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulate") / "run"
    run_simulate_homeostasis(folder, SMALL, force=False)
    return folder


@pytest.fixture
def asked(monkeypatch):
    """What the fit was asked; its answer is made up from the truth."""
    seen = []

    def report(courses, network, config, **options):
        seen.append((courses, network, config, options))
        scores = {
            "avg_slope_ratio": 1.0,
            "embedding_cluster_acc": 1.0,
            "rate_constants_R2": 0.9,
            "rate_constants_R2_ceiling": 0.95,
        }
        return dataclasses.replace(known_report(), scores={"recovered": scores})

    monkeypatch.setattr(experiment, "report_recovery", report)
    return seen


def test_a_simulation_holds_data_and_truth(simulated):
    assert {path.name for path in simulated.iterdir()} == {
        "config.toml",
        "log.jsonl",
        "noise_free.npz",
        "time_courses.npz",
        "truth.json",
    }
    assert read_toml(simulated / "config.toml", SimulateHomeostasisConfig) == SMALL
    courses, network = read_metabolic_input(simulated / "time_courses.npz")
    expected = small_simulation()
    np.testing.assert_allclose(courses.concentrations, expected.states, rtol=1e-12)
    truth = read_truth(simulated / "truth.json", network)
    np.testing.assert_allclose(truth.log10_rates, expected.truth.log10_rates)
    np.testing.assert_allclose(truth.model.offsets, expected.truth.model.offsets)
    np.testing.assert_array_equal(truth.types, expected.truth.types)


def test_a_truth_about_something_else_is_refused(simulated, tmp_path):
    _, network = read_metabolic_input(simulated / "time_courses.npz")
    document = json.loads((simulated / "truth.json").read_text())
    del document["metabolite_types"]["m3"]
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="not the truth about this network: KeyError"):
        read_truth(path, network)


def test_run_directory_is_complete(simulated, asked, tmp_path, capsys):
    output = tmp_path / "run"
    inputs = RecoverInputs(simulated / "time_courses.npz", truth=simulated / "truth.json")
    config = RecoverConfig(seed=5)
    experiment.run_recover(inputs, output, config, progress=False, force=False)
    assert {path.name for path in output.iterdir()} == {
        "analysis.log",
        "config.toml",
        "log.jsonl",
        "figures",
        "metabolites.csv",
        "model.npz",
        "model.xml",
        "reactions.csv",
        "summary.json",
        "types.csv",
    }
    [(courses, _, told, options)] = asked
    assert courses.num_trajectories == 2
    assert told == config == read_toml(output / "config.toml", RecoverConfig)
    assert options["truth"] is not None
    assert options["gradient"] is None
    summary = json.loads((output / "summary.json").read_text())
    assert summary["num_types"] == 2
    assert summary["scores"]["recovered"]["avg_slope_ratio"] == 1.0
    assert summary["prediction"]["held_out"] is False
    assert set(summary["seconds"]) == {"compile", "run"}
    printed = capsys.readouterr().out
    assert "12 metabolites, 16 reactions (15 rates can be known)" in printed
    assert "warning: made up" in printed


def test_tables_say_what_was_recovered(simulated, asked, tmp_path):
    output = tmp_path / "run"
    inputs = RecoverInputs(simulated / "time_courses.npz")
    experiment.run_recover(inputs, output, RecoverConfig(), progress=False, force=False)
    metabolites = (output / "metabolites.csv").read_text().splitlines()
    assert metabolites[0] == (
        "metabolite,type,type_probability,slope,slope_stderr,offset,offset_stderr"
    )
    assert metabolites[12].startswith("m11,1,0.99,-0.00")
    assert len(metabolites) == 13
    types = (output / "types.csv").read_text().splitlines()
    assert types[0].startswith("type,metabolites,weight,slope,slope_stderr")
    assert types[2].startswith("1,6,0.5,-0.002,1e-05,0.012,")
    reactions = (output / "reactions.csv").read_text().splitlines()
    assert reactions[0] == "reaction,log10_rate,stderr,identifiable"
    assert reactions[1].endswith(",0.0043,yes")
    # The last reaction has no substrates: its rate is a guess, of unknown error.
    assert reactions[16].endswith(",,no")


def test_failure_leaves_nothing_behind(tmp_path):
    inputs = RecoverInputs(tmp_path / "absent.npz")
    with pytest.raises(FileNotFoundError, match="no such file"):
        experiment.run_recover(
            inputs, tmp_path / "run", RecoverConfig(), progress=False, force=False
        )
    assert list(tmp_path.iterdir()) == []


def test_held_out_trajectories_are_the_last():
    courses = small_simulation().time_courses
    fitted, rest = split_trajectories(courses, 1)
    assert rest is not None
    np.testing.assert_array_equal(fitted.concentrations[0], courses.concentrations[0])
    np.testing.assert_array_equal(rest.concentrations[0], courses.concentrations[1])
    assert split_trajectories(courses, 0) == (courses, None)
    with pytest.raises(ValueError, match="2 trajectories cannot be held out of 2"):
        split_trajectories(courses, 2)


def test_a_recovery_finds_the_truth(simulated, tmp_path):
    """The whole way once, without noise: what is recovered is what was simulated."""
    output = tmp_path / "run"
    inputs = RecoverInputs(
        simulated / "time_courses.npz", truth=simulated / "truth.json", held_out=1
    )
    experiment.run_recover(inputs, output, RecoverConfig(), progress=False, force=False)
    summary = json.loads((output / "summary.json").read_text())
    assert summary["num_types"] == 2
    scores = summary["scores"]["recovered"]
    assert scores["avg_slope_ratio"] == pytest.approx(1, abs=1e-3)
    assert scores["embedding_cluster_acc"] == 1
    assert scores["embedding_silhouette"] > 0.9
    assert scores["identifiable_rate_constants_R2"] > 0.99999
    assert summary["prediction"]["held_out"] is True
    assert summary["prediction"]["normalised_errors"][0] < 1e-2
