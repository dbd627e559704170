"""The figures of the README are those of the committed result files."""

from pathlib import Path

from benchmarks.readme_figures import BEGIN, END, figures

README = Path(__file__).parent.parent / "README.md"


def test_the_readme_shows_the_committed_figures():
    shown = README.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    assert shown == "\n" + figures()
