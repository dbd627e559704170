"""What the README shows of look-ahead and of the learned posterior, from the result files."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
FAMILIES = {
    "no_look_ahead": "none",
    "look_ahead_16": "copying model, 16 bins merged",
    "look_ahead_4": "copying model, 4 bins merged",
    "look_ahead_1": "copying model, exact",
    "encoder_from_scratch": "encoder from scratch",
    "encoder_distilled": "encoder distilled from the copying model first",
    "encoder_on_look_ahead_4": "encoder on top of 4 bins merged",
    "encoder_from_true_trees": "encoder started from the true trees' topologies",
}


def look_ahead_table() -> str:
    """Return what threading gains by look-ahead."""
    found = _load("look_ahead")
    settings = found["settings"]
    title = (
        f"**Look-ahead** in threading, `look_ahead.json`: a pass of {settings['draws']} draws with "
        f"recombination as told,\n{settings['haplotypes']} haplotypes, "
        f"{settings['length'] // 1000} kb, {len(settings['seeds'])} data sets, and Gibbs sweeps "
        "after it:"
    )
    header = (
        "look-ahead",
        "sweeps",
        "bound gained, nats",
        "sd of log weight",
        "bias",
        "RMSE",
        "CRPS",
        "cover 80 %",
        "CPU s",
    )
    windows = settings["length"] / 1e5
    return "\n".join([title, "", *_table(header, [_row(r, windows) for r in found["pooled"]])])


def _row(row: dict[str, Any], windows: float) -> tuple[str, ...]:
    gain = deviation = ""
    if not row["sweep"]:
        gain = (
            f"{windows * row['gain_per_100kb']:+.1f} ± {windows * row['gain_per_100kb_stderr']:.1f}"
        )
        deviation = f"{row['sd_log_weight']:.1f}"
    return (
        row["method"],
        str(row["sweep"]),
        gain,
        deviation,
        f"{row['bias']:.3f} ± {row['bias_stderr']:.3f}",
        f"{row['rmse']:.3f}",
        f"{row['crps']:.3f}",
        f"{row['coverage80']:.2f}",
        f"{row['cpu_seconds_median']:.0f}",
    )


def encoder_table() -> str:
    """Return how near twisted chains come to the evidence of the copying model."""
    found = _load("encoder_gap")
    families = {name: found["families"][name] for name in FAMILIES if name in found["families"]}
    title = (
        f"**Learned posterior** of the copying model, `encoder_gap.json`: nats to the evidence on "
        f"one data set of\n8 haplotypes, 100 kb and {found['sites']} sites, one seed:"
    )
    header = ("look-ahead", "gap", "at the start", "steps", "steps to 5 nats", "CPU s")
    rows = [(FAMILIES[name], *_gap(family)) for name, family in families.items()]
    return "\n".join([title, "", *_table(header, rows)])


def _gap(family: dict[str, Any]) -> tuple[str, ...]:
    gap = f"{family['gap']:.2f}"
    if "steps" not in family:
        return gap, "", "", "", ""
    seconds = family["cpu_seconds"] + family["cpu_seconds_warm_start"]
    start = f"{family['gap_at_start']:.1f}"
    return gap, start, str(family["steps"]), str(family["steps_until_5_nats"]), f"{seconds:.0f}"


def _load(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [header, ("---",) * len(header), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
