"""Write the figures of the README from the committed result files.

Every package has a module with a function `tables`; what it returns stands in the README between
`<!-- figures: PACKAGE begin -->` and `<!-- figures: PACKAGE end -->`.
"""

import importlib
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
TABLES = {
    "genealogy": "benchmarks.accuracy.readme_tables",
    "elm": "benchmarks.elm.tables",
    "curiosity": "benchmarks.curiosity.tables",
    "homeostasis": "benchmarks.homeostasis.tables",
}
"""The module of each package."""


def main() -> None:
    """Replace the figures in the README."""
    text = README.read_text(encoding="utf-8")
    for package in TABLES:
        before, _, after = split(text, package)
        text = before + figures(package) + after
    README.write_text(text, encoding="utf-8")


def figures(package: str) -> str:
    """Return what the README should show of a package."""
    return "\n" + importlib.import_module(TABLES[package]).tables().strip() + "\n"


def split(text: str, package: str) -> tuple[str, str, str]:
    """Split the README into what is before, between and after the marks of a package."""
    begin, end = (f"<!-- figures: {package} {mark} -->" for mark in ("begin", "end"))
    before, rest = text.split(begin)
    between, after = rest.split(end)
    return before + begin, between, end + after


if __name__ == "__main__":
    main()
