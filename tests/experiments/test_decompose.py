import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.config.elm_simulation import SimulateElmConfig
from escapement_jax.config.toml import read_toml
from escapement_jax.experiments import decompose as experiment
from escapement_jax.experiments.simulate_elm import run_simulate_elm
from escapement_jax.io.elm_arrays import read_npz_study, write_npz_study
from tests.reference.random_effects import random_effects, random_study

CONFIG = DecomposeConfig(seed=5)


@pytest.fixture
def study_file(tmp_path):
    write_npz_study(tmp_path / "study.npz", random_study())
    return tmp_path / "study.npz"


@pytest.fixture
def calls(monkeypatch):
    """What the decomposition was asked; its answer is random."""
    seen = []

    def decompose(coded, phenotypes, config, **options):
        seen.append((coded, phenotypes, config, options))
        effects = random_effects()
        table = dataclasses.replace(effects.epistatic, effect=jnp.full((2, 15), float(len(seen))))
        return dataclasses.replace(effects, epistatic=table)

    monkeypatch.setattr(experiment, "decompose", decompose)
    return seen


def test_run_directory_is_complete(study_file, calls, tmp_path, capsys):
    output = tmp_path / "run"
    experiment.run_decompose(study_file, output, CONFIG, progress=False, force=False)
    assert {path.name for path in output.iterdir()} == {
        "additive.csv",
        "config.toml",
        "log.jsonl",
        "epistatic.csv",
        "figures",
        "methods.csv",
        "summary.json",
        "variance_components.csv",
    }
    assert read_toml(output / "config.toml", DecomposeConfig) == CONFIG
    summary = json.loads((output / "summary.json").read_text())
    assert summary["test_r2"] == {"height": 0.5, "yield": 0.7}
    assert summary["reconstruction_error"] == pytest.approx(1e-13)
    assert [row["name"] for row in summary["methods"]] == ["debiased", "pairwise"]
    printed = capsys.readouterr().out
    assert "200 individuals to learn from" in printed
    assert "pairwise" in printed
    assert "warning: made up" in printed


def test_noise_is_added_before_the_decomposition(study_file, calls, tmp_path):
    config = dataclasses.replace(CONFIG, heritability=0.5)
    experiment.run_decompose(study_file, tmp_path / "run", config, progress=False, force=False)
    noise = calls[0][1] - np.sqrt(0.5) * random_study().phenotypes
    assert noise.std() == pytest.approx(np.sqrt(0.5), rel=0.3)


def test_fresh_noise_decomposes_other_data_each_time_and_averages(calls):
    config = DecomposeConfig(method="source", heritability=0.5, fresh_noise=True, replicates=3)
    effects, rows, study = experiment.decompose_study(random_study(), config)
    assert len(calls) == 3
    phenotypes = [call[1] for call in calls]
    assert not np.allclose(phenotypes[0], phenotypes[1])
    np.testing.assert_array_equal(effects.epistatic.effect, 2.0)
    # The first noise is the one whose study and anchors are told; it comes last.
    np.testing.assert_array_equal(study.phenotypes, phenotypes[-1])
    assert [call[2].anchors for call in calls] == [(), (), config.anchors]
    assert config.anchors
    assert rows[0].name == "ELM, 3 runs, new noise"


def test_a_failed_run_leaves_nothing(study_file, tmp_path, monkeypatch):
    def fail(*words, **options):
        raise ValueError("the trait height is the same in everybody")

    monkeypatch.setattr(experiment, "decompose", fail)
    with pytest.raises(ValueError, match="the same in everybody"):
        experiment.run_decompose(study_file, tmp_path / "run", CONFIG, progress=False, force=False)
    assert [path.name for path in tmp_path.iterdir()] == ["study.npz"]


def test_loci_are_left_out_only_when_told():
    study = random_study()
    repeated = dataclasses.replace(
        study, genotypes=np.repeat(study.genotypes[:, :3], 2, axis=1), truth=None
    )
    assert experiment.prepare_study(repeated, CONFIG) == (repeated, {})
    config = dataclasses.replace(CONFIG, drop_unusable_loci=True)
    usable, dropped = experiment.prepare_study(repeated, config)
    assert usable.genotypes.shape[1] == 3
    assert dropped == {"duplicated": 3}


def test_a_simulated_study_is_an_input_with_a_truth(tmp_path):
    config = SimulateElmConfig(individuals=50, loci=4, additive_share=(0.5,), seed=2)
    run_simulate_elm(tmp_path / "run", config, force=False)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "additive.csv",
        "config.toml",
        "log.jsonl",
        "epistatic.csv",
        "study.npz",
        "truth.json",
    }
    study = read_npz_study(tmp_path / "run" / "study.npz")
    assert study.truth is not None
    assert study.genotypes.shape == (50, 4)
    assert json.loads((tmp_path / "run" / "truth.json").read_text())["heritability"] == 0.25
