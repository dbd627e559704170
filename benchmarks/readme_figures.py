"""Write the figures of the README from the committed result files."""

import json
from pathlib import Path
from typing import Any

from benchmarks.accuracy.peers_table import markdown_table

REPOSITORY = Path(__file__).parent.parent
RESULTS = REPOSITORY / "benchmarks" / "results"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
PEERS = ("escapement", "tsinfer_tsdate", "baseline_window")
PEER_SCORES = (
    "num_draws",
    "rmse",
    "bias",
    "crps",
    "coverage95",
    "calibration_error",
    "tpr",
    "breakpoint_ratio",
    "size_rmse",
    "reported_size_rmse",
    "compiled_cpu_seconds",
)
METHODS = ("threading", "threading_disjoint_pairs", "exact_disjoint_pairs")
MEASURES = {
    "root mean square error": "rmse",
    "bias": "bias",
    "correlation": "r",
    "CRPS": "crps",
    "coverage of the 95 % interval": "coverage95",
}


def main() -> None:
    """Replace the figures in the README."""
    readme = REPOSITORY / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(before + BEGIN + "\n" + figures() + END + after, encoding="utf-8")


def figures() -> str:
    """Return the part of the README between its two marks."""
    return "\n\n".join([_accuracy(), _peers(), _no_data(), _cost(), _demo()]) + "\n"


def _load(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def _with_error(score: dict[str, float]) -> str:
    return f"{score['mean']:.3f} ± {score['stderr']:.3f}"


def _accuracy() -> str:
    result = _load("threading_accuracy")
    pooled, seeds = result["pooled"], len(result["settings"]["seeds"])
    attainable = pooled["threading"]["coverage95_attainable"]["mean"]
    rows = [
        f"| {label} | "
        + " | ".join(_with_error(pooled[method][measure]) for method in METHODS)
        + " |"
        for label, measure in MEASURES.items()
    ]
    return "\n".join(
        [
            "**Pairwise coalescence times** (log10 generations), `threading_accuracy.json`, mean ±",
            f"standard error over {seeds} data sets; a perfect sampler with as many draws covers",
            f"{attainable:.3f}:",
            "",
            "| | one pass, all pairs | one pass, disjoint pairs "
            "| exact posterior of each disjoint pair alone |",
            "|---|---|---|---|",
            *rows,
        ]
    )


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


if __name__ == "__main__":
    main()
