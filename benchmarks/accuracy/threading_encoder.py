"""Does the encoder look ahead in threading? Bound of a pass with learned potentials.

Potentials of the encoder (`EncoderLookAhead`) learn in several ways; the bound of a pass of fresh
draws is then held against that without look-ahead, on the same genomes, orders and keys:

- `mainspring`: imitation of true graphs of simulated genomes, of other seeds;
- `residual`: the same, on top of the carriers' potentials;
- `distilled`: imitation of Gibbs draws of the genomes themselves, without simulations;
- `from_scratch`: the gradient of the bound, from the genomes alone.

    python -m benchmarks.accuracy.threading_encoder
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.accuracy.look_ahead import METHODS, bound, one_pass, summary
from benchmarks.accuracy.mixing import make_problem
from benchmarks.accuracy.model_genomes import true_graphs
from benchmarks.record import write_result
from benchmarks.simulated_genotypes import inference_config, simulate_genotypes
from escapement_jax.config.encoder import EncoderConfig
from escapement_jax.genealogy.encoder.heads import PotentialNetwork
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.threading_problem import ThreadingProblem, threading_problem
from escapement_jax.genealogy.threading.carrier_look_ahead import CarrierLookAhead
from escapement_jax.genealogy.threading.encoder_look_ahead import encoder_look_ahead
from escapement_jax.genealogy.threading.gibbs_sweep import gibbs_sweep, random_orders
from escapement_jax.genealogy.threading.look_ahead import LookAhead, SummedLookAhead
from escapement_jax.genealogy.threading.look_ahead_training import (
    centred_returns,
    log_probability_gradient,
)
from escapement_jax.genealogy.threading.sequential_pass import (
    empty_graphs,
    remove_haplotypes,
    thread_haplotypes,
)

CONFIG = EncoderConfig(d_model=32, num_layers=1, window=32)
LEARNING_RATE, CLIP = 2e-3, 5.0
FIRST_TRAINING_SEED = 1001
Graphs = Sequence[RecombinationGraph]
Thread = tuple[Graphs, jax.Array]
"""Graphs, and the haplotype of each that was threaded last."""


class Learner:
    """A network and its optimiser; the network may add to the carriers' potentials."""

    def __init__(self, num_levels: int, *, on_carriers: bool = False) -> None:
        self.on_carriers = on_carriers
        self.network = PotentialNetwork(CONFIG, num_levels, key=jax.random.key(0))
        self.rule = optax.chain(optax.clip_by_global_norm(CLIP), optax.adam(LEARNING_RATE))
        self.state = self.rule.init(eqx.filter(self.network, eqx.is_inexact_array))

    def look_ahead(self, problem: ThreadingProblem) -> Sequence[LookAhead]:
        """Potentials of the network as it is."""
        learned = encoder_look_ahead(self.network, CONFIG.length_scales, problem)
        if not self.on_carriers:
            return learned
        carriers = [CarrierLookAhead.of(problem.model)] * len(learned)
        return [SummedLookAhead(parts) for parts in zip(carriers, learned, strict=True)]

    def climb(self, gradient: Any) -> None:
        """Take one step uphill, by the gradient of a look-ahead."""
        of_network = gradient.parts[1].network if self.on_carriers else gradient.network
        downhill = jax.tree.map(jnp.negative, of_network)
        updates, self.state = self.rule.update(downhill, self.state)
        self.network = eqx.apply_updates(self.network, updates)


def main() -> None:
    """Train every family, print and write the bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6])
    add("--haplotypes", type=int, default=10)
    add("--length", type=int, default=100_000)
    add("--draws", type=int, default=16)
    add("--genomes", type=int, default=24, help="simulated for mainspring")
    add("--steps", type=int, default=400, help="of imitation; a quarter where each genome learns")
    add("--passes", type=int, default=20, help="of training from scratch")
    add("--families", nargs="*", choices=FAMILIES, default=list(FAMILIES))
    add("--start-recombination", type=float, default=1.0, help="factor in the pass")
    add("--output", type=Path, default=Path("benchmarks/results/threading_encoder.json"))
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    if arguments.output.exists():  # families measured before are kept
        before = json.loads(arguments.output.read_text(encoding="utf-8"))["rows"]
        rows = [row for row in before if row["family"] not in arguments.families]
    for family in arguments.families:
        for row in FAMILIES[family](arguments):
            rows.append({"family": family} | row)
            print(rows[-1], flush=True)
            write_result(arguments.output, {"pooled": pooled(rows), "rows": rows})


def imitate(learner: Learner, key, problem: ThreadingProblem, thread: Thread) -> None:
    """One step towards the threads of given graphs."""
    graphs, haplotypes = thread
    weights = jnp.full(haplotypes.shape, 1 / haplotypes.shape[0])
    given = (graphs, haplotypes, weights, problem.chunks, problem.model)
    learner.climb(log_probability_gradient(key, learner.look_ahead(problem), *given))


def threads_of(graphs: Graphs, seed: int, num_haplotypes: int) -> list[Thread]:
    """Every thread of given graphs, in a random order for each."""
    orders = random_orders(jax.random.key(seed), graphs[0].moved.shape[0], num_haplotypes)
    threads = []
    for index in range(num_haplotypes - 1, 0, -1):
        threads.append((graphs, orders[:, index]))
        graphs = remove_haplotypes(graphs, orders[:, index])
    return threads


def residual(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Imitate true graphs, on top of the carriers' potentials."""
    return mainspring(arguments, on_carriers=True)


