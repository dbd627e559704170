"""Verbs on configuration files: config show, config check."""

from collections.abc import Callable
from dataclasses import dataclass

from escapement_jax.command_line.tables import read_all_tables
from escapement_jax.command_line.verb import Input, Verb
from escapement_jax.config.toml import to_toml


@dataclass(frozen=True)
class ShowConfig(Verb):
    """Print a configuration file with every default filled in."""

    file: Input
    """TOML file with one table per verb."""

    def run(self) -> None:
        """Print every table of the file."""
        print("\n".join(to_toml(config) for config in read_all_tables(self.file)), end="")


@dataclass(frozen=True)
class CheckConfig(Verb):
    """Check that a configuration file is right and leaves nothing required open."""

    file: Input
    """TOML file with one table per verb."""

    def run(self) -> None:
        """Check every table of the file and say which are good."""
        for config in read_all_tables(self.file):
            try:
                config.check_complete()
            except ValueError as error:
                raise ValueError(f"{self.file}: [{config.table_name}]: {error}") from None
            print(f"{self.file}: [{config.table_name}] is complete and valid")


CONFIGURATION_VERBS: dict[str, Callable[..., Verb]] = {
    "config show": ShowConfig,
    "config check": CheckConfig,
}
"""The verbs of this room by the words that call them."""
