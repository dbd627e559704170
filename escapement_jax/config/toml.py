"""Strict TOML to frozen dataclasses and back.

A configuration file holds one table per verb, named as on the command line (`[infer]`,
`[simulate.genealogy]`), so one file can describe a whole study. Nothing is guessed: an unknown
key or a value of the wrong type is an error that names its dotted path.
"""

import dataclasses
import difflib
import json
import math
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from escapement_jax.config.base import Configuration

LARGEST_CONFIGURATION = 2**20
"""Bytes of a configuration file, at most."""

Settings = TypeVar("Settings", bound=Configuration)


def read_document(path: Path) -> dict[str, Any]:
    """Parse a TOML file into nested dictionaries.

    Raises:
        ValueError: the file is absent, or is not TOML.
    """
    try:
        with Path(path).open("rb") as file:
            text = file.read(LARGEST_CONFIGURATION + 1)
        if len(text) > LARGEST_CONFIGURATION:
            raise ValueError(f"{path}: larger than a configuration, {LARGEST_CONFIGURATION} bytes")
        return tomllib.loads(text.decode("utf-8").replace("\r\n", "\n"))
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such configuration file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a TOML file: {error}") from None
    except RecursionError:
        raise ValueError(f"{path}: TOML that is nested too deeply") from None


def read_toml(path: Path, config_class: type[Settings]) -> Settings:
    """Read the table of one configuration class from a TOML file.

    Raises:
        ValueError: the file, its table, a key or a value is not as the class declares it; the
            message names the file and the dotted path.
    """
    document = read_document(path)
    name = config_class.table_name
    found = table_names(document)
    if name not in found:
        listed = ", ".join(f"[{table}]" for table in found) or "no table"
        raise ValueError(f"{path}: the table [{name}] is missing; the file has {listed}")
    for part in name.split("."):
        document = document[part]
    try:
        return from_mapping(document, config_class)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def table_names(document: Mapping[str, Any]) -> list[str]:
    """Return the dotted names of the tables of a parsed document that hold keys or are empty."""
    names = []
    for key, value in document.items():
        if isinstance(value, dict):
            inner = table_names(value)
            only_tables = bool(value) and all(isinstance(item, dict) for item in value.values())
            names += [] if only_tables else [key]
            names += [f"{key}.{name}" for name in inner]
    return names


def from_mapping(mapping: Mapping[str, Any], config_class: type[Settings]) -> Settings:
    """Build a configuration from the keys of its table.

    Raises:
        ValueError: an unknown key, a value of the wrong type, or a value out of range.
    """
    table = config_class.table_name
    fields = typing.get_type_hints(config_class)
    known = [field.name for field in dataclasses.fields(config_class)]
    for key in mapping:
        if key not in known:
            raise ValueError(f"unknown key {table}.{key}{closest(key, known)}")
    values = {key: _convert(value, fields[key], f"{table}.{key}") for key, value in mapping.items()}
    return config_class(**values)


def closest(word: str, known: list[str]) -> str:
    """Return the tail of an error message that suggests the nearest known word."""
    nearest = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else f"; known are {', '.join(known)}"


def to_toml(config: Configuration) -> str:
    """Write a configuration as TOML text; fields that are None are left out.

    Reading the text gives back an equal configuration: floats are written with the shortest
    decimal digits that round-trip.

    Raises:
        TypeError: a field holds a kind of value that has no TOML form here.
    """
    lines = [f"[{config.table_name}]"]
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value is not None:
            lines.append(f"{field.name} = {_literal(value)}")
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str | Path):
        # JSON escapes are TOML escapes, except that TOML also forbids a bare delete character.
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, tuple):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    raise TypeError(f"cannot write a {type(value).__name__} as TOML: {value!r}")


def _convert(value: Any, annotation: Any, where: str) -> Any:
    """Check one TOML value against a type annotation, where `where` is its dotted path."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return _choice(value, arguments, where)
    if origin in (types.UnionType, typing.Union):
        [inner] = [argument for argument in arguments if argument is not type(None)]
        return _convert(value, inner, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(_mismatch("an array", value, where))
        return tuple(
            _convert(item, arguments[0], f"{where}[{place}]") for place, item in enumerate(value)
        )
    return _scalar(value, annotation, where)


def _choice(value: Any, choices: tuple[Any, ...], where: str) -> Any:
    if value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{where} is {value!r}; choose one of {listed}")
    return value


def _scalar(value: Any, annotation: type, where: str) -> Any:
    if annotation is Path and isinstance(value, str):
        return Path(value)
    if annotation is float and type(value) is int:
        return float(value)
    if type(value) is not annotation:
        names = {str: "a string", Path: "a string", bool: "true or false"}
        numbers = {int: "a whole number", float: "a number"}
        raise ValueError(_mismatch((names | numbers)[annotation], value, where))
    if annotation is float and not math.isfinite(value):
        raise ValueError(f"{where} is {value}; write a finite number")
    return value


def _mismatch(expected: str, value: Any, where: str) -> str:
    return f"{where} must be {expected}, but is {value!r}"