def mainspring(
    arguments: argparse.Namespace, *, on_carriers: bool = False
) -> Iterator[dict[str, Any]]:
    """Imitate true graphs, of genomes drawn from the model."""
    start, examples = time.process_time(), []
    for seed in range(FIRST_TRAINING_SEED, FIRST_TRAINING_SEED + arguments.genomes):
        genome, problem = make_problem(seed, arguments.haplotypes, arguments.length)
        graphs = true_graphs(genome, problem, arguments.draws // 2)
        examples.append((problem, threads_of(graphs, seed, arguments.haplotypes)))
    generator = np.random.default_rng(0)
    learner = Learner(examples[0][0].model.num_levels, on_carriers=on_carriers)
    for step in range(arguments.steps):
        problem, threads = examples[generator.integers(len(examples))]
        thread = threads[generator.integers(len(threads))]
        imitate(learner, jax.random.fold_in(jax.random.key(0), step), problem, thread)
    seconds = time.process_time() - start
    for seed in arguments.seeds:
        yield compared(seed, data(seed, arguments), learner, arguments) | {"training_cpu": seconds}


def distilled(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Imitate Gibbs draws of the genomes that are to be threaded."""
    for seed in arguments.seeds:
        start, problem = time.process_time(), data(seed, arguments)
        generator = np.random.default_rng(seed)
        learner = Learner(problem.model.num_levels)
        graphs, _ = one_pass(100 + seed, problem, None, arguments)
        threads = []
        for sweep in range(4):
            graphs = gibbs_sweep(jax.random.fold_in(jax.random.key(seed), sweep), graphs, problem)
            threads += threads_of(graphs, 10 * seed + sweep, arguments.haplotypes)
        for step in range(arguments.steps // 4):
            thread = threads[generator.integers(len(threads))]
            imitate(learner, jax.random.fold_in(jax.random.key(seed), step), problem, thread)
        seconds = time.process_time() - start
        yield compared(seed, problem, learner, arguments) | {"training_cpu": seconds}


def from_scratch(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Climb the bound of the genomes themselves."""
    for seed in arguments.seeds:
        start, problem = time.process_time(), data(seed, arguments)
        learner = Learner(problem.model.num_levels)
        for step in range(arguments.passes):
            learner.climb(bound_gradient(100 * seed + step, problem, learner, arguments.draws))
        seconds = time.process_time() - start
        yield compared(seed, problem, learner, arguments) | {"training_cpu": seconds}


def bound_gradient(seed: int, problem: ThreadingProblem, learner: Learner, draws: int) -> Any:
    """Gradient of the bound from one pass."""
    key_orders, key_threads, key_others = jax.random.split(jax.random.key(seed), 3)
    orders = random_orders(key_orders, draws, problem.num_haplotypes)
    ahead = learner.look_ahead(problem)
    graphs: Graphs = empty_graphs(
        orders[:, 0], problem.num_haplotypes, problem.chunks, 2 * problem.capacity
    )
    threads: list[Thread] = []
    log_weights = []
    for index in range(1, problem.num_haplotypes):
        at = (graphs, problem.chunks, orders[:, index], problem.model)
        key = jax.random.fold_in(key_threads, index)
        graphs, log_weight = thread_haplotypes(key, *at, look_ahead=ahead)
        threads.append((graphs, orders[:, index]))
        log_weights.append(log_weight)
    returns = jnp.asarray(centred_returns(np.stack(log_weights)) / draws, dtype=float)
    gradients = [
        log_probability_gradient(
            jax.random.fold_in(key_others, index),
            ahead,
            *thread,
            weights,
            problem.chunks,
            problem.model,
        )
        for index, (thread, weights) in enumerate(zip(threads, returns, strict=True))
    ]
    return jax.tree.map(lambda *parts: sum(parts[1:], parts[0]), *gradients)


def data(seed: int, arguments: argparse.Namespace) -> ThreadingProblem:
    """The genomes to thread, as in `look_ahead.py`."""
    _, genotypes = simulate_genotypes(seed, arguments.length, arguments.haplotypes)
    return threading_problem(genotypes, inference_config(arguments.draws))


def compared(
    seed: int, problem: ThreadingProblem, learner: Learner, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Bounds of passes without look-ahead, with the carriers', and with the network's."""
    rules = {"none": None, "carriers": METHODS["carriers"](problem)}
    rules["encoder"] = learner.look_ahead(problem)
    row: dict[str, Any] = {"seed": seed}
    for name, look_ahead in rules.items():
        start = time.process_time()
        _, log_weights = one_pass(seed, problem, look_ahead, arguments)
        found = bound(log_weights)
        row |= {f"bound_{name}": found["bound"], f"sd_{name}": found["sd_log_weight"]}
        row[f"cpu_{name}"] = time.process_time() - start
    row["gain"] = row["bound_encoder"] - row["bound_none"]
    return row | {"gain_of_carriers": row["bound_carriers"] - row["bound_none"]}


def pooled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means and standard errors over data sets, of each family."""
    result = []
    for family in dict.fromkeys(row["family"] for row in rows):
        chosen = [row for row in rows if row["family"] == family]
        pool: dict[str, Any] = {"family": family, "seeds": len(chosen)}
        for name in [name for name in chosen[0] if name not in ("family", "seed")]:
            pool |= summary(name, [row[name] for row in chosen])
        result.append(pool)
    return result


FAMILIES = {
    "mainspring": mainspring,
    "residual": residual,
    "distilled": distilled,
    "from_scratch": from_scratch,
}

if __name__ == "__main__":
    main()
