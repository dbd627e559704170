"""What regressions and scans make of the published data, and what they cost.

    python -m benchmarks.elm.anchors

Every method runs twice in one thread; the second run, which compiles nothing, is timed. The scan of
triples has data of its own: 64 loci, 21 triples with half of V_G.
"""

import argparse
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.elm.published_data import published, split
from benchmarks.record import write_result
from escapement_jax.config.elm_simulation import SimulateElmConfig
from escapement_jax.elm.anchors.comparison import run_anchors
from escapement_jax.elm.anchors.moments import column_pairs
from escapement_jax.elm.anchors.pair_scan import strongest_pairs
from escapement_jax.elm.method_table import anchor_row
from escapement_jax.elm.simulation import simulate

OUTPUT = Path("benchmarks/results/elm_anchors.json")
METHODS = ("additive", "blup", "pair-scan", "pairwise", "lasso", "spike-slab")


def published_table(heritability: float) -> list[dict[str, Any]]:
    """The comparison of methods on the published data."""
    data = split(published(heritability))
    pairs = column_pairs(np.asarray(data.train.column_locus))
    arguments = (data.train, data.train_phenotypes, data.test, data.test_phenotypes, pairs, METHODS)
    run_anchors(*arguments)
    truth = data.study.truth
    assert truth is not None
    anchors = run_anchors(*arguments)
    true_pairs = truth.pair_effects(np.asarray(pairs))
    return [asdict(anchor_row(anchor, truth, true_pairs)) for anchor in anchors]


def triple_table(seeds: range = range(3)) -> list[dict[str, Any]]:
    """True triples found by the exhaustive scan of 41,664, at three heritabilities."""
    rows = []
    for heritability in (0.999, 0.5, 0.25):
        for seed in seeds:
            config = SimulateElmConfig(
                additive_share=(0.5,),
                interaction_order=3,
                heritability=heritability,
                seed=seed,
            )
            data = split(simulate(config))
            pairs = column_pairs(np.asarray(data.train.column_locus))
            arguments = (data.train, data.train_phenotypes, data.test, data.test_phenotypes, pairs)
            if not rows:
                run_anchors(*arguments, ("triple-scan",))
            linear, anchor = run_anchors(*arguments, ("additive", "triple-scan"))
            row = anchor_row(anchor, data.study.truth, None)
            rows.append(
                {
                    "heritability": heritability,
                    "seed": seed,
                    "found": row.found[0],
                    "true": row.true[0],
                    "test_r2": row.test_r2[0],
                    "additive_test_r2": float(linear.test_r2[0]),
                    "cpu_seconds": row.cpu_seconds,
                }
            )
    return rows


def scan_speed(num_loci: int, num_individuals: int = 8500) -> dict[str, float]:
    """CPU seconds of the streamed scan of all pairs for one trait, the better of two runs."""
    generator = np.random.default_rng(0)
    signs = generator.choice([-1.0, 1.0], (num_individuals, num_loci))
    contrasts = jnp.asarray(signs - signs.mean(axis=0), jnp.float32)
    trait = jnp.asarray(generator.normal(size=(num_individuals, 1)), jnp.float32)
    loci = jnp.arange(num_loci, dtype=jnp.int32)
    seconds = []
    for _ in range(3):
        started = time.process_time()
        result = jax.block_until_ready(strongest_pairs(contrasts, trait, loci, keep=1000))
        seconds.append(time.process_time() - started)
    best = min(seconds[1:])
    return {
        "loci": num_loci,
        "pairs": result.num_tested,
        "individuals": num_individuals,
        "cpu_seconds": best,
        "pairs_per_second": result.num_tested / best,
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--scan-loci", type=int, default=4096)
    parser.add_argument("--parts", nargs="*", default=["published", "triples", "pair_scan"])
    options = parser.parse_args()
    result: dict[str, Any] = {}
    if options.output.exists():
        result = json.loads(options.output.read_text(encoding="utf-8"))
        result.pop("provenance")
    makers = {
        "published": lambda: {str(h2): published_table(h2) for h2 in (1, 0.25)},
        "triples": triple_table,
        "pair_scan": lambda: scan_speed(options.scan_loci),
    }
    for part in options.parts:
        result[part] = makers[part]()
        result[f"{part}_machine_load"] = os.getloadavg()[0]
        write_result(options.output, result)
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
