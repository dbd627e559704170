"""Simulated genomes: the files agree with each other and with the theory."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tskit

from escapement_jax.config.genealogy import SimulateGenealogyConfig
from escapement_jax.config.toml import read_toml
from escapement_jax.experiments.simulate_genealogy import (
    demography,
    run_simulate_genealogy,
    simulate_genealogy,
)

SMALL = SimulateGenealogyConfig(haplotypes=6, sequence_length=50_000, seed=3)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("simulate") / "run"
    run_simulate_genealogy(directory, SMALL, force=False)
    return directory


def test_run_directory_holds_the_promised_files(run: Path) -> None:
    files = sorted(path.name for path in run.iterdir())
    assert files == ["config.toml", "genotypes.vcf", "log.jsonl", "true.trees", "truth.json"]


def test_config_rebuilds_the_run(run: Path) -> None:
    assert read_toml(run / "config.toml", SimulateGenealogyConfig) == SMALL


def test_vcf_says_what_the_tree_sequence_says(run: Path) -> None:
    tree_sequence = tskit.load(run / "true.trees")
    truth = {int(v.site.position): v for v in tree_sequence.variants()}
    lines = (run / "genotypes.vcf").read_text().splitlines()
    assert "##contig=<ID=1,length=50000>" in lines
    records = [line.split("\t") for line in lines if not line.startswith("#")]
    assert len(records) > 50
    for record in records:
        variant = truth[int(record[1]) - 1]
        assert record[3] == variant.site.ancestral_state
        assert record[7] == f"AA={record[3]}"
        called = [(record[3], record[4])[int(a)] for call in record[9:] for a in call.split("|")]
        assert called == list(variant.states())
        assert len(set(called)) == 2


def test_truth_counts_what_is_in_the_files(run: Path) -> None:
    truth = json.loads((run / "truth.json").read_text())
    tree_sequence = tskit.load(run / "true.trees")
    num_records = sum(
        not line.startswith("#") for line in (run / "genotypes.vcf").read_text().splitlines()
    )
    assert truth["num_sites"] == num_records
    assert truth["num_sites"] + truth["num_sites_dropped"] == tree_sequence.num_sites
    assert truth["num_trees"] == tree_sequence.num_trees
    assert truth["diversity_per_base_pair"] == pytest.approx(tree_sequence.diversity(), rel=0.02)
    assert set(truth["demography"]["population_size"]) == {10_000.0}


def test_existing_run_is_kept_without_force(run: Path) -> None:
    with pytest.raises(FileExistsError, match="--force"):
        run_simulate_genealogy(run, SMALL, force=False)


def test_same_seed_same_genomes() -> None:
    first, second = simulate_genealogy(SMALL), simulate_genealogy(SMALL)
    np.testing.assert_array_equal(first[1], second[1])
    assert first[0].equals(second[0], ignore_provenance=True)


def test_haploid_samples_keep_the_diploid_time_scale() -> None:
    """A haploid sample of the same seed has the same genealogy, one individual per haplotype."""
    diploid, _, _ = simulate_genealogy(SMALL)
    haploid, _, _ = simulate_genealogy(
        SimulateGenealogyConfig(haplotypes=6, ploidy=1, sequence_length=50_000, seed=3)
    )
    assert haploid.num_individuals == 6
    assert diploid.num_individuals == 3
    np.testing.assert_allclose(haploid.nodes_time, diploid.nodes_time)


def test_haploid_calls_have_one_allele(tmp_path: Path) -> None:
    config = SimulateGenealogyConfig(haplotypes=3, ploidy=1, sequence_length=20_000)
    run_simulate_genealogy(tmp_path / "run", config, force=False)
    last = (tmp_path / "run" / "genotypes.vcf").read_text().splitlines()[-1].split("\t")
    assert len(last) == 12
    assert set(last[9:]) == {"0", "1"}


def test_genotype_errors_flip_the_asked_fraction() -> None:
    config = SimulateGenealogyConfig(sequence_length=200_000, genotype_error=0.05)
    tree_sequence, haplotypes, positions = simulate_genealogy(config)
    clean = {int(v.site.position): v.genotypes for v in tree_sequence.variants()}
    flipped = np.array([clean[p] for p in positions]) != haplotypes
    assert flipped.mean() == pytest.approx(0.05, abs=0.01)


def test_every_site_segregates_after_errors() -> None:
    config = SimulateGenealogyConfig(haplotypes=4, sequence_length=100_000, genotype_error=0.2)
    _, haplotypes, positions = simulate_genealogy(config)
    derived = haplotypes.sum(axis=1)
    assert len(derived) == len(positions)
    assert derived.min() >= 1
    assert derived.max() <= 3


def test_no_mutations_give_no_sites() -> None:
    _, haplotypes, positions = simulate_genealogy(
        SimulateGenealogyConfig(haplotypes=4, sequence_length=1_000, mutation_rate=0.0)
    )
    assert haplotypes.shape == (0, 4)
    assert positions.shape == (0,)


@pytest.mark.parametrize(
    ("name", "times", "sizes"),
    [
        ("constant", [0, 1e5], [1e4, 1e4]),
        ("bottleneck", [500, 1500, 2500], [1e4, 1e3, 1e4]),
        ("growth", [0, 1000, 3000], [1e5, 1e5 / np.sqrt(10), 1e4]),
        ("zigzag", [0, 1e5], [71_560, 7_156]),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_demographies_scale_with_the_population_size(
    name: str, times: list[float], sizes: list[float], scale: float
) -> None:
    config = SimulateGenealogyConfig(demography=name, population_size=1e4 * scale)
    seen = demography(config).debug().population_size_trajectory(np.array(times) * scale)[:, 0]
    np.testing.assert_allclose(seen, np.array(sizes) * scale, rtol=1e-3)


def test_zigzag_turns_tenfold() -> None:
    """The published history swings between N0 / 2 and 5 N0."""
    config = SimulateGenealogyConfig(demography="zigzag")
    turns = np.array([0.00058226, 0.00232905, 0.00931619, 0.0372648, 0.149059]) * 4 * 14_312
    sizes = demography(config).debug().population_size_trajectory(turns)[:, 0] / 14_312
    np.testing.assert_allclose(sizes, [5, 0.5, 5, 0.5, 5], rtol=2e-3)


def test_missing_msprime_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msprime", None)
    with pytest.raises(ImportError, match=r'pip install "escapement-jax\[simulate\]"'):
        simulate_genealogy(SMALL)
