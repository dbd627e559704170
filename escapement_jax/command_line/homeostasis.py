"""Verbs on metabolism: recover, simulate homeostasis."""

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
from escapement_jax.config.execution import DEFAULT_EXECUTION
from escapement_jax.config.gradient_baseline import GradientConfig
from escapement_jax.config.homeostasis import RecoverConfig
from escapement_jax.config.homeostasis_simulation import SimulateHomeostasisConfig


@dataclass(frozen=True)
class Recover(ComputingVerb):
    """Recover set points, types of metabolites and rates from metabolic time courses.

    Writes metabolites.csv, types.csv, reactions.csv, summary.json, the fitted model and figures/
    into the output folder.
    """

    input: Input
    """Time courses: .npz (brings its network), .csv or .h5ad (need --network), .yaml of PEtab."""
    output: Path
    """Folder to write; it appears when the run has succeeded."""
    network: Path | None = None
    """The reactions: .npz, .csv, COBRA or BiGG .json, SBML .xml."""
    truth: Path | None = None
    """What is true (truth.json of a simulation), to score the result; it never enters the fit."""
    hold_unmeasured: bool = False
    """Take metabolites of the network that are not measured as constant."""
    held_out: int = 0
    """Number of trajectories, from the last, to predict instead of fitting them."""
    settings: tyro.conf.OmitArgPrefixes[RecoverConfig] = field(default_factory=RecoverConfig)
    explore: bool = False
    """Also train the published gradient recipe over a grid of its options, to compare with."""
    gradient: GradientConfig = field(default_factory=GradientConfig)
    """How the published recipe is trained and explored."""
    config: Path | None = None
    """TOML file whose tables [recover] and, if there, [gradient] set the options below; the command
    line overrides it."""
    progress: Progress = False
    """Show a progress bar."""
    force: Force = False
    """Replace an existing output folder."""
    execution: HowToRun = DEFAULT_EXECUTION

    def run(self) -> None:
        """Run the recovery and write its folder."""
        self.settings.check_complete()
        from escapement_jax.experiments.recover import RecoverInputs, run_recover

        inputs = RecoverInputs(
            self.input, self.network, self.truth, self.hold_unmeasured, self.held_out
        )
        run_recover(
            inputs,
            self.output,
            self.settings,
            gradient=self.gradient if self.explore else None,
            progress=self.progress,
            force=self.force,
            execution=self.execution,
        )


@dataclass(frozen=True)
class SimulateHomeostasis(ComputingVerb):
    """Simulate metabolic time courses whose set points, types and rates are known.

    Writes time_courses.npz and truth.json into the output folder.
    """

    output: Path
    """Folder to write; it appears when the run has succeeded."""
    settings: tyro.conf.OmitArgPrefixes[SimulateHomeostasisConfig] = field(
        default_factory=SimulateHomeostasisConfig
    )
    config: Path | None = None
    """TOML file whose [simulate.homeostasis] table sets the options below; the command line
    overrides it."""
    force: Force = False
    """Replace an existing output folder."""

    def run(self) -> None:
        """Run the simulation and write its folder."""
        self.settings.check_complete()
        from escapement_jax.experiments.simulate_homeostasis import run_simulate_homeostasis

        run_simulate_homeostasis(self.output, self.settings, force=self.force)


HOMEOSTASIS_VERBS: dict[str, Callable[..., Verb]] = {
    "recover": Recover,
    "simulate homeostasis": SimulateHomeostasis,
}
"""The verbs of this room by the words that call them."""
