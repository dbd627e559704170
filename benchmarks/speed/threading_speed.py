"""Time, memory and number of compilations of one threading pass.

Every case runs in a fresh process, so that its peak memory and its compilations are its own. The
first call compiles and runs, the second call of the same shapes only runs.
"""

import argparse
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import jax

from benchmarks.record import write_result
from benchmarks.simulated_genotypes import inference_config, simulate_genotypes
from escapement_jax.genealogy.fit import infer
from escapement_jax.genealogy.genome.genotypes import Genotypes

BACKEND_COMPILE_EVENT = "/jax/core/compile/backend_compile_duration"


@dataclass(frozen=True)
class Case:
    """One problem size."""

    length: int
    draws: int
    haplotypes: int = 20
    seed: int = 1


@dataclass(frozen=True)
class Cost:
    """What one call has cost; compilation is counted by the backend compiler's own events."""

    cpu_seconds: float
    wall_seconds: float
    num_compilations: int
    compile_wall_seconds: float


class CompilationCounter:
    """Adds up the calls of the backend compiler and their seconds."""

    def __init__(self) -> None:
        self.number = 0
        self.seconds = 0.0
        jax.monitoring.register_event_duration_secs_listener(self._note)

    def _note(self, event: str, duration: float, **_: str | int) -> None:
        if event == BACKEND_COMPILE_EVENT:
            self.number += 1
            self.seconds += duration


def main() -> None:
    """Measure every case and write the figures."""
    arguments = parse_arguments()
    cases = [Case(length=200_000, draws=32), Case(length=1_000_000, draws=8)]
    if arguments.smoke:
        cases = [Case(length=10_000, draws=2, haplotypes=4)]
    fresh = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as processes:
        results = []
        for case, figures in zip(cases, processes.map(measure, cases), strict=True):
            results.append({"case": asdict(case), **figures})
            print(results[-1], flush=True)
    write_result(arguments.output, {"results": results})


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="one tiny case, to try the script")
    parser.add_argument(
        "--output", type=Path, default=Path("benchmarks/results/threading_speed.json")
    )
    return parser.parse_args()


def measure(case: Case) -> dict[str, Any]:
    """Run one case twice in this process."""
    # A compilation found on disk would not be one.
    jax.config.update("jax_enable_compilation_cache", False)
    counter = CompilationCounter()
    _, genotypes = simulate_genotypes(case.seed, case.length, case.haplotypes)
    first = one_call(genotypes, case, counter)
    second = one_call(genotypes, case, counter)
    return {
        "num_sites": genotypes.num_sites,
        "first_call": asdict(first),
        "second_call": asdict(second),
        "compile_cpu_seconds": first.cpu_seconds - second.cpu_seconds,
        "peak_memory_mb": peak_memory_mb(),
    }


def one_call(genotypes: Genotypes, case: Case, counter: CompilationCounter) -> Cost:
    """Run one inference and return what it cost."""
    number, compiling = counter.number, counter.seconds
    cpu, wall = time.process_time(), time.perf_counter()
    infer(genotypes, inference_config(case.draws), key=jax.random.key(case.seed))
    return Cost(
        cpu_seconds=time.process_time() - cpu,
        wall_seconds=time.perf_counter() - wall,
        num_compilations=counter.number - number,
        compile_wall_seconds=counter.seconds - compiling,
    )


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process, in units of 10^6 bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in kibibytes, macOS in bytes.
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


if __name__ == "__main__":
    main()
