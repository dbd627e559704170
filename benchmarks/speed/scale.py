"""How time and memory of an inference grow with haplotypes, length, draws and devices.

Every case is a process of its own, with as many simulated CPU devices as it asks for. `--plan`
computes from figures that were measured what a large study would cost.
"""

import argparse
import json
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


PRICE_PER_CORE_HOUR = 0.05
"""US dollars: an assumption, of the order of what clouds ask for a core on demand."""


@dataclass(frozen=True)
class Size:
    """One problem size."""

    haplotypes: int = 20
    length: int = 200_000
    draws: int = 4
    devices: int = 1

    @property
    def units(self) -> float:
        """Threadings x bins x draws of one pass."""
        return (self.haplotypes - 1) * self.length / BIN_WIDTH * self.draws


SAME = ("length", "draws", "devices")
"""What the sizes have in common from which the growth with haplotypes is told."""
NUMBERS = [Size(haplotypes=n) for n in (10, 20, 50, 100)]
LENGTHS = [Size(10, length, draws=2) for length in (100_000, 1_000_000, 10_000_000)]
DRAWS = [Size(draws=draws) for draws in (1, 16, 32)]
DEVICES = [Size(draws=16, devices=devices) for devices in (2, 4)]
FEW = [Size(4, 20_000, 2), Size(10, 20_000, 2), Size(10, 50_000, 2), Size(10, 20_000, 8)]


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
        results = []
        for size in FEW if arguments.few else [*NUMBERS, *DRAWS, *DEVICES, *LENGTHS]:
            results.append(in_own_process(size))
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
    """Cost of one pass with one draw over a large study, drawn out from what was measured.

    A unit is one haplotype threaded through one bin in one draw; its cost grows as a power of the
    number of haplotypes. The power is that of all numbers measured, and, more carefully, that of
    the two largest ones.

    Args:
        results: Figures measured; those that differ in the number of haplotypes alone are used.
        haplotypes: Number of genomes.
        length: Base pairs.
    """
    base = asdict(Size())
    rows = [one for one in results if all(one[name] == base[name] for name in SAME)]
    cost = {one["haplotypes"]: one["cpu_microseconds_per_unit"] for one in rows}
    numbers = sorted(cost)
    if len(numbers) < 2:
        return {}
    powers = {"all": _power(cost, numbers), "two largest": _power(cost, numbers[-2:])}
    units = (haplotypes - 1) * length / BIN_WIDTH
    ways = {}
    for name, power in powers.items():
        per_unit = cost[numbers[-1]] * (haplotypes / numbers[-1]) ** power
        hours = per_unit * units / 1e6 / 3600
        ways[name] = {
            "power_of_haplotypes": power,
            "cpu_microseconds_per_unit": per_unit,
            "core_hours": hours,
            "dollars": hours * PRICE_PER_CORE_HOUR,
        }
    # One single-precision message per lineage, level and bin, and a level matrix per segment.
    message = 4 * haplotypes * LEVELS / BIN_WIDTH
    return {
        "haplotypes": haplotypes,
        "length": length,
        "draws": 1,
        "dollars_per_core_hour_assumed": PRICE_PER_CORE_HOUR,
        "by_power_of": ways,
        "bytes_of_messages_per_megabase": message * 1e6,
        "bytes_of_a_tree": haplotypes**2,
    }


def _power(cost: dict[int, float], numbers: list[int]) -> float:
    logs = np.log([cost[number] for number in numbers])
    return float(np.polyfit(np.log(numbers), logs, 1)[0])


if __name__ == "__main__":
    main()
