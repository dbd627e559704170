"""A run that survives: checkpoints while it works, results that appear whole."""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import jax

import escapement_jax
from escapement_jax.config.base import Configuration
from escapement_jax.config.execution import Execution
from escapement_jax.io.run_directory import new_run_directory, refuse_to_lose_files
from escapement_jax.io.unfinished_run import (
    CHECKPOINTS,
    RESULTS,
    RunIdentity,
    fingerprints,
    may_replace,
    settings_text,
    unfinished_run,
)
from escapement_jax.training.checkpoints import Checkpoints
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.memory import memory_errors_named, memory_limit

REMEDIES = {
    "infer": "give a lower --memory-limit (in GB) and --resume, or take fewer --chains or shorter "
    "--regions",
    "explore": "lower --batch-size",
    "decompose": "lower --max-joint-pairs or --max-reported-pairs",
    "train": "give --window-bins and lower --windows-per-step, or lower --draws",
    "pretrain": "lower --genomes, --haplotypes or --sequence-length",
    "recover": "shorten --horizons, or fit fewer trajectories",
}
"""What to do when memory runs out, by verb."""
SHARED = ("infer", "train")
"""Verbs whose work several processes share."""


def identify_run(
    verb: str,
    *configurations: Configuration,
    execution: Execution,
    replaces: bool,
    **files: Path | None,
) -> RunIdentity:
    """Say what a run is asked, with the content of all its inputs.

    Args:
        verb: What is run.
        *configurations: Its settings, the principal ones first.
        execution: How it is carried out; of it, the precision is part of what is asked.
        replaces: Whether what is at the output may be replaced.
        **files: Input files by what they are; None for those that are not given.
    """
    inputs = fingerprints(configurations[0], **files)
    devices = execution.devices or jax.local_device_count()
    machine = {
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
        "number of devices": str(devices),
        "memory limit": str(execution.memory_limit or "none"),
    }
    settings = settings_text(*configurations)
    if execution.precision is not None:
        settings += f'\n[execution]\nprecision = "{execution.precision}"\n'
    return RunIdentity(verb, escapement_jax.__version__, settings, inputs, machine, replaces)


@contextmanager
def surviving_run(
    output: Path,
    identity: RunIdentity,
    execution: Execution,
    *,
    growing: str | None = None,
) -> Iterator[tuple[Path, Keeper]]:
    """Give a folder for the results and a keeper for the state on the way.

    Args:
        output: Where the results will be, see `new_run_directory`.
        identity: What is asked.
        execution: Whether to resume, and how often to keep the state.
        growing: Dotted name of the setting that may differ from the run that is resumed.

    Raises:
        FileExistsError: The output or its working folder cannot be used; says what to do.
        ValueError: The run to be resumed was asked something else, or several processes are asked
            to share what they cannot.
        Stopped: A signal came; the state is kept.
    """
    if execution.coordinator is not None and identity.verb not in SHARED:
        raise ValueError(f"{identity.verb} runs in one process; leave out --coordinator")
    if execution.resume and may_replace(output):
        identity = dataclasses.replace(identity, replaces=True)
    refuse_to_lose_files(output, identity.replaces)
    with ExitStack() as stack:
        working = stack.enter_context(
            unfinished_run(output, identity, resume=execution.resume, growing=growing)
        )
        results = stack.enter_context(
            new_run_directory(output, force=identity.replaces, partial=working / RESULTS)
        )
        checkpoints = stack.enter_context(Checkpoints(working / CHECKPOINTS))
        keeper = Keeper(checkpoints, every=execution.checkpoint_seconds)
        stack.enter_context(keeper)
        if keeper.resumed_from is not None:
            print(f"resumed: {keeper.resumed_from}", flush=True)
        stack.enter_context(memory_errors_named(REMEDIES.get(identity.verb, "take less")))
        stack.enter_context(memory_limit(execution.memory_limit))
        yield results, keeper
        if keeper.resumed_from is not None:
            _note_resumption(results / "summary.json", keeper.resumed_from)


def _note_resumption(summary: Path, resumed_from: str) -> None:
    """Say in a summary that its wall times are those of the last part of the run."""
    if summary.is_file():
        told = json.loads(summary.read_text(encoding="utf-8"))
        text = json.dumps({**told, "resumed_from": resumed_from}, indent=2) + "\n"
        summary.write_text(text, encoding="utf-8")
