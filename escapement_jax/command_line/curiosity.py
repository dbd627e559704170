"""Verb on dynamical systems: explore."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from escapement_jax.command_line.verb import ComputingVerb, Force, Progress, Verb
from escapement_jax.config.curiosity import ExploreConfig


@dataclass(frozen=True)
class Explore(ComputingVerb):
    """Find out what a gene circuit or a biochemical model can do.

    Writes summary.json, history/, discoveries.csv, circuits/ and figures/ into the output folder.
    """

    output: Path
    """Folder to write, or to go on in."""
    settings: tyro.conf.OmitArgPrefixes[ExploreConfig] = field(default_factory=ExploreConfig)
    config: Path | None = None
    """TOML file whose [explore] table sets the options below; the command line overrides it."""
    resume: bool = False
    """Go on in a folder made with the same settings; the budget may be larger."""
    progress: Progress = False
    """Show a progress bar."""
    force: Force = False
    """Replace an existing output folder."""

    def run(self) -> None:
        """Run the search and write its folder."""
        from escapement_jax.experiments.explore import run_explore

        run_explore(
            self.output,
            self.settings,
            resume=self.resume,
            progress=self.progress,
            force=self.force,
        )


CURIOSITY_VERBS: dict[str, Callable[..., Verb]] = {"explore": Explore}
"""The verbs of this room by the words that call them."""
