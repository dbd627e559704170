import dataclasses
import json

import msprime
import numpy as np
import pytest

from escapement_jax.config.genealogy import InferConfig
from escapement_jax.config.toml import read_toml
from escapement_jax.experiments import infer as experiment
from tests.reference.random_graphs import random_draw
from tests.reference.random_posterior import GRID_EDGES, GRID_TIMES, random_posterior

CONFIG = InferConfig(mutation_rate=1e-6, recombination_rate=1e-8, epochs=3, draws=2)


@pytest.fixture
def genomes(tmp_path):
    tree_sequence = msprime.sim_ancestry(
        3, population_size=1e4, sequence_length=4000, random_seed=1
    )
    path = tmp_path / "genomes.trees"
    msprime.sim_mutations(tree_sequence, rate=1e-7, random_seed=1).dump(path)
    return path


@pytest.fixture
def calls(monkeypatch):
    """What the fit was asked; its answer is random graphs of the genotypes given."""
    seen = []

    def infer(genotypes, config, **options):
        seen.append((genotypes, config, options))
        generator = np.random.default_rng(1)
        draws = tuple(random_draw(generator, 6, len(GRID_EDGES), 8, 20) for _ in range(2))
        return dataclasses.replace(
            random_posterior(),
            draws=draws,
            genotypes=genotypes,
            bin_edges=np.linspace(genotypes.start, genotypes.end, 21),
            time_grid_times=GRID_TIMES,
            log_weights=np.full((2, 5), -3.0),
            warnings=("made up",),
        )

    monkeypatch.setattr(experiment, "infer", infer)
    return seen


def test_run_directory_is_complete(genomes, calls, tmp_path, capsys):
    output = tmp_path / "run"
    experiment.run_infer(genomes, output, CONFIG, progress=False, force=False)
    assert {path.name for path in output.iterdir()} == {
        "allele_ages.csv",
        "config.toml",
        "log.jsonl",
        "demography.csv",
        "draws",
        "figures",
        "metrics.jsonl",
        "summary.json",
    }
    assert read_toml(output / "config.toml", InferConfig) == CONFIG
    summary = json.loads((output / "summary.json").read_text())
    assert summary["elbo"] == pytest.approx(-15.0)
    assert set(summary["seconds"]) == {"compile", "run"}
    printed = capsys.readouterr().out
    assert "6 haplotypes" in printed
    assert "warning: made up" in printed
    assert str(output) in printed


def test_maps_and_seed_reach_the_fit(genomes, calls, tmp_path):
    rates = tmp_path / "map.txt"
    rates.write_text("pos chr cM\n1 1 0\n4000 1 0.004\n")
    config = dataclasses.replace(CONFIG, recombination_rate=None, recombination_map=rates, seed=5)
    experiment.run_infer(genomes, tmp_path / "run", config, progress=True, force=False)
    options = calls[0][2]
    assert options["recombination_map"].mean_rate(0, 4000) == pytest.approx(1e-8, rel=1e-3)
    assert "mutation_map" not in options
    assert options["progress"] is True


def test_failure_leaves_nothing_behind(genomes, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise ValueError("no posterior today")

    monkeypatch.setattr(experiment, "infer", fail)
    with pytest.raises(ValueError, match="no posterior today"):
        experiment.run_infer(genomes, tmp_path / "run", CONFIG, progress=False, force=False)
    assert [path.name for path in tmp_path.iterdir()] == ["genomes.trees"]


def test_rates_are_needed(genomes, tmp_path):
    config = dataclasses.replace(CONFIG, mutation_rate=None)
    with pytest.raises(ValueError, match="mutation rate is unknown"):
        experiment.run_infer(genomes, tmp_path / "run", config, progress=False, force=False)
