import csv
import json

import numpy as np

from escapement_jax.elm.method_table import compare_methods
from escapement_jax.io.elm_results import (
    write_additive,
    write_anchors,
    write_epistatic,
    write_summary,
    write_truth,
    write_variance_components,
)
from tests.reference.random_effects import random_effects, random_study, random_truth


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_additive_effects_have_the_columns_of_the_contract_first(tmp_path):
    effects = random_effects()
    write_additive(tmp_path / "additive.csv", effects)
    rows = rows_of(tmp_path / "additive.csv")
    assert list(rows[0])[:4] == ["trait", "locus", "effect", "stderr"]
    assert len(rows) == 12
    assert (rows[7]["trait"], rows[7]["locus"]) == ("yield", "b")
    assert float(rows[7]["effect"]) == np.float64(f"{float(effects.additive.effect[1, 1]):.9g}")


def test_pairs_have_the_columns_of_the_contract_first(tmp_path):
    effects = random_effects()
    write_epistatic(tmp_path / "epistatic.csv", effects)
    rows = rows_of(tmp_path / "epistatic.csv")
    expected = ["trait", "locus_i", "locus_j", "effect", "stderr", "p_value", "q_value"]
    assert list(rows[0])[:7] == expected
    assert len(rows) == 30
    assert (rows[16]["trait"], rows[16]["locus_i"], rows[16]["locus_j"]) == ("yield", "a", "c")
    assert "kind" not in rows[0]


def test_diploids_have_the_kind_of_each_effect_last(tmp_path):
    effects = random_effects(dominance=True)
    write_additive(tmp_path / "additive.csv", effects)
    write_epistatic(tmp_path / "epistatic.csv", effects)
    additive, pairs = rows_of(tmp_path / "additive.csv"), rows_of(tmp_path / "epistatic.csv")
    assert [row["kind"] for row in additive[:6]] == ["A", "A", "A", "D", "D", "D"]
    assert list(pairs[0])[-1] == "kind"
    assert {row["kind"] for row in pairs} == {"AxA", "AxD", "DxD"}


def test_variance_shares_add_up_to_one(tmp_path):
    write_variance_components(tmp_path / "variance.csv", random_effects())
    rows = rows_of(tmp_path / "variance.csv")
    assert sum(float(row["share"]) for row in rows if row["trait"] == "yield") == 1.0


def test_methods_leave_empty_what_is_unknown(tmp_path):
    effects = random_effects()
    rows = compare_methods(effects, None, name="debiased", cpu_seconds=2.0)
    write_anchors(tmp_path / "methods.csv", rows, effects.trait_names)
    table = rows_of(tmp_path / "methods.csv")
    assert [row["method"] for row in table] == ["debiased"] * 2 + ["pairwise"] * 2
    assert table[0]["slope"] == ""
    assert float(table[3]["test_r2"]) == 0.6


def test_the_truth_is_written_in_the_columns_of_a_decomposition(tmp_path):
    write_truth(tmp_path, random_study())
    pairs = rows_of(tmp_path / "epistatic.csv")
    assert list(pairs[0]) == ["trait", "locus_i", "locus_j", "effect", "stderr"]
    assert [row["locus_i"] for row in pairs] == ["locus_1", "locus_3", "locus_5"]
    assert float(pairs[0]["effect"]) == random_truth().interaction_effect[0]
    assert len(rows_of(tmp_path / "additive.csv")) == 12


def test_unknown_numbers_become_null(tmp_path):
    write_summary(tmp_path / "summary.json", {"a": [1.0, float("nan")], "b": np.array([np.inf, 2])})
    assert json.loads((tmp_path / "summary.json").read_text()) == {"a": [1.0, None], "b": [None, 2]}
