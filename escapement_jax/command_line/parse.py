"""From the words of a command to a verb with its options."""

import argparse
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import tyro

from escapement_jax.command_line.configuration import CONFIGURATION_VERBS
from escapement_jax.command_line.curiosity import CURIOSITY_VERBS
from escapement_jax.command_line.elm import ELM_VERBS
from escapement_jax.command_line.genealogy import GENEALOGY_VERBS
from escapement_jax.command_line.homeostasis import HOMEOSTASIS_VERBS
from escapement_jax.command_line.report import REPORT_VERBS
from escapement_jax.command_line.tables import CONFIGURATIONS, read_all_tables
from escapement_jax.command_line.verb import Verb
from escapement_jax.config.base import Configuration
from escapement_jax.config.genealogy import InferConfig
from escapement_jax.config.gradient_baseline import GradientConfig
from escapement_jax.config.toml import closest, read_toml

VERBS: dict[str, Callable[..., Verb]] = {
    **GENEALOGY_VERBS,
    **ELM_VERBS,
    **CURIOSITY_VERBS,
    **HOMEOSTASIS_VERBS,
    **REPORT_VERBS,
    **CONFIGURATION_VERBS,
}
"""Every verb by the words that call it."""

SECOND_TABLES: dict[str, tuple[str, type[Configuration]]] = {
    "calibrate": ("infer", InferConfig),
    "recover": ("gradient", GradientConfig),
}
"""Verbs that take a second table: the option it sets, and its settings."""


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
    if name not in SECOND_TABLES:
        return verb
    option, second_class = SECOND_TABLES[name]
    told = [table for table in tables if isinstance(table, second_class)]
    return functools.partial(verb, **{option: told[0] if told else second_class()})
