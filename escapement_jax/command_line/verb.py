"""What every verb of the command line is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from escapement_jax.config.execution import Execution

Input = tyro.conf.Positional[Path]
Progress = Annotated[bool, tyro.conf.arg(aliases=["-p"])]
Verbose = Annotated[bool, tyro.conf.arg(aliases=["-v"])]
HowToRun = tyro.conf.OmitArgPrefixes[Execution]
Force = Annotated[bool, tyro.conf.arg(aliases=["-f"])]


@dataclass(frozen=True)
class Verb(ABC):
    """A verb of the command line: options as fields, and work to do."""

    @abstractmethod
    def run(self) -> None:
        """Do the work; what a user can mend is raised as one of `EXPECTED_ERRORS`."""
