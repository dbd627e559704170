"""The command `escapement`: every verb is a dataclass whose fields are its options.

Nothing heavy is imported before a verb runs, so that help and errors come at once.
"""

import argparse
import functools
import sys
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

import escapement_jax
from escapement_jax.config.base import Configuration
from escapement_jax.config.calibration import CalibrateConfig
from escapement_jax.config.genealogy import InferConfig, SimulateGenealogyConfig
from escapement_jax.config.toml import (
    closest,
    read_document,
    read_toml,
    table_names,
    to_toml,
)

CONFIGURATIONS = {
    config_class.table_name: config_class
    for config_class in (InferConfig, SimulateGenealogyConfig, CalibrateConfig)
}
"""Every configuration class by its TOML table."""

EXPECTED_ERRORS = (ValueError, OSError, ImportError)
"""Errors that a user can mend: told in one line, without a traceback."""

Input = tyro.conf.Positional[Path]
Progress = Annotated[bool, tyro.conf.arg(aliases=["-p"])]
Verbose = Annotated[bool, tyro.conf.arg(aliases=["-v"])]
Force = Annotated[bool, tyro.conf.arg(aliases=["-f"])]


@dataclass(frozen=True)
class Verb(ABC):
    """A verb of the command line: options as fields, and work to do."""

    @abstractmethod
    def run(self) -> None:
        """Do the work; what a user can mend is raised as one of `EXPECTED_ERRORS`."""


@dataclass(frozen=True)
class Infer(Verb):
    """Infer ancestral recombination graphs and population size from phased genomes.

    Writes draws/*.trees, summary.json, demography.csv and figures/ into the output folder.
    """

    input: Input
    """Phased genomes: .vcf, .vcf.gz, .bcf, .vcz, .trees or .tsz."""
    output: Path
    """Folder to write; it appears when the run has succeeded."""
    settings: tyro.conf.OmitArgPrefixes[InferConfig] = field(default_factory=InferConfig)
    config: Path | None = None
    """TOML file whose [infer] table sets the options below; the command line overrides it."""
    progress: Progress = False
    """Show a progress bar."""
    verbose: Verbose = False
    """Show the traceback of an error."""
    force: Force = False
    """Replace an existing output folder."""

    def run(self) -> None:
        """Run the inference and write its folder."""
        self.settings.check_complete()
        from escapement_jax.experiments.infer import run_infer

        run_infer(self.input, self.output, self.settings, progress=self.progress, force=self.force)


@dataclass(frozen=True)
class SimulateGenealogy(Verb):
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
    verbose: Verbose = False
    """Show the traceback of an error."""
    force: Force = False
    """Replace an existing output folder."""

    def run(self) -> None:
        """Run the simulation and write its folder."""
        self.settings.check_complete()
        from escapement_jax.experiments.simulate_genealogy import run_simulate_genealogy

        run_simulate_genealogy(self.output, self.settings, force=self.force)


@dataclass(frozen=True)
class Calibrate(Verb):
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
    verbose: Verbose = False
    """Show the traceback of an error."""
    force: Force = False
    """Start anew in a folder that was made with other settings."""

    def run(self) -> None:
        """Run the replicates that are missing and write the summary."""
        from escapement_jax.experiments.calibrate import run_calibrate

        run_calibrate(
            self.output, self.settings, self.infer, progress=self.progress, force=self.force
        )


@dataclass(frozen=True)
class ShowConfig(Verb):
    """Print a configuration file with every default filled in."""

    file: Input
    """TOML file with one table per verb."""
    verbose: Verbose = False
    """Show the traceback of an error."""

    def run(self) -> None:
        """Print every table of the file."""
        print("\n".join(to_toml(config) for config in read_all_tables(self.file)), end="")


@dataclass(frozen=True)
class CheckConfig(Verb):
    """Check that a configuration file is right and leaves nothing required open."""

    file: Input
    """TOML file with one table per verb."""
    verbose: Verbose = False
    """Show the traceback of an error."""

    def run(self) -> None:
        """Check every table of the file and say which are good."""
        for config in read_all_tables(self.file):
            try:
                config.check_complete()
            except ValueError as error:
                raise ValueError(f"{self.file}: [{config.table_name}]: {error}") from None
            print(f"{self.file}: [{config.table_name}] is complete and valid")


