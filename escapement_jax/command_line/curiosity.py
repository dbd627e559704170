"""Verb on dynamical systems: explore."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from escapement_jax.command_line.verb import ComputingVerb, Force, HowToRun, Progress, Verb
from escapement_jax.config.curiosity import ExploreConfig
from escapement_jax.config.execution import DEFAULT_EXECUTION


@dataclass(frozen=True)
class Explore(ComputingVerb):
    """Find out what a gene circuit or a biochemical model can do.

    Writes summary.json, history/, discoveries.csv, circuits/ and figures/ into the output folder.
    """

    output: Path
    """Folder to write; it appears when the run has succeeded. A finished run can be resumed with a
    larger budget."""
    settings: tyro.conf.OmitArgPrefixes[ExploreConfig] = field(default_factory=ExploreConfig)
    config: Path | None = None
    """TOML file whose [explore] table sets the options below; the command line overrides it."""
    progress: Progress = False
    """Show a progress bar."""
    force: Force = False
    """Replace an existing output folder."""
    execution: HowToRun = DEFAULT_EXECUTION

    def run(self) -> None:
        """Run the search and write its folder."""
        from escapement_jax.experiments.explore import run_explore

        run_explore(
            self.output,
            self.settings,
            progress=self.progress,
            force=self.force,
            execution=self.execution,
        )


CURIOSITY_VERBS: dict[str, Callable[..., Verb]] = {"explore": Explore}
"""The verbs of this room by the words that call them."""
