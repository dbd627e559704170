"""The figures of the README are those of the committed result files."""

import pytest

from benchmarks.readme_figures import README, TABLES, figures, split


@pytest.mark.parametrize("package", TABLES)
def test_the_readme_shows_the_committed_figures(package):
    assert split(README.read_text(encoding="utf-8"), package)[1] == figures(package)
