"""What the batches of every verb give on one and on several simulated devices.

A program of its own: the number of devices is fixed when JAX starts.
"""

import dataclasses
import json
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.elm.debiasing.residual_network import stacked_networks
from escapement_jax.elm.fitting.replicates import train_replicates
from escapement_jax.genealogy.model.threading_problem import threading_problem
from escapement_jax.genealogy.threading.sequential_pass import (
    empty_graphs,
    graph_log_density,
    rethread_lineages,
    thread_haplotypes,
)
from escapement_jax.homeostasis.shooting.dynamics import Dynamics
from escapement_jax.homeostasis.shooting.gauss_newton import Shot, fit_segments
from escapement_jax.homeostasis.shooting.segments import cut
from escapement_jax.training.devices import batched, device_mesh
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.memory import memory_limit
from tests.homeostasis.small_networks import ring_courses, ring_model
from tests.reference.survivors import (
    INFER,
    RECOVER,
    TRAIN,
    explore_small,
    infer_small,
    recover_small,
    train_small,
)
from tests.reference.two_machines import CONFIG, genotypes

KEY = jax.random.key(1)


def rollouts() -> object:
    return explore_small(Keeper())


def networks() -> object:
    """Three networks, which no even number of devices divides."""
    config = DecomposeConfig(width=4, max_epochs=2)
    generator = np.random.default_rng(0)
    x = jnp.asarray(generator.choice([-1, 1], (40, 5)), jnp.float32)
    y = jnp.asarray(generator.normal(size=(3, 40, 1)), jnp.float32)
    rows = jnp.tile(jnp.arange(40), (3, 1))
    return train_replicates(
        stacked_networks(config, 5, 1, 3, key=KEY),
        x,
        y,
        rows[:, :30],
        rows[:, 30:],
        config.recipe,
        key=KEY,
        side_by_side=True,
    )


def chains() -> object:
    """Two haplotypes threaded and one re-threaded, in four chains."""
    problem = threading_problem(genotypes(0), CONFIG)
    order = jnp.arange(4, dtype=jnp.int32)
    start = empty_graphs(order, 4, problem.chunks, problem.capacity)
    graphs, weights = batched(start), []
    for step in (1, 2):
        chosen = (order + step) % 4
        graphs, weight = thread_haplotypes(KEY, graphs, problem.chunks, chosen, problem.model)
        weights.append(weight)
    floors = jnp.zeros_like(order)
    graphs = rethread_lineages(KEY, graphs, problem.chunks, order, floors, problem.model)
    return graphs, weights, graph_log_density(graphs, problem.chunks, problem.model)


def chains_in_groups() -> object:
    """The same with so little memory that every chain is threaded by itself."""
    with memory_limit(1e-6):
        return chains()


def segments() -> object:
    """One fit of a ring of reactions to 41 segments."""
    model, courses = ring_model(), ring_courses(noise=0.01)
    pieces = cut(courses, 16, np.arange(9))
    pieces = jax.tree.map(lambda leaf: jnp.concatenate([leaf, leaf[:1]]), pieces)
    parameters = jnp.concatenate([model.rates, model.slopes, model.offsets])
    loose = jnp.full(len(parameters), 1e-12)
    shot = Shot(pieces, pieces.measured, pieces.mask, jnp.full(6, 1e-6), loose, parameters)
    network = model.network
    dynamics = Dynamics(network.stoichiometry, network.substrate_orders, model.law, "euler", 1)
    start = jnp.maximum(pieces.measured[:, 0], 0.0)
    return fit_segments(dynamics, 1.01 * parameters, start, shot)


def windows() -> object:
    """Three steps with four windows each.

    Not the parameters: Adam makes steps of rounding where the slope is zero.
    """
    config = dataclasses.replace(TRAIN, steps=3, windows_per_step=None)
    found = train_small(Keeper(), config)
    return [found[name] for name in ("bound", "mutation", "coalescent", "breakpoint", "sizes")]


def inference() -> object:
    """Four haplotypes in two chains, and a sweep."""
    told = {"demography": "constant", "learn_recombination": False}
    return infer_small(Keeper(), dataclasses.replace(INFER, **told))


def recovery() -> object:
    """A ring of reactions, at one horizon."""
    return recover_small(Keeper(), dataclasses.replace(RECOVER, horizons=(16,)))


EVERY = (rollouts, networks, chains, segments, windows, inference, recovery)
RUNS = {one.__name__: (one, one) for one in EVERY}
RUNS["groups"] = (chains, chains_in_groups)
DEVICES = {"groups": 1, "inference": 2}
"""Where it is not as many as there are."""


def arrays(tree: object) -> list[np.ndarray]:
    return [np.asarray(leaf, float) for leaf in jax.tree.leaves(eqx.filter(tree, eqx.is_array))]


def largest_difference(one: object, other: object) -> float:
    """Largest difference of any entry, relative to the largest entry of its array."""
    worst = 0.0
    for here, there in zip(arrays(one), arrays(other), strict=True):
        np.testing.assert_array_equal(np.isnan(here), np.isnan(there))
        if here.size:
            size = np.nanmax(np.abs(here), initial=0.0) or 1.0
            worst = max(worst, float(np.nanmax(np.abs(here - there), initial=0.0)) / size)
    return worst


def main(cache: str, devices: str, *names: str) -> None:
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    for name in names:
        single, spread = RUNS[name]
        expected = single()
        with device_mesh(DEVICES.get(name, int(devices))) as used:
            found = spread()
        print(json.dumps([name, used, largest_difference(expected, found)]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
