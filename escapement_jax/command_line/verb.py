"""What every verb of the command line is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from escapement_jax.command_line.compilation_cache import (
    forget_compiled_programs,
    keep_compiled_programs,
)
from escapement_jax.config.execution import Execution

Input = tyro.conf.Positional[Path]
Progress = Annotated[bool, tyro.conf.arg(aliases=["-p"])]
Verbose = Annotated[bool, tyro.conf.arg(aliases=["-v"])]
HowToRun = tyro.conf.OmitArgPrefixes[Execution]
Force = Annotated[bool, tyro.conf.arg(aliases=["-f"])]


@dataclass(frozen=True)
class Verb(ABC):
    """A verb of the command line: options as fields, and work to do."""

    verbose: Verbose = field(default=False, kw_only=True)
    """Tell every step on standard error, and show the traceback of an error."""

    def prepare(self) -> None:  # noqa: B027
        """Set up the process before anything heavy is imported; by default nothing."""

    @abstractmethod
    def run(self) -> None:
        """Do the work; what a user can mend is raised as one of `EXPECTED_ERRORS`."""


@dataclass(frozen=True)
class ComputingVerb(Verb):
    """A verb that compiles programs, which the next command finds again."""

    compilation_cache: bool = field(default=True, kw_only=True)
    """Whether compiled programs are kept, in the user's cache folder, for the next run."""

    def prepare(self) -> None:
        """Tell JAX whether to keep what it compiles."""
        if self.compilation_cache:
            keep_compiled_programs()
        else:
            forget_compiled_programs()
