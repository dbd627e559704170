"""One run of one method on one data set: its command, its cost, its scores, kept on disk."""

import json
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import measured_command
from benchmarks.accuracy.baselines import BASELINES
from benchmarks.accuracy.cases import (
    DataSet,
    DataSetName,
    simulate,
    true_population_size,
    write_data_set,
)
from benchmarks.accuracy.metrics import all_metrics, transform_histogram
from benchmarks.accuracy.size_metrics import (
    GRID_GENERATIONS,
    reported_size_errors,
    size_errors,
    size_of_draws,
)
from benchmarks.accuracy.tool_output import Inferred, read_output
from benchmarks.accuracy.tree_metrics import tree_metrics
from benchmarks.accuracy.true_tmrca import evenly_spaced_positions, pairwise_tmrca
from benchmarks.record import REPOSITORY, commit

NUM_POSITIONS = 500


@dataclass(frozen=True)
class Tool:
    """A method: a shell-like command with `{placeholders}`, or None for a baseline of that name.

    Known are `{python}`, its interpreter; `{data}`, the folder of `write_data_set`; `{output}`, the
    folder to fill as `read_output` says; `{seed}`; and what the method is told: `{mutation_rate}`,
    `{recombination_rate}`, `{population_size}` and `{sequence_length}`.

    Raises:
        ValueError: a name that cannot be part of a file name.
    """

    name: str
    command: str | None = None
    python: Path = Path(sys.executable)

    def __post_init__(self) -> None:
        if not self.name.replace("-", "_").isidentifier():
            raise ValueError(f"the name {self.name!r} of a method needs letters, digits, _ or -")

    def arguments(self, data: DataSet, folder: Path, output: Path) -> list[str]:
        """Return the command for one data set."""
        given = {"python": self.python, "data": folder, "output": output, "seed": data.name.seed}
        values = data.told | given
        return [part.format(**values) for part in shlex.split(self.command or "")]


@dataclass(frozen=True)
class Run:
    """A method on a data set; `file` is where its scores are kept."""

    name: DataSetName
    tool: Tool
    work: Path

    @property
    def file(self) -> Path:
        """Path of the stored scores."""
        return self.work / "runs" / f"{self.name}.{self.tool.name}.json"

    def stored(self) -> dict[str, Any] | None:
        """Return the stored result, or None if there is none.

        Raises:
            ValueError: it was made by another command.
        """
        if not self.file.exists():
            return None
        result = json.loads(self.file.read_text(encoding="utf-8"))
        if result["command"] != self.tool.command:
            raise ValueError(
                f"{self.file} was made by another command,\n  {result['command']}\nnot by\n"
                f"  {self.tool.command}\nUse another --name or --work, or --redo {self.tool.name}"
            )
        return result

    def perform(self) -> dict[str, Any]:
        """Run the method, score it and store the result.

        Raises:
            RuntimeError: the command failed; tells where its log is.
            ValueError: the command wrote nothing that can be scored.
        """
        data, positions = (
            simulate(self.name),
            evenly_spaced_positions(self.name.length, NUM_POSITIONS),
        )
        if self.tool.command is None:
            inferred, cost = _baseline(self.tool.name, data, positions)
        else:
            inferred, cost = self._run_command(data, positions)
        result = asdict(self.name) | {
            "tool": self.tool.name,
            "command": self.tool.command,
            "commit": commit(),
            "versions": cost.pop("versions", {}),
            "scores": _rounded(score(inferred, data, positions) | cost),
        }
        if inferred.num_draws > 1:
            truth = pairwise_tmrca(data.tree_sequence, positions)
            result["transforms"] = transform_histogram(inferred.tmrca, truth)
        write_atomically(self.file, json.dumps(result, indent=2) + "\n")
        return result

    def _run_command(self, data: DataSet, positions: np.ndarray) -> tuple[Inferred, dict[str, Any]]:
        """Run the command in a folder of its own; what it infers is deleted once it is read."""
        folder = self.work / "scratch" / self.file.stem
        shutil.rmtree(folder, ignore_errors=True)
        output = folder / "output"
        output.mkdir(parents=True)
        write_data_set(folder / "data", data)
        arguments = self.tool.arguments(data, folder / "data", output)
        wrapper = [sys.executable, measured_command.__file__, str(folder / "cost.json")]
        with (folder / "log.txt").open("w") as log:
            done = subprocess.run(
                [*wrapper, *arguments], cwd=REPOSITORY, stdout=log, stderr=log, check=False
            )
        if done.returncode != 0:
            raise RuntimeError(f"{self.tool.name} failed on {self.name}; see {folder / 'log.txt'}")
        cost = _read_json(folder / "cost.json") | _read_json(output / "figures.json")
        cost["compiled_cpu_seconds"] = cost["cpu_seconds"] - cost.get("startup_cpu_seconds", 0.0)
        told = data.told
        haplotypes = data.genotypes.num_haplotypes
        inferred = read_output(output, positions, haplotypes, told["sequence_length"])
        shutil.rmtree(folder)
        return inferred, cost


def score(inferred: Inferred, data: DataSet, positions: np.ndarray) -> dict[str, float]:
    """Return every metric for which the method has inferred something."""
    truth = pairwise_tmrca(data.tree_sequence, positions)
    scores = {"num_draws": inferred.num_draws} | all_metrics(inferred.tmrca, truth)
    true_size = true_population_size(data.name.case, GRID_GENERATIONS)
    if inferred.tree_sequences:
        scores |= tree_metrics(data.tree_sequence, inferred.tree_sequences)
        scores |= size_errors(size_of_draws(inferred.tree_sequences), true_size)
    if inferred.population_size is not None:
        scores |= reported_size_errors(inferred.population_size, true_size)
    return scores


def write_atomically(path: Path, text: str) -> None:
    """Write a file that is either whole or absent, whenever the process is stopped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _baseline(name: str, data: DataSet, positions: np.ndarray) -> tuple[Inferred, dict[str, Any]]:
    started = time.thread_time()
    inferred = BASELINES[name](data, positions)
    return inferred, {"compiled_cpu_seconds": time.thread_time() - started}


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.6g}") for name, value in scores.items()}


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
