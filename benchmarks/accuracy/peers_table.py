"""The comparison as a table in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

# Heading, name of the score, digits after the point.
COLUMNS = (
    ("S", "num_draws", 0),
    ("RMSE", "rmse", 3),
    ("bias", "bias", 3),
    ("r", "r", 3),
    ("CRPS", "crps", 3),
    ("cover 50 %", "coverage50", 3),
    ("cover 95 %", "coverage95", 3),
    ("calibration error", "calibration_error", 3),
    ("pooled", "calibration_error_pooled", 3),
    ("RF", "rf", 3),
    ("resolution", "resolution", 2),
    ("ARF", "arf", 3),
    ("TPR", "tpr", 3),
    ("breakpoint ratio", "breakpoint_ratio", 2),
    ("N_e RMSE of draws", "size_rmse", 3),
    ("same, 10^3 to 4 10^4", "size_rmse_middle", 3),
    ("N_e RMSE reported", "reported_size_rmse", 3),
    ("same, 10^3 to 4 10^4", "reported_size_rmse_middle", 3),
    ("N_e band covers", "reported_size_coverage95", 2),
    ("CPU s", "compiled_cpu_seconds", 1),
    ("start-up CPU s", "startup_cpu_seconds", 1),
    ("MB", "peak_memory_mb", 0),
)
WITHOUT_ERROR = ("num_draws", "startup_cpu_seconds", "peak_memory_mb")


def markdown_table(
    rows: Sequence[Mapping[str, Any]], scores: Sequence[str] | None = None
) -> list[str]:
    """Return the lines of a table with one row for each case, length and method.

    Args:
        rows: pooled results: `case`, `length`, `tool`, `num_data_sets`, and `scores`, a mean and
            standard error by name.
        scores: names of the columns to show; by default all.
    """
    columns = [column for column in COLUMNS if scores is None or column[1] in scores]
    headings = ["case", "method", "data sets", *(heading for heading, _, _ in columns)]
    lines = [_line(headings), "|" + "---|" * len(headings)]
    for row in rows:
        cells = [_cell(row["scores"], name, digits) for _, name, digits in columns]
        case = f"{row['case']}, {row['length'] / 1000:,.0f} kb"
        lines.append(_line([case, row["tool"], str(row["num_data_sets"]), *cells]))
    return lines


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(scores: Mapping[str, Mapping[str, float | None]], name: str, digits: int) -> str:
    if name not in scores:
        return "–"
    mean, stderr = scores[name]["mean"], scores[name]["stderr"]
    text = f"{mean:,.{digits}f}"
    return text if stderr is None or name in WITHOUT_ERROR else f"{text} ± {stderr:.{digits}f}"
