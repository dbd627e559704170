import csv
import dataclasses
import json
import math

import numpy as np
import pytest
import tskit

from escapement_jax.genealogy.diagnostics.verdict import Convergence, Verdict
from escapement_jax.genealogy.predictive_checks import compare
from escapement_jax.io.genealogy_results import (
    write_allele_ages,
    write_demography,
    write_draws,
    write_metrics,
    write_summary,
)
from tests.reference.random_posterior import random_posterior


@pytest.fixture(scope="module")
def posterior():
    return random_posterior()


def read_csv(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_draws_are_tree_sequences(posterior, tmp_path):
    write_draws(tmp_path / "draws", posterior)
    assert len(list((tmp_path / "draws").iterdir())) == 4
    loaded = tskit.load(tmp_path / "draws" / "draw_0002.trees")
    assert loaded.equals(posterior.tree_sequence(2), ignore_timestamps=True)


def test_summary_has_every_key_and_no_nan(tmp_path):
    posterior = dataclasses.replace(random_posterior(num_draws=1), warnings=("few draws",))
    seconds = {"compile": 1.5, "run": 2.0}
    write_summary(tmp_path / "summary.json", posterior, seconds=seconds, peak_memory_mb=300.0)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary == {
        "elbo": pytest.approx(posterior.elbo),
        "elbo_stderr": None,
        "num_haplotypes": 6,
        "num_sites": 10,
        "sites_dropped": {},
        "num_draws": 1,
        "seconds": seconds,
        "peak_memory_mb": 300.0,
        "converged": True,
        "warnings": ["few draws"],
        "convergence": None,
        "learned": {},
        "predictive_checks": {},
    }


def test_summary_tells_the_verdict_and_the_checks(tmp_path):
    convergence = Convergence(2, 1.05, math.nan, math.nan, math.nan, 8.0, 8.0, 8.0, 1.0, 2.0, 3.0)
    posterior = dataclasses.replace(
        random_posterior(),
        warnings=("crowded bins",),
        verdict=Verdict(False, ("too few sweeps",), convergence),
    )
    edges, curves = np.arange(3.0), np.random.default_rng(1).normal(size=(20, 2))
    good = compare("diversity", edges, np.array([0.0, np.nan]), curves)
    bad = compare("linkage disequilibrium", edges, np.array([0.0, 50.0]), curves)
    write_summary(tmp_path / "summary.json", posterior, (good, bad), seconds={}, peak_memory_mb=1.0)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["converged"] is False
    assert summary["warnings"] == ["crowded bins", "too few sweeps", bad.warning]
    assert summary["convergence"]["steps"] == 2
    assert summary["convergence"]["r_hat_tmrca"] is None
    shown = summary["predictive_checks"]
    assert shown["diversity"]["passed"] is True
    assert shown["diversity"]["observed"] == [0.0, None]
    assert shown["linkage disequilibrium"]["p_value"] == pytest.approx(1 / 21)


def test_demography_has_the_columns_others_rely_on(posterior, tmp_path):
    write_demography(tmp_path / "demography.csv", posterior.population_size)
    text = (tmp_path / "demography.csv").read_text()
    assert text.startswith("time_generations,population_size,lower_95,upper_95\n0,")
    sizes = [float(row["population_size"]) for row in read_csv(tmp_path / "demography.csv")]
    np.testing.assert_allclose(sizes, posterior.population_size.population_size, rtol=1e-5)


def test_allele_ages_name_their_sites(posterior, tmp_path):
    ages = posterior.allele_ages()
    unknown = dataclasses.replace(ages, mean=np.where(np.arange(10) == 3, np.nan, ages.mean))
    write_allele_ages(tmp_path / "ages.csv", unknown, posterior.genotypes)
    rows = read_csv(tmp_path / "ages.csv")
    assert [int(row["start"]) for row in rows] == posterior.genotypes.positions.tolist()
    assert all(int(row["end"]) == int(row["start"]) + 1 for row in rows)
    assert rows[3]["mean"] == ""
    dated = [i for i, row in enumerate(rows) if row["mean"]]
    np.testing.assert_allclose([float(rows[i]["mean"]) for i in dated], ages.mean[dated], rtol=1e-5)


@pytest.mark.parametrize("seconds", [(), (0.1, 0.2, 0.3, 0.4, 0.5)])
def test_metrics_have_a_line_for_every_threading(posterior, tmp_path, seconds):
    timed = dataclasses.replace(posterior, threading_seconds=seconds)
    write_metrics(tmp_path / "metrics.jsonl", timed)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["haplotypes"] for line in lines] == [2, 3, 4, 5, 6]
    means = posterior.log_weights.mean(axis=0)
    np.testing.assert_allclose([line["log_z"] for line in lines], means)
    assert [line["seconds"] for line in lines] == (list(seconds) or [None] * 5)
