"""Recovery of homeostasis on the published benchmark network: every row of the target table.

    python benchmarks/homeostasis/recovery_table.py known unknown frozen neural noise large

Each row is a group of cases. Each case is written to `benchmarks/results/homeostasis_<row>.json` as
soon as it is measured, with the commit it was measured at; it takes the place of an earlier
measurement of itself, and all other cases stay. Labels are used for scoring only.

`NETWORK_SEEDS`, `LAWS` and `NOISE_LEVELS` choose cases, `TWICE=0` runs each once (its seconds then
hold compilation), `RESULT_SUFFIX` is added to the name of the file.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from record import commit, write_result  # noqa: E402

from escapement_jax.config.homeostasis import RecoverConfig  # noqa: E402
from escapement_jax.config.homeostasis_simulation import SimulateHomeostasisConfig  # noqa: E402
from escapement_jax.homeostasis.rate_laws import AbstractRateLaw, Concentration  # noqa: E402
from escapement_jax.homeostasis.recover import recover  # noqa: E402
from escapement_jax.homeostasis.recovery import Recovery  # noqa: E402
from escapement_jax.homeostasis.regression.frozen_reactions import FrozenReactions  # noqa: E402
from escapement_jax.homeostasis.simulation.simulate import Simulation, simulate  # noqa: E402
from escapement_jax.homeostasis.stepping import rollout  # noqa: E402

RESULTS = Path(__file__).parents[1] / "results"
SEEDS = tuple(int(seed) for seed in os.environ.get("NETWORK_SEEDS", "42,43,44,45").split(","))
LAWS = os.environ.get("LAWS", "mass-action,saturating,power").split(",")
IDENTITY = ("seed", "law", "outliers", "relative_noise")
"""What tells the cases of a row apart."""
KEY = jax.random.key(0)
Case = Iterator[dict]


def cpu_seconds() -> float:
    """User and system time of this process."""
    spent = os.times()
    return spent.user + spent.system


def timed(function: Callable[[], Recovery]) -> tuple[Recovery, dict]:
    """Run twice: compiling and running, then running alone."""
    times = []
    for _ in range(2 if os.environ.get("TWICE", "1") == "1" else 1):
        cpu, wall = cpu_seconds(), time.perf_counter()
        recovery = function()
        times.append((cpu_seconds() - cpu, time.perf_counter() - wall))
    return recovery, {
        "cpu_seconds_first": times[0][0],
        "cpu_seconds": times[-1][0],
        "wall_seconds": times[-1][1],
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def scores(recovery: Recovery, simulation: Simulation) -> dict:
    """Compare with the truth; labels enter here and nowhere else."""
    truth, model = simulation.truth, simulation.truth.model
    labels, known = np.asarray(truth.types), recovery.identifiable
    slopes, offsets = np.asarray(model.slopes), np.asarray(model.offsets)
    log_rates = np.log10(np.asarray(model.rates))[known]
    error = (recovery.log10_rates[known] - log_rates) ** 2
    types = range(labels.max() + 1)
    mean = lambda values, t: float(values[labels == t].mean())  # noqa: E731
    # Types come in order of strength, in the truth as in the result, if their number is right.
    right = recovery.num_types == len(types)
    ratio = lambda found, true: (  # noqa: E731
        (found / np.asarray(true)).tolist() if right else found.tolist()
    )
    return {
        "identifiable_k_r2": float(1 - error.mean() / log_rates.var()),
        "types_found": recovery.num_types,
        "accuracy": accuracy(recovery.types, labels),
        "pooled_slope_ratios": ratio(recovery.type_slopes, truth.type_slopes),
        "pooled_offset_ratios": ratio(recovery.type_offsets, truth.type_offsets),
        "baselines": recovery.type_baselines.tolist(),
        "mean_slope_ratios": [mean(recovery.slopes, t) / mean(slopes, t) for t in types],
        "mean_offset_ratios": [mean(recovery.offsets, t) / mean(offsets, t) for t in types],
        "coverage": {
            "rates": coverage(
                recovery.rates[known], recovery.rates_stderr[known], np.asarray(model.rates)[known]
            ),
            "slopes": coverage(recovery.slopes, recovery.slope_stderr, slopes),
            "offsets": coverage(recovery.offsets, recovery.offset_stderr, offsets),
        },
        "method": recovery.method,
        "integrator": recovery.integrator,
        "noise": [recovery.noise_relative, recovery.noise_absolute],
        "chi_square": None if np.isnan(recovery.chi_square) else recovery.chi_square,
        "held_out_normalised_rmse": held_out_error(recovery, simulation),
    }


def held_out_error(recovery: Recovery, simulation: Simulation) -> float:
    """Error of predicting 10 time units from another start, over the spread of the truth."""
    random, metabolites = np.random.default_rng(2026), recovery.network.num_metabolites
    start, times = jnp.asarray(random.uniform(1.0, 9.0, metabolites)), jnp.arange(101) * 0.1
    truth = rollout(simulation.truth.model, start, times, method="euler")
    guess = rollout(recovery.pooled_model(), start, times, method="euler")
    return float(jnp.sqrt(jnp.mean((guess - truth) ** 2)) / jnp.std(truth))


def coverage(found: np.ndarray, stderr: np.ndarray, truth: np.ndarray) -> float:
    """Share of 95 % intervals that hold the truth."""
    return float(np.mean(np.abs(found - truth) < 1.96 * stderr))


def accuracy(found: np.ndarray, labels: np.ndarray) -> float:
    """Share of metabolites in the right type, under the best naming of the types."""
    count = int(max(found.max(), labels.max())) + 1
    return max(
        float(np.mean(np.array(names)[found] == labels)) for names in permutations(range(count))
    )


def measured(simulation: Simulation, config: RecoverConfig, **more) -> dict:
    """Recover and score one case."""
    run = lambda: recover(simulation.time_courses, simulation.network, config, key=KEY, **more)  # noqa: E731
    recovery, seconds = timed(run)
    return scores(recovery, simulation) | seconds


def known() -> Case:
    """Known law, no noise."""
    for seed in SEEDS:
        simulation = simulate(SimulateHomeostasisConfig(seed=seed))
        yield {"seed": seed} | measured(simulation, RecoverConfig())


def unknown() -> Case:
    """Unknown law, fitted as a spline, no noise."""
    for seed in SEEDS:
        for law in LAWS:
            simulation = simulate(SimulateHomeostasisConfig(seed=seed, law=law))
            yield {"seed": seed, "law": law} | measured(simulation, RecoverConfig(law="spline"))


def frozen() -> Case:
    """Phase 1 frozen at R2 = 0.87 of the log rates: jitter alone, and jitter with outliers."""
    for seed in SEEDS:
        simulation = simulate(SimulateHomeostasisConfig(seed=seed))
        model, random = simulation.truth.model, np.random.default_rng(seed)
        log_rates = np.log10(np.asarray(model.rates))
        for outliers in (0, 10):
            noise = random.standard_normal(len(log_rates))
            noise[: len(noise) - outliers] *= 0.25 if outliers else 1.0
            noise *= np.sqrt(0.13 * log_rates.var() / np.mean(noise**2))
            rates = jnp.asarray(10 ** (log_rates + noise))
            r2 = 1 - np.mean(noise**2) / log_rates.var()
            phase_one = FrozenReactions(rates, model.unit_fluxes)
            case = measured(simulation, RecoverConfig(), phase_one=phase_one)
            yield {"seed": seed, "outliers": outliers, "frozen_k_r2": float(r2)} | case


class CrookedLaw(AbstractRateLaw):
    """What a network trained on these data looks like: right to some per cent, with a floor."""

    def log_factor_at(self, concentration: Concentration) -> Concentration:
        """Return a crooked logarithm."""
        log_c = jnp.log(concentration + 1e-2)
        return 0.95 * log_c + 0.05 * jnp.sin(1.5 * log_c)


def neural() -> Case:
    """Phase 1 frozen with a wrong law, softplus floor included; found out and refitted."""
    for seed in SEEDS:
        simulation = simulate(SimulateHomeostasisConfig(seed=seed))
        network, random = simulation.network, np.random.default_rng(seed)
        orders = network.substrate_orders
        unit = lambda c, orders=orders: jax.nn.softplus(  # noqa: E731
            jnp.exp(CrookedLaw().log_factor(c) @ orders)
        )
        jitter = 10 ** (0.1 * random.standard_normal(network.num_reactions))
        rates = simulation.truth.model.rates * jnp.asarray(jitter)
        phase_one = FrozenReactions(rates, unit)
        yield {"seed": seed} | measured(
            simulation, RecoverConfig(law="spline"), phase_one=phase_one
        )


def noise() -> Case:
    """Noise of 1, 5 and 10 %, law known."""
    levels = os.environ.get("NOISE_LEVELS", "0.01,0.05,0.1").split(",")
    for seed in SEEDS:
        for level in map(float, levels):
            simulation = simulate(SimulateHomeostasisConfig(seed=seed, relative_noise=level))
            config = RecoverConfig(allow_negative=True)
            yield {"seed": seed, "relative_noise": level} | measured(simulation, config)


def large() -> Case:
    """400 metabolites and 1,024 reactions, law known, no noise."""
    simulation = simulate(SimulateHomeostasisConfig(seed=42, metabolites=400, reactions=1024))
    yield {"seed": 42} | measured(simulation, RecoverConfig())


ROWS = {
    "known": known,
    "unknown": unknown,
    "frozen": frozen,
    "neural": neural,
    "noise": noise,
    "large": large,
}


def main(rows: list[str]) -> None:
    """Measure rows of the table, writing after every case."""
    jax.config.update("jax_enable_x64", True)
    measured_at = commit()
    for row in rows or ROWS:
        path = RESULTS / f"homeostasis_{row}{os.environ.get('RESULT_SUFFIX', '')}.json"
        for case in ROWS[row]():
            print(row, case, flush=True)
            cases = merged(earlier_cases(path), case | {"commit": measured_at})
            write_result(path, {"row": row, "cases": cases})


def earlier_cases(path: Path) -> list[dict]:
    """Return the cases of a result file, each with the commit it was measured at."""
    if not path.exists():
        return []
    result = json.loads(path.read_text(encoding="utf-8"))
    return [{"commit": result["provenance"]["commit"]} | case for case in result["cases"]]


def merged(cases: list[dict], new: dict) -> list[dict]:
    """Put a case in the place of its earlier measurement, in the order of the cases."""
    identity = lambda case: [str(case.get(name, "")) for name in IDENTITY]  # noqa: E731
    return sorted([c for c in cases if identity(c) != identity(new)] + [new], key=identity)


if __name__ == "__main__":
    main(sys.argv[1:])
