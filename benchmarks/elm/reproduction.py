"""The published notebook rerun on its data: Tables 1 and 2, and 25 replicates both ways.

    python -m benchmarks.elm.reproduction --replicates 25

Every run is kept as soon as it is done; runs that the output already holds are not repeated.
"""

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import numpy as np

from benchmarks.elm.published_data import published
from benchmarks.record import write_result
from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.config.toml import read_toml
from escapement_jax.experiments.decompose import decompose_study

OUTPUT = Path("benchmarks/results/elm_reproduction.json")
CONFIG = Path("configs/elm/source.toml")
TABLE_1 = (0.997, 0.988, 0.982, 0.975, 0.970)
TABLE_2 = (0.209, 0.154, 0.119, 0.103, 0.051)


def runs(replicates: int) -> list[tuple[str, dict[str, Any], tuple[float, ...] | None]]:
    """Name, changed settings and published r2 of each run."""
    noise = {"heritability": 0.25}
    many = noise | {"replicates": replicates}
    return [
        ("Table 1, steered by the test set as published", {"stop_on": "test"}, TABLE_1),
        ("Table 1, steered by a validation set", {}, TABLE_1),
        ("Table 2, steered by the test set as published", noise | {"stop_on": "test"}, TABLE_2),
        ("Table 2, steered by a validation set", noise, TABLE_2),
        (f"H2 = .25, {replicates} networks, one data set", many, None),
        (f"H2 = .25, {replicates} networks, new noise each", many | {"fresh_noise": True}, None),
    ]


def one_run(name: str, changes: dict[str, Any], r2: tuple[float, ...] | None) -> dict[str, Any]:
    """Decompose as published, and compare with the truth."""
    config = read_toml(CONFIG, DecomposeConfig)
    config = dataclasses.replace(config, anchors=(), **changes)
    started = time.process_time()
    effects, rows, _ = decompose_study(published(1), config)
    network = effects.network
    assert network is not None
    return {
        "name": name,
        "settings": changes,
        "published_r2": r2,
        "test_correlation_squared": (np.asarray(network.test_correlation) ** 2).tolist(),
        "test_r2": list(rows[0].test_r2),
        "additive_slope": list(rows[0].additive_slope),
        "additive_r2": list(rows[0].additive_r2),
        "pair_slope": list(rows[0].slope),
        "pair_r2": list(rows[0].r2),
        "pair_correlation_squared": list(rows[0].correlation2),
        "reconstruction_error": float(network.reconstruction_error),
        "epochs": np.asarray(network.num_epochs).tolist(),
        "cpu_seconds_with_compilation": time.process_time() - started,
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicates", type=int, default=25)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    done = []
    if options.output.exists():
        done = json.loads(options.output.read_text(encoding="utf-8"))["runs"]
    for name, changes, r2 in runs(options.replicates):
        if any(run["name"] == name for run in done):
            continue
        done.append(one_run(name, changes, r2))
        write_result(options.output, {"runs": done})
        print(name, np.round(done[-1]["test_correlation_squared"], 3), flush=True)
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
