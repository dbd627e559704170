"""Run escapement-jax on one data set of the comparison, in a process of its own."""

import argparse
import json
import threading
import time
import tomllib
from pathlib import Path
from typing import Any

import jax
import numpy as np

from escapement_jax.config.genealogy import InferConfig
from escapement_jax.config.toml import from_mapping
from escapement_jax.genealogy.fit import infer
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.io.genealogy_results import write_demography, write_draws
from escapement_jax.training.run_report import COMPILE_EVENTS, covered_seconds


class CompilationClock:
    """Measures the CPU seconds of JAX's compilations in the block it wraps.

    JAX tells the wall time at which a compilation began and ended. CPU time is sampled against wall
    time, so that these spans can be read on the CPU's clock.
    """

    def __init__(self, interval_seconds: float = 0.02) -> None:
        self._interval = interval_seconds
        self._spans: list[tuple[float, float]] = []
        self._samples: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "CompilationClock":
        jax.monitoring.register_event_time_span_listener(self._note)
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._sampler.join()
        jax.monitoring.unregister_event_time_span_listener(self._note)

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of the process while it compiled; to be read after the block."""
        wall, cpu = np.array(self._samples).T
        spans = np.interp(np.array(self._spans).reshape(-1, 2), wall, cpu)
        return covered_seconds([(float(start), float(end)) for start, end in spans])

    def _sample(self) -> None:
        stopped = False
        while not stopped:
            self._samples.append((time.time(), time.process_time()))
            stopped = self._stop.wait(self._interval)
        self._samples.append((time.time(), time.process_time()))

    def _note(self, event: str, start_time: float, end_time: float, **kwargs: str | int) -> None:
        if event.startswith(COMPILE_EVENTS):
            self._spans.append((start_time, end_time))


def main() -> None:
    """Infer, and write draws, N_e(t) and figures to the output folder."""
    importing = time.process_time()
    arguments = parse_arguments()
    told = json.loads((arguments.data / "told.json").read_text(encoding="utf-8"))
    config = infer_config(told, arguments.draws, arguments.options)
    genotypes = read_genotypes(arguments.data, told["sequence_length"])
    with CompilationClock() as clock:
        posterior = infer(genotypes, config, key=jax.random.key(arguments.seed))
        write_draws(arguments.output / "draws", posterior)
        write_demography(arguments.output / "demography.csv", posterior.population_size)
    figures = {
        "startup_cpu_seconds": importing + clock.cpu_seconds,
        "log_evidence_bound": float(posterior.elbo),
    }
    (arguments.output / "figures.json").write_text(json.dumps(figures), encoding="utf-8")
    print(*posterior.warnings, sep="\n")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--draws", type=int, required=True)
    parser.add_argument("options", nargs="*", help="settings of InferConfig as key=value")
    return parser.parse_args()


def infer_config(told: dict[str, float], draws: int, options: list[str]) -> InferConfig:
    """Return the settings: what methods are told, then `key=value` in the manner of TOML.

    The size comes from diversity by default, which is what the other methods are told.
    """
    rates = {name: told[name] for name in ("mutation_rate", "recombination_rate")}
    return from_mapping(rates | {"draws": draws} | parse_options(options), InferConfig)


def parse_options(options: list[str]) -> dict[str, Any]:
    """Parse `key=value` pairs: values as in TOML, and words that are no TOML value as text.

    Raises:
        ValueError: an option without `=`.
    """
    values: dict[str, Any] = {}
    for option in options:
        key, equals, text = option.partition("=")
        if not equals:
            raise ValueError(f"option {option!r} has no value; give key=value")
        try:
            values[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            values[key] = text
    return values


def read_genotypes(folder: Path, sequence_length: float) -> Genotypes:
    """Read the arrays of a data set."""
    with np.load(folder / "genotypes.npz") as arrays:
        haplotypes, positions = arrays["haplotypes"], arrays["positions"]
    return Genotypes.from_arrays(haplotypes, positions, start=0, end=int(sequence_length), ploidy=2)


if __name__ == "__main__":
    main()
