"""Markdown tables for the README from the committed results of both benchmarks."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
ROWS = {
    "known": "known law, no noise",
    "unknown": "unknown law (spline), no noise",
    "frozen": "reactions frozen with errors",
    "neural": "neural reactions frozen, wrong law",
    "noise": "noise",
    "large": "400 metabolites, 1,024 reactions",
}
# allierc/MetabolismGraph, commit ec4f8e9: the best of 136 runs of phase 1, and the
# only figure of phase 2 without labels that it reports (rollouts of 32 steps).
PUBLISHED = {"rate_constants_R2": 0.869, "avg_slope_ratio": 0.38}


def tables() -> str:
    """Return all tables whose results are there."""
    return "\n\n".join(part for part in (accuracy(), recipe()) if part) + "\n"


def accuracy() -> str:
    """Return the worst of all networks in every group of cases."""
    lines = []
    for row, label in ROWS.items():
        for name, cases in _grouped(_cases(row)).items():
            lines.append(_accuracy_line(", ".join(filter(None, (label, name))), cases))
    if not lines:
        return ""
    header = (
        "| case | networks | R² of rates that can be known | pooled slope ratios | types found | "
        "accuracy of types | 95 % intervals hold (rates, slopes, offsets) | held-out error | "
        "CPU s |"
    )
    return "\n".join(
        [
            "Worst network of each case, `homeostasis_*.json`; labels are for scoring alone.",
            "CPU seconds with compilation where it was measured once only. Held-out error: of",
            "10 time units from another start, over the spread of the truth.",
            "",
            header,
            "|---|---|---|---|---|---|---|---|---|",
            *lines,
        ]
    )


def recipe() -> str:
    """Return recovery beside the published recipe on the same data."""
    path = RESULTS / "homeostasis_recipe.json"
    if not path.exists():
        return ""
    result = json.loads(path.read_text(encoding="utf-8"))
    settings = result["settings"]
    lines = [_recipe_line(name, case) for name, case in result["cases"].items()]
    blank = " | ".join(["–"] * 3)
    lines.append(
        f"| published figures | {PUBLISHED['avg_slope_ratio']} | {blank} | "
        f"{PUBLISHED['rate_constants_R2']} | – | – |"
    )
    return "\n".join(
        [
            f"Published benchmark, network {result['seed']}, the published metrics; "
            f"`homeostasis_recipe.json`. The recipe had {settings['phase_one_steps']:,} steps of",
            f"phase 1 and trials of {settings['phase_two_steps']:,} steps of phase 2; the trial "
            "shown has the highest label-free reward, the range is over all trials.",
            "",
            "| method | avg_slope_ratio | over trials | accuracy of types | silhouette | "
            "rate_constants_R2 | a perfect fit has | CPU s |",
            "|---|---|---|---|---|---|---|---|",
            *lines,
        ]
    )


def _cases(row: str) -> list[dict[str, Any]]:
    path = RESULTS / f"homeostasis_{row}.json"
    return json.loads(path.read_text(encoding="utf-8"))["cases"] if path.exists() else []


def _grouped(cases: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for case in cases:
        parts = []
        if "law" in case:
            parts.append(str(case["law"]))
        if "outliers" in case:
            parts.append(f"{case['outliers']} outliers")
        if "relative_noise" in case:
            parts.append(f"{case['relative_noise']:.0%}")
        groups.setdefault(", ".join(parts), []).append(case)
    return groups


def _accuracy_line(label: str, cases: list[dict[str, Any]]) -> str:
    ratios = [ratio for case in cases for ratio in case["pooled_slope_ratios"]]
    covered = [
        f"{sum(case['coverage'][name] for case in cases) / len(cases):.2f}"
        for name in ("rates", "slopes", "offsets")
    ]
    noisy = any(case["chi_square"] is not None for case in cases)
    found = sorted({case["types_found"] for case in cases})
    held_out = max(case["held_out_normalised_rmse"] for case in cases)
    seconds = max(case["cpu_seconds"] for case in cases)
    return " | ".join(
        [
            f"| {label}",
            ", ".join(str(seed) for seed in sorted({case["seed"] for case in cases})),
            f"{min(case['identifiable_k_r2'] for case in cases):.6f}",
            f"{min(ratios):.4f} – {max(ratios):.4f}",
            ", ".join(map(str, found)),
            f"{min(case['accuracy'] for case in cases):.2f}",
            ", ".join(covered) if noisy else "–",
            f"{held_out:.2%}",
            f"{seconds:.1f} |",
        ]
    )


def _recipe_line(name: str, case: dict[str, Any]) -> str:
    scores = case["scores"]
    ratios = [trial["scores"]["avg_slope_ratio"] for trial in case.get("trials", ())]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}" if ratios else "–"
    silhouette = scores["embedding_silhouette"]
    return " | ".join(
        [
            f"| {name}",
            f"{scores['avg_slope_ratio']:.4f}",
            spread,
            f"{scores['embedding_cluster_acc']:.2f}",
            f"{silhouette:.2f}" if silhouette is not None else "–",
            f"{scores['rate_constants_R2']:.4f}",
            f"{scores['rate_constants_R2_ceiling']:.4f}",
            f"{case['cpu_seconds']:.0f} |",
        ]
    )


if __name__ == "__main__":
    print(tables())
