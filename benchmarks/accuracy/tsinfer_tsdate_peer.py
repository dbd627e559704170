"""Run tsinfer and tsdate on one data set of the comparison, in an environment of their own.

The topology is tsinfer's, one for all draws; node times are drawn independently from tsdate's gamma
posteriors (mean `mn` and variance `vr` in the metadata of nodes).
"""

import argparse
import json
import os
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tskit

# tsdate compiles on import, 33 CPU seconds; what it can keep on disk halves that.
os.environ.setdefault("TSDATE_ENABLE_NUMBA_CACHE", "1")

import tsdate  # noqa: E402
import tsinfer  # noqa: E402


def main() -> None:
    """Infer twice, since the first time compiles, and write dated trees and draws of times."""
    arguments = parse_arguments()
    told = json.loads((arguments.data / "told.json").read_text(encoding="utf-8"))
    with np.load(arguments.data / "genotypes.npz") as arrays:
        haplotypes, positions = arrays["haplotypes"], arrays["positions"]
    infer_and_date(haplotypes, positions, told)
    startup = time.process_time()
    dated = infer_and_date(haplotypes, positions, told)
    times = draw_node_times(dated, arguments.draws, np.random.default_rng(arguments.seed))
    (arguments.output / "draws").mkdir(parents=True, exist_ok=True)
    dated.dump(arguments.output / "draws" / "dated.trees")
    np.save(arguments.output / "node_times.npy", times)
    versions = {package: version(package) for package in ("tsinfer", "tsdate")}
    figures = {"startup_cpu_seconds": startup, "versions": versions}
    (arguments.output / "figures.json").write_text(json.dumps(figures), encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--draws", type=int, required=True)
    return parser.parse_args()


def infer_and_date(
    haplotypes: np.ndarray, positions: np.ndarray, told: dict[str, float]
) -> tskit.TreeSequence:
    """Return tsinfer's topology with the nodes at tsdate's mean times, in generations."""
    samples = tsinfer.SampleData(sequence_length=told["sequence_length"])
    for position, alleles in zip(positions, haplotypes, strict=True):
        samples.add_site(int(position), alleles, ["A", "T"])
    samples.finalise()
    inferred = tsinfer.infer(samples, recombination_rate=told["recombination_rate"])
    return tsdate.date(tsdate.preprocess_ts(inferred), mutation_rate=told["mutation_rate"])


def draw_node_times(
    dated: tskit.TreeSequence, draws: int, generator: np.random.Generator
) -> np.ndarray:
    """Draw node times [draws, nodes]; samples stay at time 0."""
    metadata = [node.metadata or {} for node in dated.nodes()]
    mean = np.array([entry.get("mn", 0.0) for entry in metadata])
    variance = np.array([entry.get("vr", 0.0) for entry in metadata])
    fixed = variance == 0
    shape, scale = mean**2 / np.where(fixed, 1, variance), variance / np.where(fixed, 1, mean)
    return np.where(fixed, mean, generator.gamma(shape, scale, (draws, len(mean))))


if __name__ == "__main__":
    main()
