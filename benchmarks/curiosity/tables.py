"""Markdown tables of the README, made from the results beside.

python -m benchmarks.curiosity.tables
"""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "results"
PUBLISHED_CPU_SECONDS = 318
"""Of the published search, 5,000 rollouts, mean of three seeds on the machine of these results."""

TARGETS = ("fig4", "fig5", "fig6", "fig7", "fig8", "fig9")


def tables() -> str:
    """Return the tables of searches, of goal reaching and of the stiff model as Markdown."""
    return "\n\n".join([search_table(), goal_table(), stiff_table()])


def search_table() -> str:
    """Return oscillators and bins of every search that has been measured."""
    lines = [
        "| search | rollouts | oscillators | bins, published extent | of feasible bins | CPU s |",
        "|---|---|---|---|---|---|",
        f"| AutoDiscJax IMGEP, as published (3 seeds) | 5,000 | 1,421 ± 209 | 653 ± 60 | 22 % | "
        f"{PUBLISHED_CPU_SECONDS} |",
    ]
    names = {
        "imgep": "the same algorithm here (`imgep`, Euler)",
        "black_box": "`frontier`, random starts",
        "default": "`frontier` (default)",
        "large": "`frontier`",
    }
    for name, title in names.items():
        result = _read(name)
        if result is not None:
            lines.append(_search_row(title, result))
    return "\n".join(lines)


def goal_table() -> str:
    """Return the published losses of the six targets, and those reached here."""
    result = _read("goal_reaching")
    if result is None:
        return ""
    header = " | ".join(f"fig. {name.removeprefix('fig')}" for name in TARGETS)
    lines = [f"| | rollouts | {header} | mean |", "|---|---|" + "---|" * (len(TARGETS) + 1)]
    published = {
        "gradient_descent_5000": ("published: gradient descent", "5,000"),
        "imgep_and_100": ("published: IMGEP + descent", "5,100"),
    }
    for name, (title, rollouts) in published.items():
        losses = result["published"][name]
        lines.append(_goal_row(title, rollouts, losses))
    measured = {
        "gradients_alone": "multi-start descent alone",
        "5100_rollouts": "`frontier` + least squares",
        "9000_rollouts": "`frontier` + least squares",
    }
    for name, title in measured.items():
        losses = [result[name]["mean"][target] for target in TARGETS]
        lines.append(_goal_row(title, f"{result[name]['rollouts']:,}", losses))
    return "\n".join(lines)


def stiff_table() -> str:
    """Return time and error of the stiff model."""
    result = _read("stiff_model")
    if result is None:
        return ""
    lines = [
        "| BioModel 647, 100 rollouts of 2,500 s | CPU s | rollouts off by 1 % | largest error |",
        "|---|---|---|---|",
        f"| published solver (float32) | {result['published_solver']['cpu_seconds']} | "
        f"{result['published_solver']['members_off_by_1_per_cent']} | 0.12 |",
    ]
    for row in result["measured"]:
        default = " (default)" if row["order"] == 3 else ""
        lines.append(
            f"| Kvaerno, order {row['order']}{default} | {row['cpu_seconds']:.2f} | "
            f"{row['members_off_by_1_per_cent']} | {row['largest_error']:.1e} |"
        )
    return "\n".join(lines)


def _search_row(title: str, result: dict[str, Any]) -> str:
    mean, spread = result["mean"], result["deviation"]
    oscillators, bins = "oscillators", "bins_published_extent"
    if "oscillators_published_rule" in mean and title.startswith("the same"):
        oscillators, bins = "oscillators_published_rule", "bins_published_rule"
    cells = [
        f"{title}, {len(result['runs'])} seeds",
        f"{result['rollouts']:,}",
        f"{mean[oscillators]:,.0f} ± {spread[oscillators]:,.0f}",
        f"{mean[bins]:,.0f} ± {spread[bins]:,.0f}",
        f"{mean['percent_of_feasible']:.0f} %",
        f"{mean['cpu_seconds']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def _goal_row(title: str, rollouts: str, losses: list[float]) -> str:
    cells = [title, rollouts, *(f"{loss:.2f}" for loss in losses)]
    return f"| {' | '.join(cells)} | {sum(losses) / len(losses):.2f} |"


def _read(name: str) -> dict[str, Any] | None:
    path = RESULTS / f"curiosity_{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


if __name__ == "__main__":
    print(tables())
