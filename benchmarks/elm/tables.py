"""Markdown tables of the README, from the JSON of the benchmarks.

python -m benchmarks.elm.tables
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parents[1] / "results"
TARGET_TEST_R2 = (0.235, 0.24, 0.23, 0.21, 0.22)
TARGET_PAIR_R2 = (0.85, 0.93, 0.93, 0.95)


def tables() -> str:
    """All tables whose results are there, with a heading each."""
    makers = {
        "elm_anchors.json": anchors_tables,
        "elm_reproduction.json": reproduction_table,
        "elm_calibration.json": calibration_table,
        "elm_source_recipe.json": recipe_table,
    }
    found = []
    for name, make in makers.items():
        path = RESULTS / name
        if path.exists():
            found.append(make(json.loads(path.read_text(encoding="utf-8"))))
    return "\n\n".join(found) + "\n"


def anchors_tables(result: dict[str, Any]) -> str:
    """Methods on the published data, the scan of triples, the speed of the scan of pairs."""
    blocks = []
    for heritability, rows in result["published"].items():
        blocks.append(
            f"**Regressions on the published data, H2 = {heritability}** (T1-T5; pairs: T2-T5)\n\n"
            + _table(
                ("method", "test R2", "pair slope", "pair R2", "found / true", "CPU s"),
                [_method(row) for row in rows],
            )
        )
    blocks.append(
        "Targets at H2 = 0.25 (spike-slab): test R2 >= "
        f"{_list(TARGET_TEST_R2)}; pair R2 >= {_list(TARGET_PAIR_R2)}."
    )
    blocks.append(_triples(result["triples"]))
    scan = result["pair_scan"]
    blocks.append(
        f"Pair scan: {scan['pairs_per_second']:.2g} pairs per CPU second ({scan['loci']:,} loci, "
        f"{scan['individuals']:,} individuals; target 4e+06; load of the shared two-core "
        f"machine {result['pair_scan_machine_load']:.0f})."
    )
    return "\n\n".join(blocks)


def reproduction_table(result: dict[str, Any]) -> str:
    """Tables 1 and 2 of the publication beside ours."""
    rows = []
    for run in result["runs"]:
        rows.append(
            (
                run["name"],
                _list(run["test_correlation_squared"]),
                _list(run["published_r2"]) if run["published_r2"] else "",
                _list(run["pair_slope"][1:]),
                _list(run["pair_r2"][1:]),
                _list(run["pair_correlation_squared"][1:]),
            )
        )
    heading = ("run", "r2 T1-T5", "published", "pair slope T2-T5", "pair R2", "squared correlation")
    return "**The published recipe, rerun**\n\n" + _table(heading, rows)


def calibration_table(result: dict[str, Any]) -> str:
    """Coverage and false discoveries, pooled over data sets."""
    data = result["data_sets"]
    arrays = {name: np.array([row[name] for row in data], dtype=float) for name in data[0]}
    found, false = arrays["found"], arrays["false"]
    rows = [
        ("95 % intervals of pairs", f"{arrays['coverage_pairs'].mean():.3f}", ".93-.97"),
        (
            "95 % intervals of additive effects",
            f"{arrays['coverage_additive'].mean():.3f}",
            ".93-.97",
        ),
        (
            "false discoveries at BH 5 %, pooled",
            f"{false.sum():.0f} of {found.sum():.0f} ({false.sum() / max(found.sum(), 1):.1%})",
            "<= 7 %",
        ),
        (
            "found for the additive trait",
            f"{found[:, 0].sum():.0f} in {len(data)} data sets",
            "about 0",
        ),
        ("pair R2 T2-T5, mean", _list(arrays["pair_r2"].mean(axis=0)[1:]), _list(TARGET_PAIR_R2)),
        ("test R2 T1-T5, mean", _list(arrays["test_r2"].mean(axis=0)), ""),
    ]
    settings = result["settings"]
    told = f"(learner {settings['learner']}, H2 = {settings['heritability']})"
    title = f"**Calibration over {len(data)} simulated data sets** {told}"
    return f"{title}\n\n" + _table(("quantity", "measured", "target"), rows)


def recipe_table(result: dict[str, Any]) -> str:
    """CPU seconds of the published recipe and of ours."""
    mine, torch = result["ours"], result["torch"]
    rows = [
        ("one replicate", torch, "cpu_seconds", "cpu_seconds"),
        ("epochs trained", torch, "epochs", "epochs"),
        (
            "reading 1,500 x 5 sensitivities",
            torch,
            "sensitivity_cpu_seconds",
            "extraction_cpu_seconds",
        ),
    ]
    lines = [
        (name, "-" if theirs is None else f"{theirs[key]:.3g}", f"{mine[own]:.3g}")
        for name, theirs, key, own in rows
    ]
    title = f"**CPU seconds in one thread, H2 = {result['heritability']:g}**"
    cut = result.get("max_epochs", 100) < 100
    note = "(both cut short; ours includes reading and reporting)" if cut else ""
    return f"{title} {note}\n\n" + _table(("", "PyTorch", "escapement"), lines)


def _method(row: dict[str, Any]) -> tuple[str, ...]:
    counts = [
        f"{found:.0f}/{true:.0f}"
        for found, true in zip(row["found"], row["true"], strict=True)
        if found == found
    ]
    return (
        row["name"],
        _list(row["test_r2"]),
        _list(row["slope"][1:]),
        _list(row["r2"][1:]),
        " ".join(counts) or "-",
        f"{row['cpu_seconds']:.2f}",
    )


def _triples(rows: list[dict[str, Any]]) -> str:
    lines = []
    for heritability in sorted({row["heritability"] for row in rows}, reverse=True):
        chosen = [row for row in rows if row["heritability"] == heritability]
        mean = {key: float(np.mean([row[key] for row in chosen])) for key in chosen[0]}
        lines.append(
            (
                f"{heritability:g}",
                f"{mean['true']:.1f} of 21",
                f"{mean['found']:.1f}",
                f"{mean['additive_test_r2']:.3f}",
                f"{mean['test_r2']:.3f}",
                f"{mean['cpu_seconds']:.2f}",
            )
        )
    heading = ("H2", "true found", "found", "test R2 additive", "test R2 with triples", "CPU s")
    title = "**Exhaustive scan of 41,664 triples** (means over data sets; target >= 16 in <= 1 s)"
    return f"{title}\n\n" + _table(heading, lines)


def _list(values: Any) -> str:
    return " ".join(
        "-" if v is None or v != v else f"{v:.3f}".replace("0.", ".", 1) for v in values
    )


def _table(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heading, ("---",) * len(heading), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


if __name__ == "__main__":
    print(tables())
