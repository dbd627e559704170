"""escapement-jax side by side with its peers on simulated genomes whose genealogy is known.

Every run is kept in the work folder: an interrupted comparison continues where it stopped, and the
table holds all runs of the folder, those of earlier calls with other cases or seeds included.
"""

import argparse
import itertools
import json
import os
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.baselines import BASELINES
from benchmarks.accuracy.cases import CASES, DataSetName
from benchmarks.accuracy.metrics import pool, pooled_calibration_error
from benchmarks.accuracy.peers_table import markdown_table
from benchmarks.accuracy.runs import Run, Tool
from benchmarks.record import write_result

ESCAPEMENT, TSDATE = "escapement", "tsinfer_tsdate"
MODULE = (
    "{{python}} -m benchmarks.accuracy.{module} "
    "--data {{data}} --output {{output}} --seed {{seed}} --draws {draws}"
)
TSDATE_DRAWS = 100


def main() -> None:
    """Run what is missing, print the table and write the figures."""
    arguments = parse_arguments()
    tools = chosen_tools(arguments)
    # Programs compiled for one data set serve the next.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(arguments.work / "compilation_cache"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
    names = [
        DataSetName(case, length, arguments.haplotypes, seed)
        for length, seed, case in itertools.product(
            arguments.lengths, arguments.seeds, arguments.cases
        )
    ]
    runs = [Run(name, tool, arguments.work) for name in names for tool in tools]
    for run in runs:
        if run.tool.name in arguments.redo:
            run.file.unlink(missing_ok=True)
    failures = perform_missing(runs, arguments.jobs)
    rows = pooled_rows(stored_results(arguments.work))
    print("\n".join(markdown_table(rows)))
    write_result(arguments.output, {"pooled": rows})
    if failures:
        sys.exit(f"{len(failures)} of {len(runs)} runs failed:\n" + "\n".join(failures))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--cases", nargs="+", choices=CASES, default=list(CASES))
    add("--seeds", type=int, nargs="+", default=list(range(1, 11)))
    add("--lengths", type=int, nargs="+", default=[200_000], help="base pairs")
    add("--haplotypes", type=int, default=20, help="an even number")
    add("--tools", nargs="*", choices=[ESCAPEMENT, TSDATE, *BASELINES], default=None)
    add("--draws", type=int, default=100, help="draws of escapement")
    add("--infer", nargs="+", default=[], metavar="KEY=VALUE", help="settings of escapement")
    add("--name", default=ESCAPEMENT, help="name of these settings in the table")
    add("--peer-python", type=Path, help="Python that has tsinfer and tsdate")
    add("--tool", action="append", default=[], metavar="NAME=COMMAND", help="another peer")
    add("--redo", nargs="+", default=[], metavar="NAME", help="forget their runs first")
    add("--jobs", type=int, default=1, help="runs at a time")
    add("--work", type=Path, default=Path("results/peers"), help="folder of the runs")
    add("--output", type=Path, default=Path("benchmarks/results/peers.json"))
    arguments = parser.parse_args()
    arguments.work = arguments.work.resolve()
    return arguments


def chosen_tools(arguments: argparse.Namespace) -> list[Tool]:
    """Return the methods that are asked for and can be run."""
    wanted = [ESCAPEMENT, TSDATE, *BASELINES] if arguments.tools is None else arguments.tools
    tools = []
    if ESCAPEMENT in wanted:
        command = MODULE.format(module="escapement_tool", draws=arguments.draws)
        tools.append(Tool(arguments.name, " ".join([command, *map(shlex.quote, arguments.infer)])))
    if TSDATE in wanted and arguments.peer_python is None:
        print(f"{TSDATE} is skipped: give --peer-python, a Python that has tsinfer and tsdate")
    elif TSDATE in wanted:
        command = MODULE.format(module="tsinfer_tsdate_peer", draws=TSDATE_DRAWS)
        tools.append(Tool(TSDATE, command, arguments.peer_python.absolute()))
    tools += [Tool(name) for name in BASELINES if name in wanted]
    for text in arguments.tool:
        name, equals, command = text.partition("=")
        if not equals:
            raise ValueError(f"--tool {text!r} has no command; give NAME=COMMAND")
        tools.append(Tool(name, command))
    return tools


def perform_missing(runs: list[Run], jobs: int) -> list[str]:
    """Perform the runs that are not stored, print a line for each, and return what failed."""
    missing = [run for run in runs if run.stored() is None]
    print(f"{len(runs) - len(missing)} of {len(runs)} runs are stored", flush=True)
    failures = []
    with ThreadPoolExecutor(jobs) as workers:
        performed = {workers.submit(run.perform): run for run in missing}
        try:
            for future in as_completed(performed):
                run, error = performed[future], future.exception()
                if error is None:
                    print(describe(future.result()), flush=True)
                else:
                    failures.append(f"{run.name} {run.tool.name}: {error}")
                    print(f"failed: {failures[-1]}", flush=True)
        except KeyboardInterrupt:
            workers.shutdown(wait=False, cancel_futures=True)
            raise
    return failures


def describe(result: dict[str, Any]) -> str:
    """Return one readable line on a run."""
    names = ("rmse", "bias", "crps", "coverage95", "compiled_cpu_seconds")
    scores = result["scores"]
    figures = "  ".join(f"{name} {scores[name]:.3f}" for name in names if name in scores)
    return f"{result['case']:10} {result['length']} seed {result['seed']:<3} " + (
        f"{result['tool']:16} {figures}"
    )


def stored_results(work: Path) -> list[dict[str, Any]]:
    """Read every stored run: by length, case and method in the order of this file, then seed."""
    results = [json.loads(path.read_text("utf-8")) for path in (work / "runs").glob("*.json")]
    cases, tools = list(CASES), [ESCAPEMENT, TSDATE, *BASELINES]

    def place(result: dict[str, Any]) -> tuple[Any, ...]:
        tool = result["tool"]
        # Variants of escapement come first, then other peers, then baselines.
        group = tools.index(tool) if tool in tools else int(not tool.startswith(ESCAPEMENT))
        case = cases.index(result["case"])
        return result["haplotypes"], result["length"], case, group, tool, result["seed"]

    return sorted(results, key=place)


def pooled_rows(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pool the scores of every case, length and method over seeds."""
    keys = ("case", "length", "haplotypes", "tool")
    rows = []
    for values, group in itertools.groupby(results, lambda result: [result[key] for key in keys]):
        runs = list(group)
        rows.append(
            dict(zip(keys, values, strict=True))
            | {
                "num_data_sets": len(runs),
                "seeds": [run["seed"] for run in runs],
                "commands": sorted({str(run["command"]) for run in runs}),
                "commits": sorted({run["commit"] for run in runs}),
                "versions": runs[0]["versions"],
                "scores": pooled_scores(runs),
            }
        )
    return rows


def pooled_scores(runs: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Pool scores over data sets; calibration also over all of their transforms together."""
    scores = pool([run["scores"] for run in runs])
    histograms = [run["transforms"] for run in runs if "transforms" in run]
    if histograms:
        scores["calibration_error_pooled"] = pooled_calibration_error(np.array(histograms))
    return scores


if __name__ == "__main__":
    main()
