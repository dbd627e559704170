"""How many oscillators, how many bins and how many seconds each search takes.

    python -m benchmarks.curiosity.searches [rollouts default black-box large imgep strategies]

CPU seconds (user and system) of a warm program; compilation is given apart. Oscillators and bins
are counted by the sustained-oscillation rule, in the published and the fixed extent; for the
default search also by the published rule on the published Euler steps.
"""

import resource
import sys
from pathlib import Path

import jax
import numpy as np

from benchmarks.record import provenance, write_result
from escapement_jax.curiosity import Experiment, ExploreConfig, TranscriptionalCircuit
from escapement_jax.curiosity.behaviour import Oscillation, SourceOscillation
from escapement_jax.curiosity.diversity import PUBLISHED_EXTENT, DescriptorGrid, filled_bins
from escapement_jax.curiosity.diversity.filled_bins import percent_of_feasible
from escapement_jax.curiosity.explore import default_experiment, make_search
from escapement_jax.curiosity.rollouts import FixedStepRollout

FIXED_EXTENT = DescriptorGrid((0.0, 0.0, 0.0), (1.0, 1.0, 1.2))
EULER = FixedStepRollout(10_000, 0.01, 5000, "euler")
FOLDER = Path("benchmarks/results")

CASES = {
    "default": (ExploreConfig(), 5),
    "black-box": (ExploreConfig(start="random"), 5),
    "large": (ExploreConfig(budget=100_000), 2),
    "imgep": (
        ExploreConfig(
            strategy="imgep",
            behaviour="source-oscillation",
            solver="euler",
            num_steps=10_000,
            step_size=0.01,
        ),
        2,
    ),
    "random": (ExploreConfig(strategy="random"), 3),
    "descriptor-goals": (ExploreConfig(strategy="descriptor-goals"), 3),
    "imflow": (ExploreConfig(strategy="imflow"), 3),
    "map-elites": (ExploreConfig(strategy="map-elites"), 3),
    "novelty": (ExploreConfig(strategy="novelty"), 3),
}


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def run_case(config: ExploreConfig, num_seeds: int) -> dict:
    """Run a search for several seeds; the first run also compiles and is made once more."""
    experiment = default_experiment(TranscriptionalCircuit(), config)
    search = make_search(experiment, config)
    batches = search.capacity // search.batch_size
    rows, compile_seconds = [], 0.0
    for seed in (0, *range(num_seeds)):
        before = cpu_seconds()
        state = search.init(key=jax.random.key(seed))
        library = jax.block_until_ready(search.run(state, batches)).library
        seconds = cpu_seconds() - before
        if compile_seconds == 0.0:
            compile_seconds = seconds
            continue
        found, seen = np.asarray(library.found), np.asarray(library.descriptors)
        inside = found & np.asarray(FIXED_EXTENT.contains(library.descriptors))
        row = {
            "seed": seed,
            "oscillators": int(found.sum()),
            "bins_published_extent": filled_bins(seen, found, PUBLISHED_EXTENT),
            "bins_fixed_extent": filled_bins(seen, inside, FIXED_EXTENT),
            "percent_of_feasible": round(percent_of_feasible(seen, found, FIXED_EXTENT), 2),
            "cpu_seconds": round(seconds, 3),
        }
        if config == CASES["default"][0]:
            row |= by_published_rule(library.parameters)
        rows.append(row)
        print(row, flush=True)
    compile_seconds -= float(np.median([row["cpu_seconds"] for row in rows]))
    names = [name for name in rows[0] if name != "seed"]
    return {
        "rollouts": search.capacity,
        "mean": {name: round(float(np.mean([row[name] for row in rows])), 3) for name in names},
        "deviation": {name: round(float(np.std([row[name] for row in rows])), 3) for name in names},
        "compile_cpu_seconds": round(compile_seconds, 2),
        "peak_gigabytes": round(peak_gigabytes(), 3),
        "runs": rows,
    }


def by_published_rule(parameters: jax.Array) -> dict:
    experiment = Experiment(TranscriptionalCircuit(), EULER, SourceOscillation(num_bins=0))
    look = jax.jit(lambda rows: experiment(rows))
    seen = [look(parameters[i : i + 500]) for i in range(0, parameters.shape[0], 500)]
    found = np.concatenate([np.asarray(one.found) for one in seen])
    descriptors = np.concatenate([np.asarray(one.descriptors) for one in seen])
    return {
        "oscillators_published_rule": int(found.sum()),
        "bins_published_rule": filled_bins(descriptors, found, PUBLISHED_EXTENT),
    }


def random_rollouts() -> dict:
    """Time 5,000 random rollouts with descriptors, in batches of 500: least of ten repeats."""
    system = TranscriptionalCircuit()
    result = {}
    cases = {
        "rk4 0.1": (FixedStepRollout(), Oscillation()),
        "rk4 0.1, published rule": (FixedStepRollout(), SourceOscillation(num_bins=0)),
        "euler 0.01, published rule": (EULER, SourceOscillation(num_bins=0)),
    }
    for name, (rollout, behaviour) in cases.items():
        experiment = Experiment(system, rollout, behaviour)
        look = jax.jit(lambda rows, experiment=experiment: experiment(rows))
        rows = system.box.sample(500, key=jax.random.key(0))
        jax.block_until_ready(look(rows))
        times = []
        for _ in range(10):
            before = cpu_seconds()
            for _ in range(10):
                jax.block_until_ready(look(rows))
            times.append(cpu_seconds() - before)
        result[name] = {
            "cpu_seconds_least": round(min(times), 4),
            "cpu_seconds_median": round(float(np.median(times)), 4),
        }
        print(name, result[name], flush=True)
    return {"rollouts": 5000, "solvers": result}


def main() -> None:
    wanted = sys.argv[1:] or ["rollouts", *CASES]
    provenance()
    for name in wanted:
        print(name, flush=True)
        result = random_rollouts() if name == "rollouts" else run_case(*CASES[name])
        write_result(FOLDER / f"curiosity_{name.replace('-', '_')}.json", result)


if __name__ == "__main__":
    main()
