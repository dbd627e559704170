"""The tables of the README are made from whatever results are there."""

import json

from benchmarks.elm import tables

ROW = {
    "name": "spike-slab",
    "test_r2": [0.24, 0.25],
    "slope": [float("nan"), 0.9],
    "r2": [float("nan"), 0.86],
    "found": [0.0, 12.0],
    "true": [0.0, 11.0],
    "cpu_seconds": 1.25,
}
TRIPLE = {
    "heritability": 0.5,
    "seed": 0,
    "found": 17.0,
    "true": 16.0,
    "test_r2": 0.47,
    "additive_test_r2": 0.23,
    "cpu_seconds": 0.5,
}
SCAN = {"loci": 10, "pairs": 45, "individuals": 9, "cpu_seconds": 0.1, "pairs_per_second": 4.5e6}


def test_methods_become_lines_and_unknown_numbers_dashes():
    text = tables.anchors_tables(
        {
            "published": {"0.25": [ROW]},
            "triples": [TRIPLE],
            "pair_scan": SCAN,
            "pair_scan_machine_load": 1.0,
        }
    )
    assert "| spike-slab | .240 .250 | .900 | .860 | 0/0 12/11 | 1.25 |" in text
    assert "| 0.5 | 16.0 of 21 | 17.0 | 0.230 | 0.470 | 0.50 |" in text
    assert "4.5e+06 pairs per CPU second" in text


def test_only_results_that_are_there_make_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    assert tables.tables() == "\n"
    run = {
        "name": "Table 1",
        "published_r2": None,
        "test_correlation_squared": [0.99, 0.98],
        "pair_slope": [float("nan"), 0.86],
        "pair_r2": [float("nan"), 0.95],
        "pair_correlation_squared": [float("nan"), 0.96],
    }
    (tmp_path / "elm_reproduction.json").write_text(json.dumps({"runs": [run]}))
    assert "| Table 1 | .990 .980 |  | .860 | .950 | .960 |" in tables.tables()


def test_false_discoveries_are_pooled_over_data_sets():
    data = {
        "coverage_pairs": [0.95, 0.94],
        "coverage_additive": [0.96, 0.95],
        "found": [0, 20],
        "false": [0, 1],
        "pair_r2": [float("nan"), 0.9],
        "test_r2": [0.24, 0.23],
    }
    text = tables.calibration_table(
        {"settings": {"learner": "regression", "heritability": 0.25}, "data_sets": [data, data]}
    )
    assert "2 of 40 (5.0%)" in text


def test_without_pytorch_only_our_side_is_shown():
    mine = {"cpu_seconds": 26.0, "epochs": 51, "extraction_cpu_seconds": 0.14}
    text = tables.recipe_table({"ours": mine, "torch": None, "heritability": 1.0})
    assert "| one replicate | - | 26 |" in text
