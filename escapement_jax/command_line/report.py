"""Verb on what other verbs have written: report."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from escapement_jax.command_line.verb import Force, Input, Verb


@dataclass(frozen=True)
class Report(Verb):
    """Write the page of a run: one HTML file with its figures, tables, settings and warnings.

    The page needs no other file and no network; it can be sent and printed.
    """

    directory: Input
    """Folder that a run has written."""
    output: Path | None = None
    """File to write; default: report.html in the folder."""
    force: Force = False
    """Replace an existing file that --output names."""

    def run(self) -> None:
        """Read the folder and write its page."""
        from escapement_jax.io.report.page import write_report

        path = self.output or self.directory / "report.html"
        if self.output is not None and path.exists() and not self.force:
            raise FileExistsError(f"{path} is there already; use --force to replace it")
        write_report(self.directory, path)
        print(f"written to {path}")


REPORT_VERBS: dict[str, Callable[..., Verb]] = {"report": Report}
"""The verbs of this room by the words that call them."""
