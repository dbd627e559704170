"""Verbs on genotypes and phenotypes: decompose, simulate elm."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from escapement_jax.command_line.verb import (
    ComputingVerb,
    Force,
    HowToRun,
    Input,
    Progress,
    Verb,
)
from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.config.elm_simulation import SimulateElmConfig
from escapement_jax.config.execution import DEFAULT_EXECUTION


@dataclass(frozen=True)
class Decompose(ComputingVerb):
    """Decompose phenotypes into additive and epistatic effects of genotypes.

    Writes additive.csv, epistatic.csv, variance_components.csv, methods.csv, summary.json and
    figures/ into the output folder.
    """

    input: Input
    """Genotypes with phenotypes: .npz or .h5; or genotypes alone, beside --phenotypes: .csv, .vcf,
    .vcf.gz, .bcf, .bed, .trees or .tsz."""
    output: Path
    """Folder to write; it appears when the run has succeeded."""
    settings: tyro.conf.OmitArgPrefixes[DecomposeConfig] = field(default_factory=DecomposeConfig)
    config: Path | None = None
    """TOML file whose [decompose] table sets the options below; the command line overrides it."""
    progress: Progress = False
    """Show progress bars."""
    force: Force = False
    """Replace an existing output folder."""
    execution: HowToRun = DEFAULT_EXECUTION

    def run(self) -> None:
        """Run the decomposition and write its folder."""
        self.settings.check_complete()
        from escapement_jax.experiments.decompose import run_decompose

        run_decompose(
            self.input,
            self.output,
            self.settings,
            progress=self.progress,
            force=self.force,
            execution=self.execution,
        )


@dataclass(frozen=True)
class SimulateElm(ComputingVerb):
    """Simulate genotypes and phenotypes together with their true effects.

    Writes study.npz, additive.csv and epistatic.csv into the output folder.
    """

    output: Path
    """Folder to write; it appears when the run has succeeded."""
    settings: tyro.conf.OmitArgPrefixes[SimulateElmConfig] = field(
        default_factory=SimulateElmConfig
    )
    config: Path | None = None
    """TOML file whose [simulate.elm] table sets the options below; the command line overrides
    it."""
    force: Force = False
    """Replace an existing output folder."""

    def run(self) -> None:
        """Run the simulation and write its folder."""
        self.settings.check_complete()
        from escapement_jax.experiments.simulate_elm import run_simulate_elm

        run_simulate_elm(self.output, self.settings, force=self.force)


ELM_VERBS: dict[str, Callable[..., Verb]] = {
    "decompose": Decompose,
    "simulate elm": SimulateElm,
}
"""The verbs of this room by the words that call them."""
