"""What the README shows of genealogy, from the committed result files."""

import json
from pathlib import Path
from typing import Any

from benchmarks.accuracy.look_ahead_tables import (
    both_sides_sentence,
    documents_sentence,
    encoder_speed_sentence,
    encoder_table,
    estimator_table,
    look_ahead_table,
    threading_encoder_table,
)
from benchmarks.accuracy.peers_table import markdown_table

RESULTS = Path(__file__).parents[1] / "results"
PEERS = ("escapement", "tsinfer_tsdate", "baseline_window")
PEER_SCORES = (
    "num_draws",
    "rmse",
    "bias",
    "crps",
    "coverage95",
    "calibration_error",
    "calibration_error_pooled",
    "tpr",
    "breakpoint_ratio",
    "size_rmse",
    "reported_size_rmse",
    "compiled_cpu_seconds",
)
STARTS = {
    "truth": "the true graph",
    "pass": "a sequential pass",
    "rarer": "a pass with recombination 0.1 times as frequent (default)",
}
MIXING = {
    "log joint density above the truth's": ("log_density_above_truth", ".0f"),
    "recombinations over the truth's": ("records_over_truth", ".2f"),
    "bias": ("bias", ".3f"),
    "RMSE": ("rmse", ".3f"),
    "spread of chains": ("spread", ".3f"),
}


def tables() -> str:
    """Return tables and sentences in Markdown."""
    sections = [_peers(), _mixing(), look_ahead_table(), look_ahead_table("look_ahead_rare_start")]
    sections += [both_sides_sentence()]
    sections += [threading_encoder_table(), encoder_table(), documents_sentence()]
    sections += [estimator_table(), encoder_speed_sentence(), _no_data(), _cost(), _demo()]
    return "\n\n".join(sections)


def _load(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def _peers() -> str:
    rows = [row for row in _load("peers")["pooled"] if row["tool"] in PEERS]
    return "\n".join(
        [
            "**Side by side**, `peers.json`, mean ± standard error over data sets of S draws each:",
            "other histories, 1 % of alleles flipped (`err1`), and four times the recombination",
            "that methods are told (`rho4`). `baseline_window` counts differences near a position.",
            "",
            *markdown_table(rows, PEER_SCORES),
        ]
    )


def _mixing() -> str:
    pooled = _load("mixing")["pooled"]
    last = max(row["sweep"] for row in pooled)
    chosen = [row for row in pooled if row["sweep"] in (0, last)]
    rows = [
        f"| {STARTS[row['start']]} | {row['sweep']} | "
        + " | ".join(
            f"{row[name]:{form}} ± {row[name + '_stderr']:{form}}" for name, form in MIXING.values()
        )
        + " |"
        for row in chosen
    ]
    return "\n".join(
        [
            f"**Mixing**, `mixing.json`: {chosen[0]['seeds']} data sets drawn from the model, of",
            "20 haplotypes and 200 kb, so that nothing but the sampler can be wrong; log10 TMRCA.",
            "Chains that start at the truth stay in law; the others should meet them:",
            "",
            "| chains start at | sweeps | " + " | ".join(MIXING) + " |",
            "|---|---|" + "---|" * len(MIXING),
            *rows,
        ]
    )


def _no_data() -> str:
    result = _load("no_data")
    first, last = result["figures"][0], result["figures"][-1]
    evidence = result["log_evidence_per_megabase"]
    return "\n".join(
        [
            "**Without data** the draws should be Kingman's coalescent, and log Z should be 0.",
            f"`no_data.json`, {result['settings']['haplotypes']} haplotypes: log Z of "
            f"{evidence['mean']:.1f} ± {evidence['stderr']:.1f} per Mb; largest",
            "difference of the distributions of pairwise coalescence times "
            f"{first['kolmogorov_distance']:.3f} ± {first['kolmogorov_stderr']:.3f}",
            f"after the pass, {last['kolmogorov_distance']:.3f} ± {last['kolmogorov_stderr']:.3f} "
            f"after {last['sweeps']} Gibbs sweeps.",
        ]
    )


def _cost() -> str:
    results = _load("threading_speed")["results"]
    cases = [
        f"{result['case']['length'] / 1e6:g} Mb, {result['case']['draws']} draws"
        for result in results
    ]
    lines = {
        "CPU seconds of a pass, compiled": [r["second_call"]["cpu_seconds"] for r in results],
        "CPU seconds of compilation": [r["compile_cpu_seconds"] for r in results],
        "peak memory, MB": [r["peak_memory_mb"] for r in results],
    }
    rows = [
        f"| {label} | " + " | ".join(f"{value:,.0f}" for value in values) + " |"
        for label, values in lines.items()
    ]
    header = ["| | " + " | ".join(cases) + " |", "|---|" + "---|" * len(cases)]
    return "\n".join(["**Cost**, `threading_speed.json`, 20 haplotypes:", "", *header, *rows])


def _demo() -> str:
    summary = _load("demo_summary")
    seconds = summary["seconds"]["compile"] + summary["seconds"]["run"]
    return (
        f"The demo above took {seconds:,.0f} seconds ({summary['seconds']['compile']:.0f} of them "
        f"compiling) and {summary['peak_memory_mb']:,.0f} MB\non 2 CPU cores; its summary is "
        "`demo_summary.json`."
    )