VERBS: dict[str, Callable[..., Verb]] = {
    "infer": Infer,
    "simulate genealogy": SimulateGenealogy,
    "calibrate": Calibrate,
    "config show": ShowConfig,
    "config check": CheckConfig,
}
"""Every verb by the words that call it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code: 0, 2 for an error to mend, 130 when interrupted.

    Args:
        arguments: the words after `escapement`; by default those of the process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] in (["--version"], ["version"]):
        print(f"escapement {escapement_jax.__version__}")
        return 0
    if words[:1] in ([], ["--help"], ["-h"]):
        print(overview())
        return 0
    try:
        parse(words).run()
    except EXPECTED_ERRORS as error:
        if not {"-v", "--verbose"}.isdisjoint(words):
            traceback.print_exc()
        print(f"escapement: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("escapement: interrupted; nothing was written", file=sys.stderr)
        return 130
    return 0


def overview() -> str:
    """Return the help text that lists every verb."""
    width = max(map(len, VERBS)) + 2
    summaries = [
        f"  {name:{width}}{(verb.__doc__ or '').splitlines()[0]}" for name, verb in VERBS.items()
    ]
    return "\n".join(
        [
            "usage: escapement VERB [options]",
            "",
            *summaries,
            "",
            "  escapement VERB --help lists the options of a verb.",
            "  escapement --version prints the version.",
        ]
    )


def parse(words: Sequence[str]) -> Verb:
    """Turn the words of a command into a verb with its options.

    The TOML file named by `--config` is read first; options on the command line override it.

    Raises:
        ValueError: no such verb, or a configuration that is not right.
        SystemExit: a malformed option (code 2) or a request for help (code 0).
    """
    name = find_verb(words)
    rest = list(words[len(name.split()) :])
    return tyro.cli(
        _with_settings_of_file(name, rest),
        prog=f"escapement {name}",
        args=rest,
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def find_verb(words: Sequence[str]) -> str:
    """Return the name of the verb that the first words call.

    Raises:
        ValueError: they call none; the message suggests the nearest.
    """
    for length in (1, 2):
        name = " ".join(words[:length])
        if name in VERBS:
            return name
    kinds = [name.split()[1] for name in VERBS if name.split()[0] == words[0] and " " in name]
    if kinds:
        raise ValueError(f"escapement {words[0]} needs one of: {', '.join(kinds)}")
    raise ValueError(f"there is no verb {words[0]!r}{closest(words[0], list(VERBS))}")


def read_all_tables(path: Path) -> list[Configuration]:
    """Read every table of a configuration file.

    Raises:
        ValueError: a table that belongs to no verb, a key outside every table, or no table.
    """
    document = read_document(path)
    names = table_names(document)
    stray = [key for key, value in document.items() if not isinstance(value, dict)]
    for name in [*stray, *names]:
        if name not in CONFIGURATIONS:
            kind = "key" if name in stray else "table"
            raise ValueError(f"{path}: unknown {kind} {name}{closest(name, list(CONFIGURATIONS))}")
    if not names:
        raise ValueError(f"{path}: no table; write one of [{'], ['.join(CONFIGURATIONS)}]")
    return [read_toml(path, CONFIGURATIONS[name]) for name in names]


def _with_settings_of_file(name: str, words: Sequence[str]) -> Callable[..., Verb]:
    """Give a verb the settings of the file named by `--config` as its defaults."""
    config_class = CONFIGURATIONS.get(name.replace(" ", "."))
    finder = argparse.ArgumentParser(f"escapement {name}", add_help=False, allow_abbrev=False)
    finder.add_argument("--config", type=Path)
    path = finder.parse_known_args(words)[0].config
    if config_class is None or path is None:
        return VERBS[name]
    tables = read_all_tables(path)  # A misspelt table or a stray key must not pass unseen.
    verb = functools.partial(VERBS[name], settings=read_toml(path, config_class), config=path)
    told = [table for table in tables if isinstance(table, InferConfig)]
    return functools.partial(verb, infer=told[0]) if name == "calibrate" and told else verb


if __name__ == "__main__":
    sys.exit(main())
