"""Verbs on genealogies: infer, train, pretrain, calibrate, simulate genealogy."""

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
from escapement_jax.config.calibration import CalibrateConfig
from escapement_jax.config.execution import DEFAULT_EXECUTION
from escapement_jax.config.genealogy import InferConfig, SimulateGenealogyConfig
from escapement_jax.config.training import PretrainConfig, TrainConfig


@dataclass(frozen=True)
class Infer(ComputingVerb):
    """Infer ancestral recombination graphs and population size from phased genomes.

    Writes draws/*.trees, summary.json, demography.csv and figures/ into the output folder.
    """

    input: Input
    """Phased genomes: .vcf, .vcf.gz, .bcf, .vcz, .trees or .tsz."""
    output: Path
    """Folder to write; it appears when the run has succeeded."""
    regions: Path | None = None
    """List of the regions of a genome, one a line, such as chr1:1-2000000, with a file behind it if
    INPUT is not that file. All share one N_e(t); each becomes a folder of its own in the output,
    and several processes share them out."""
    settings: tyro.conf.OmitArgPrefixes[InferConfig] = field(default_factory=InferConfig)
    config: Path | None = None
    """TOML file whose [infer] table sets the options below; the command line overrides it."""
    progress: Progress = False
    """Show a progress bar."""
    force: Force = False
    """Replace an existing output folder."""
    execution: HowToRun = DEFAULT_EXECUTION

    def run(self) -> None:
        """Run the inference and write its folder."""
        self.settings.check_complete()
        if self.regions is not None:
            self._run_genome(self.regions)
            return
        if self.execution.coordinator is not None:
            raise ValueError("several processes share out the regions of a genome; give --regions")
        from escapement_jax.experiments.infer import run_infer

        run_infer(
            self.input,
            self.output,
            self.settings,
            progress=self.progress,
            force=self.force,
            execution=self.execution,
        )

    def _run_genome(self, regions: Path) -> None:
        from escapement_jax.experiments.infer_genome import run_infer_genome

        run_infer_genome(
            self.input,
            self.output,
            regions,
            self.settings,
            progress=self.progress,
            force=self.force,
            execution=self.execution,
        )


@dataclass(frozen=True)
class SimulateGenealogy(ComputingVerb):
    """Simulate phased genomes together with their true genealogy.

    Writes genotypes.vcf and true.trees into the output folder.
    """

    output: Path
    """Folder to write; it appears when the run has succeeded."""
    settings: tyro.conf.OmitArgPrefixes[SimulateGenealogyConfig] = field(
        default_factory=SimulateGenealogyConfig
    )
    config: Path | None = None
    """TOML file whose [simulate.genealogy] table sets the options below; the command line
    overrides it."""
    force: Force = False
    """Replace an existing output folder."""

    def run(self) -> None:
        """Run the simulation and write its folder."""
        self.settings.check_complete()
        from escapement_jax.experiments.simulate_genealogy import run_simulate_genealogy

        run_simulate_genealogy(self.output, self.settings, force=self.force)


@dataclass(frozen=True)
class Calibrate(ComputingVerb):
    """Test by simulation whether inference is calibrated for genomes like yours.

    Writes replicates/*.json, calibration.json and figures/ into the output folder. A rerun with the
    same settings goes on where the last one ended.
    """

    output: Path
    """Folder to write, or to go on in."""
    settings: tyro.conf.OmitArgPrefixes[CalibrateConfig] = field(default_factory=CalibrateConfig)
    infer: InferConfig = field(default_factory=InferConfig)
    """How to infer; rates left open are the true ones, and options on input files are not used."""
    config: Path | None = None
    """TOML file whose tables [calibrate] and, if there, [infer] set the options below; the command
    line overrides it."""
    progress: Progress = False
    """Show a progress bar."""
    force: Force = False
    """Start anew in a folder that was made with other settings."""

    def run(self) -> None:
        """Run the replicates that are missing and write the summary."""
        from escapement_jax.experiments.calibrate import run_calibrate

        run_calibrate(
            self.output, self.settings, self.infer, progress=self.progress, force=self.force
        )


@dataclass(frozen=True)
class Train(ComputingVerb):
    """Train a variational posterior of the copying model on phased genomes, without simulations.

    Writes weights.eqx, summary.json, history.csv, sizes_along.csv, demography.csv and figures/
    into the output folder.
    """

    input: Input
    """Phased genomes: .vcf, .vcf.gz, .bcf, .vcz, .trees or .tsz."""
    output: Path
    """Folder to write; it appears when the run has succeeded."""
    settings: tyro.conf.OmitArgPrefixes[TrainConfig] = field(default_factory=TrainConfig)
    config: Path | None = None
    """TOML file whose [train] table sets the options below; the command line overrides it."""
    progress: Progress = False
    """Show a progress bar."""
    force: Force = False
    """Replace an existing output folder."""
    execution: HowToRun = DEFAULT_EXECUTION

    def run(self) -> None:
        """Run the training and write its folder."""
        self.settings.check_complete()
        from escapement_jax.experiments.train import run_train

        run_train(
            self.input,
            self.output,
            self.settings,
            progress=self.progress,
            force=self.force,
            execution=self.execution,
        )


@dataclass(frozen=True)
class Pretrain(ComputingVerb):
    """Train the encoder on simulated genomes of known genealogy, to warm-start `train`.

    Writes weights.eqx and summary.json into the output folder.
    """

    output: Path
    """Folder to write; it appears when the run has succeeded."""
    settings: tyro.conf.OmitArgPrefixes[PretrainConfig] = field(default_factory=PretrainConfig)
    config: Path | None = None
    """TOML file whose [pretrain] table sets the options below; the command line overrides it."""
    progress: Progress = False
    """Show a progress bar."""
    force: Force = False
    """Replace an existing output folder."""
    execution: HowToRun = DEFAULT_EXECUTION

    def run(self) -> None:
        """Simulate, train and write the folder."""
        from escapement_jax.experiments.pretrain import run_pretrain

        run_pretrain(
            self.output,
            self.settings,
            progress=self.progress,
            force=self.force,
            execution=self.execution,
        )


GENEALOGY_VERBS: dict[str, Callable[..., Verb]] = {
    "infer": Infer,
    "train": Train,
    "pretrain": Pretrain,
    "calibrate": Calibrate,
    "simulate genealogy": SimulateGenealogy,
}
"""The verbs of this room by the words that call them."""
