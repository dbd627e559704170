"""Are the intervals of a decomposition calibrated, and its discoveries true? Over many data sets.

    python -m benchmarks.elm.calibration --data-sets 24

Each data set is simulated anew (8,500 haploids to learn from, 64 loci, five traits, H2 = .25).
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import jax
import numpy as np

from benchmarks.record import write_result
from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.config.elm_simulation import SimulateElmConfig
from escapement_jax.elm.decompose import decompose
from escapement_jax.elm.method_table import agreement
from escapement_jax.elm.simulation import simulate

OUTPUT = Path("benchmarks/results/elm_calibration.json")
FALSE_DISCOVERY_RATE = 0.05


def one_data_set(seed: int, learner: str, heritability: float) -> dict[str, Any]:
    """Coverage, discoveries and accuracy on one simulated data set."""
    study = simulate(SimulateElmConfig(heritability=heritability, seed=seed))
    config = DecomposeConfig(learner=learner, anchors=(), split="last", seed=seed)
    started = time.process_time()
    effects = decompose(study.coded(), study.phenotypes, config, key=jax.random.key(seed))
    seconds = time.process_time() - started
    truth = study.truth
    assert truth is not None
    table, true_pairs = effects.epistatic, truth.pair_effects(np.asarray(effects.pairs))
    inside = (np.asarray(table.lower_95) <= true_pairs) & (true_pairs <= np.asarray(table.upper_95))
    main = effects.additive
    inside_additive = (np.asarray(main.lower_95) <= truth.additive) & (
        truth.additive <= np.asarray(main.upper_95)
    )
    found = np.asarray(table.q_value) <= FALSE_DISCOVERY_RATE
    return {
        "seed": seed,
        "coverage_pairs": inside.mean(axis=1).tolist(),
        "coverage_additive": inside_additive.mean(axis=1).tolist(),
        "found": found.sum(axis=1).tolist(),
        "false": (found & (true_pairs == 0)).sum(axis=1).tolist(),
        "pair_r2": [
            agreement(np.asarray(e), t)[1] for e, t in zip(table.effect, true_pairs, strict=True)
        ],
        "test_r2": np.asarray(effects.test_r2).tolist(),
        "cpu_seconds": seconds,
    }


def main() -> None:
    """Measure and write; every data set is kept as soon as it is done."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-sets", type=int, default=24)
    parser.add_argument("--learner", default="regression")
    parser.add_argument("--heritability", type=float, default=0.25)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    rows = []
    for seed in range(1, options.data_sets + 1):
        rows.append(one_data_set(seed, options.learner, options.heritability))
        settings = {"learner": options.learner, "heritability": options.heritability}
        write_result(options.output, {"settings": settings, "data_sets": rows})
        print(seed, rows[-1]["found"], rows[-1]["false"], f"{rows[-1]['cpu_seconds']:.1f} s")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
