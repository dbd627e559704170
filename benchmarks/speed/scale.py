"""How time and memory of an inference grow with haplotypes, length, draws and devices.

Every case is a process of its own, with as many simulated CPU devices as it asks for. `--plan`
computes from figures that were measured what a large study would cost.
"""

import argparse
import json
import math
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import write_result
from benchmarks.simulated_genotypes import inference_config, simulate_genotypes
from benchmarks.speed.threading_speed import Case, CompilationCounter, one_call, peak_memory_mb
from escapement_jax.training.devices import device_mesh

LEVELS = 24
BIN_WIDTH = 100


@dataclass(frozen=True)
class Size:
    """One problem size."""

    haplotypes: int = 20
    length: int = 200_000
    draws: int = 8
    devices: int = 1

    @property
    def units(self) -> float:
        """Threadings x bins x draws of one pass."""
        return (self.haplotypes - 1) * self.length / BIN_WIDTH * self.draws


ALL = [
    *(Size(haplotypes=n) for n in (10, 20, 50, 100)),
    *(Size(length=length) for length in (100_000, 1_000_000, 10_000_000)),
    *(Size(draws=draws) for draws in (2, 32)),
    *(Size(devices=devices) for devices in (2, 4)),
]
FEW = [Size(5, 20_000, 2), Size(10, 20_000, 2), Size(10, 50_000, 2), Size(10, 20_000, 8)]


def main() -> None:
    """Measure, or plan from what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", action="store_true", help="small sizes only")
    parser.add_argument("--case", help="measure this one here, and print it")
    parser.add_argument("--plan", action="store_true", help="read the output, and plan from it")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/scale.json"))
    arguments = parser.parse_args()
    if arguments.case is not None:
        print(json.dumps(measure(Size(**json.loads(arguments.case)))))
    elif arguments.plan:
        print(json.dumps(plan(json.loads(arguments.output.read_text())["results"]), indent=2))
    else:
        results = [in_own_process(size) for size in (FEW if arguments.few else ALL)]
        write_result(arguments.output, {"results": results, "plan": plan(results)})


def in_own_process(size: Size) -> dict[str, Any]:
    """Measure one size in a fresh process."""
    flags = f"--xla_force_host_platform_device_count={size.devices}"
    words = [sys.executable, "-m", "benchmarks.speed.scale", "--case", json.dumps(asdict(size))]
    done = subprocess.run(
        words, env={**os.environ, "XLA_FLAGS": flags}, check=True, capture_output=True, text=True
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    print(figures, flush=True)
    return figures


def measure(size: Size) -> dict[str, Any]:
    """Run one pass twice in this process; the second compiles nothing."""
    counter = CompilationCounter()
    _, genotypes = simulate_genotypes(1, size.length, size.haplotypes)
    case = Case(size.length, size.draws, size.haplotypes)
    with device_mesh(size.devices, batch=inference_config(size.draws).num_chains):
        first, second = (one_call(genotypes, case, counter) for _ in range(2))
    return {
        **asdict(size),
        "first_call": asdict(first),
        "second_call": asdict(second),
        "cpu_microseconds_per_unit": 1e6 * second.cpu_seconds / size.units,
        "peak_memory_mb": peak_memory_mb(),
    }


def plan(results: list[dict[str, Any]], haplotypes: int = 1000, length: float = 3e9) -> dict:
    """Cost of a pass for a large study: microseconds per unit grow as a power of the haplotypes.

    A unit is one haplotype threaded through one bin in one draw.

    Args:
        results: Figures measured with one device.
        haplotypes: Number of genomes.
        length: Base pairs.
    """
    single = [one for one in results if one["devices"] == 1]
    numbers = np.log([one["haplotypes"] for one in single])
    costs = np.log([one["cpu_microseconds_per_unit"] for one in single])
    power, level = np.polyfit(numbers, costs, 1) if np.ptp(numbers) else (0.0, costs.mean())
    per_unit = math.exp(level + power * math.log(haplotypes))
    units = (haplotypes - 1) * length / BIN_WIDTH
    # A level matrix of every segment, one byte an entry; segments as records are expected.
    tree = haplotypes**2
    return {
        "haplotypes": haplotypes,
        "length": length,
        "power_of_haplotypes": float(power),
        "cpu_microseconds_per_unit": per_unit,
        "cpu_core_years_per_draw": per_unit * units / 1e6 / 3600 / 24 / 365.25,
        "bytes_of_a_tree": tree,
    }


if __name__ == "__main__":
    main()
