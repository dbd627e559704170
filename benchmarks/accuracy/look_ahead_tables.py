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
    "encoder_mainspring": "encoder pretrained on simulated genomes (Mainspring)",
}
TRAININGS = {
    "mainspring": "true graphs of simulated genomes (Mainspring)",
    "residual": "the same, on top of carriers (residual)",
    "distilled": "Gibbs draws of the same genomes (distilled)",
    "from_scratch": "its own bound (from scratch)",
}


def look_ahead_table(name: str = "look_ahead") -> str:
    """Return what threading gains by look-ahead."""
    found = _load(name)
    settings = found["settings"]
    factor = settings["start_recombination"]
    start = "as told" if factor == 1 else f"{factor:g} times as frequent, as `infer` starts"
    title = (
        f"**Look-ahead** in threading, `{name}.json`: a pass of {settings['draws']} draws with "
        f"recombination {start},\n{settings['haplotypes']} haplotypes, "
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


def both_sides_sentence() -> str:
    """Return how far the bound of a pass is from the evidence at most, with and without."""
    rows = {row["method"]: row for row in _load("look_ahead_both_sides")["pooled"]}
    apart = {
        name: f"{row['between']:.0f} ± {row['between_stderr']:.0f}" for name, row in rows.items()
    }
    return (
        "How far is that from the truth? In genomes drawn from the model the true graph is a "
        "posterior draw, and bounds log P from\nabove (`look_ahead_both_sides.json`, "
        f"{rows['none']['seeds']} data sets of the same size): the two sides are "
        f"{apart['none']} nats apart\nwithout look-ahead, {apart['carriers']} with carriers. "
        "Most of what a pass cannot know stays unknown to it; Gibbs sweeps are for that."
    )


def threading_encoder_table() -> str:
    """Return what the encoder gains in threading, by how it learned."""
    found = _load("threading_encoder")["pooled"]
    title = (
        "**The encoder in threading**, `threading_encoder.json`: 10 haplotypes, 100 kb, a pass of "
        "16 draws:"
    )
    rows = [
        (
            TRAININGS[row["family"]],
            str(row["seeds"]),
            _gained(row, "gain"),
            _gained(row, "gain_of_carriers"),
            f"{row['sd_none']:.1f}",
            f"{row['sd_encoder']:.1f}",
            f"{row['training_cpu']:.0f}",
        )
        for row in found
    ]
    header = (
        "learned from",
        "data sets",
        "bound gained, nats",
        "by carriers",
        "sd of log weight without",
        "with",
        "CPU s of training",
    )
    return "\n".join([title, "", *_table(header, rows)])


def _gained(row: dict[str, Any], name: str) -> str:
    error = row.get(f"{name}_stderr")
    return f"{row[name]:+.1f}" + ("" if error is None else f" ± {error:.1f}")


def documents_sentence() -> str:
    """Return how the source documents' training example ends."""
    found = _load("source_documents_summary")
    rules = " by the documents' own rules" if found["converged"] else ""
    return (
        "**The documents' example** (`configs/genealogy/source_documents.toml`), "
        f"{found['num_haplotypes']} samples and {found['num_sites']} sites, without look-ahead, "
        f"ends\nafter {found['steps']:,} steps{rules}, "
        f"{found['log_evidence'] - found['elbo']:.1f} nats below the evidence "
        f"({found['log_evidence']:,.1f}); `source_documents_summary.json`\nis the "
        "`summary.json` of that run."
    )


def estimator_table() -> str:
    """Return bias and variance of gradient estimators on the enumerable chain."""
    found = _load("gradient_estimators")
    title = (
        "**Gradient estimators** on chains that can be enumerated, `gradient_estimators.json`: "
        f"{found['draws']:,} draws;\nbias in standard errors (about 3 is chance), and variance "
        "summed over entries:"
    )
    rows = [
        (family, name, f"{row['bias_in_standard_errors']:.1f}", f"{row['variance']:.3g}")
        for family in ("factorised", "twisted")
        for name, row in found[family].items()
        if "bias_in_standard_errors" in row
    ]
    return "\n".join([title, "", *_table(("q", "estimator", "bias", "variance"), rows)])


def encoder_speed_sentence() -> str:
    """Return what a step through the encoder costs beside its PyTorch twin."""
    found = _load("encoder_step")
    seconds = found["cpu_seconds"]
    return (
        f"**A step of the encoder** and its gradient, `encoder_step.json`: "
        f"{found['haplotypes']} haplotypes, {found['sites']} sites, 64 channels, one\nCPU core: "
        f"{seconds['encoder_jax']:.1f} s, beside {seconds['encoder_torch']:.1f} s of the PyTorch "
        f"twin ({found['encoder_torch_over_jax']:.1f} times); with the bound and its gradient "
        f"{seconds['bound_jax']:.1f} s."
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
