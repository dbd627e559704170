"""The working folder of a run that is not finished: what it was asked, and its checkpoints.

The results of a run appear whole or not at all (see `run_directory`). Until then its state is in
the folder `OUTPUT.unfinished` beside them, which goes when they are in place:

    run.json      the verb, its settings, the version, and SHA-256 of every input
    checkpoints/  the newest states
    results/      the results, while they are being written
    lock          the process at work
"""

import dataclasses
import json
import logging
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from escapement_jax.config.base import Configuration
from escapement_jax.config.toml import to_toml
from escapement_jax.io.run_directory import write_text_atomically
from escapement_jax.io.run_lock import run_lock
from escapement_jax.training.digests import digest_of, digest_of_file

RUN_FILE = "run.json"
CHECKPOINTS, RESULTS = "checkpoints", "results"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunIdentity:
    """What a run was asked; a run is resumed only if all of it is the same.

    Attributes:
        verb: What is run.
        version: Version of the library.
        settings: TOML text of all settings.
        inputs: SHA-256 of every input file by what it is.
        machine: What the last bits of numbers may depend on; a change is only warned of.
        replaces: Whether what is at the output may be replaced: results, or an unfinished run that
            is not resumed.
    """

    verb: str
    version: str
    settings: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    replaces: bool = False

    def difference(self, old: "RunIdentity", growing: str | None = None) -> str | None:
        """Say in what another run differs from this one, None if in nothing that matters.

        Args:
            old: The other run.
            growing: Setting that may differ.
        """
        for name in ("verb", "version"):
            if getattr(self, name) != getattr(old, name):
                return f"its {name} was {getattr(old, name)}, now it is {getattr(self, name)}"
        before, now = (_flat(tomllib.loads(run.settings)) for run in (old, self))
        for name in sorted({*before, *now}):
            if before.get(name) != now.get(name) and name != growing:
                return f"{name} was {_shown(before.get(name))}, now it is {_shown(now.get(name))}"
        for name in sorted({*old.inputs, *self.inputs}):
            if old.inputs.get(name) != self.inputs.get(name):
                return f"the content of the {name} has changed"
        return None


@contextmanager
def unfinished_run(
    output: Path,
    identity: RunIdentity,
    *,
    resume: bool,
    growing: str | None = None,
) -> Iterator[Path]:
    """Work in the folder beside an output; it goes if the block succeeds or has kept nothing.

    Args:
        output: Where the results will be.
        identity: What is asked.
        resume: Whether to go on with what is there.
        growing: Dotted name of the setting that may differ from the run that is resumed.

    Yields:
        The working folder.

    Raises:
        FileExistsError: Another run is at work, or an unfinished one is there and is neither
            resumed nor forced.
        ValueError: The run to be resumed was asked something else; names it.
    """
    # The target of a symbolic link is replaced, not the link.
    output = Path(output).resolve()
    folder = output.with_name(f"{output.name}.unfinished")
    with run_lock(folder):
        checkpoints = folder / CHECKPOINTS
        if resume and _holds_any(checkpoints):
            _require_same(folder, identity, growing)
        elif _holds_any(checkpoints) and not identity.replaces:
            raise FileExistsError(
                f"{folder} holds an unfinished run of {_read(folder).verb}; use --resume to go on "
                "with it, or --force to start anew"
            )
        else:
            shutil.rmtree(checkpoints, ignore_errors=True)
            if resume and not output.exists():
                _LOG.warning(
                    "there is no unfinished run in %s; starting from the beginning", folder
                )
        write_text_atomically(folder / RUN_FILE, json.dumps(dataclasses.asdict(identity), indent=2))
        try:
            yield folder
        except BaseException:
            if not _holds_any(checkpoints):
                shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)


def may_replace(output: Path) -> bool:
    """Whether the unfinished run of an output was allowed to replace older results there."""
    output = Path(output).resolve()
    folder = output.with_name(f"{output.name}.unfinished")
    return _holds_any(folder / CHECKPOINTS) and _read(folder).replaces


def fingerprints(configuration: Configuration, **files: Path | None) -> dict[str, str]:
    """SHA-256 of input files, and of every file that settings name, by what they are.

    Args:
        configuration: Settings.
        **files: Further files by what they are; None for those that are not given.
    """
    named = {
        one.name: getattr(configuration, one.name) for one in dataclasses.fields(configuration)
    }
    paths = {name: path for name, path in {**named, **files}.items() if isinstance(path, Path)}
    return {name: _digest(path) for name, path in paths.items() if path.exists()}


def settings_text(*configurations: Configuration) -> str:
    """All settings as one TOML text."""
    return "\n".join(map(to_toml, configurations))


def _digest(path: Path) -> str:
    """SHA-256 of a file, or of all files of a folder (a Zarr store) with their names."""
    if path.is_file():
        return digest_of_file(path)
    parts = sorted(part for part in path.rglob("*") if part.is_file())
    text = "".join(f"{part.relative_to(path)} {_digest(part)}\n" for part in parts)
    return digest_of(text)


def _holds_any(checkpoints: Path) -> bool:
    return checkpoints.is_dir() and any(path.name.isdigit() for path in checkpoints.iterdir())


def _read(folder: Path) -> RunIdentity:
    path = folder / RUN_FILE
    try:
        return RunIdentity(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(
            f"{path}: cannot be read ({error}), so nobody knows which run the checkpoints beside "
            "it belong to; use --force to start anew"
        ) from None


def _require_same(folder: Path, identity: RunIdentity, growing: str | None) -> None:
    old = _read(folder)
    difference = identity.difference(old, growing)
    if difference is not None:
        raise ValueError(
            f"the run in {folder} cannot be resumed: {difference}; ask what was asked then, or use "
            "--force to start anew"
        )
    for name in sorted({*identity.machine, *old.machine}):
        before, now = old.machine.get(name), identity.machine.get(name)
        if before != now:
            _LOG.warning(
                "the run was started with %s %s, now it is %s: the result is as good, but its last "
                "digits may differ from those of a run in one go",
                *(name, before, now),
            )


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _shown(value: Any) -> str:
    return "not given" if value is None else repr(value)
