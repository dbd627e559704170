"""Small runs of every verb that keeps its state, for the tests that break them off.

Each is a function of a keeper that gives the arrays of its result.
"""

import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import jax
import numpy as np

from escapement_jax.config.curiosity import ExploreConfig
from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.config.execution import Execution
from escapement_jax.config.genealogy import InferConfig
from escapement_jax.config.homeostasis import RecoverConfig
from escapement_jax.config.training import TrainConfig
from escapement_jax.curiosity.explore import explore
from escapement_jax.curiosity.history import History
from escapement_jax.curiosity.systems.circuit import TranscriptionalCircuit
from escapement_jax.elm.decompose import decompose
from escapement_jax.experiments.surviving_run import identify_run, surviving_run
from escapement_jax.experiments.train import train
from escapement_jax.genealogy.fit import infer
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.homeostasis.recover import recover
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.named_arrays import pack_tree

INFER = InferConfig(
    mutation_rate=1.25e-8,
    recombination_rate=1e-8,
    draws=4,
    chains=2,
    sweeps=1,
    time_levels=6,
    demography="random-walk",
    learn_recombination=True,
)
DECOMPOSE = DecomposeConfig(width=8, max_epochs=4, folds=2, anchors=(), replicates=3)
EXPLORE = ExploreConfig(
    num_steps=50, budget=600, batch_size=100, num_starts=100, checkpoint_every=1, strategy="random"
)
TRAIN = TrainConfig(
    d_model=8,
    num_heads=2,
    num_layers=1,
    window=8,
    length_scales=(2e3, 2e4),
    mutation_rate=2.5e-8,
    recombination_rate=1e-8,
    bin_width=1_000,
    window_bins=4,
    halo_bins=2,
    windows_per_step=3,
    time_levels=4,
    steps=110,
)
RECOVER = RecoverConfig(integrator="euler", horizons=(16, 32, 48), most_types=2)


def infer_small(keeper: Keeper, config: InferConfig = INFER) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    haplotypes = generator.integers(0, 2, (12, 4)).astype(np.int8)
    haplotypes[:, 0], haplotypes[:, 1] = 0, 1
    positions = np.sort(generator.choice(20_000, 12, replace=False))
    genotypes = Genotypes.from_arrays(haplotypes, positions, start=0, end=20_000)
    posterior = infer(genotypes, config, key=jax.random.key(3), keeper=keeper)
    result = {
        f"draw {i} {name}": getattr(draw, name)
        for i, draw in enumerate(posterior.draws)
        for name in ("trees", "first_bin", "moved", "cut_level")
    }
    result |= {
        "log_weights": posterior.log_weights,
        "bound_correction": posterior.bound_correction,
        "log_density": posterior.trace.log_density,
        "log_tmrca": posterior.trace.log_tmrca,
        "seed": np.array(posterior.seed),
    }
    if posterior.size_estimate is not None:
        result["sizes"] = posterior.size_estimate.population_size
    return result | {name: one.upper_95 for name, one in posterior.learned.items()}


def decompose_small(keeper: Keeper, config: DecomposeConfig = DECOMPOSE) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    x = generator.choice([-1, 1], (200, 6))
    y = np.stack([x[:, 0] - x[:, 3], 3 * x[:, 1] * x[:, 4]], axis=1)
    y = y + 0.5 * generator.normal(size=y.shape)
    return _leaves(decompose(x, y, config, key=jax.random.key(1), keeper=keeper))


def decompose_as_published(keeper: Keeper) -> dict[str, np.ndarray]:
    config = DecomposeConfig(method="source", width=8, max_epochs=4, anchors=(), replicates=3)
    return decompose_small(keeper, config)


def recover_small(keeper: Keeper, config: RecoverConfig = RECOVER) -> dict[str, np.ndarray]:
    from tests.homeostasis.small_networks import ring_courses, ring_network

    courses = ring_courses(noise=0.01)
    return _leaves(recover(courses, ring_network(), config, key=jax.random.key(1), keeper=keeper))


def explore_small(keeper: Keeper) -> dict[str, np.ndarray]:
    kept = keeper.kept("history")
    identity = {} if kept is None else {"identity": np.array(bytes(kept["identity"]).decode())}
    history = explore(
        TranscriptionalCircuit(3),
        EXPLORE,
        key=jax.random.key(1),
        history=None if kept is None else History.from_arrays({**kept, **identity}),
        on_checkpoint=lambda so_far: keeper.offer(
            "history",
            f"{len(so_far)} rollouts",
            lambda: {
                **so_far.to_arrays(),
                "identity": np.frombuffer(so_far.identity.encode(), np.uint8),
            },
        ),
    )
    arrays = history.to_arrays()
    del arrays["identity"]
    return arrays


def train_small(keeper: Keeper, config: TrainConfig = TRAIN) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(5)
    haplotypes = generator.integers(0, 2, (20, 4)).astype(np.int8)
    haplotypes[:, 0], haplotypes[:, 1] = 0, 1
    positions = np.sort(generator.choice(16_000, 20, replace=False))
    genotypes = Genotypes.from_arrays(haplotypes, positions, start=0, end=16_000)
    posterior = train(genotypes, config, key=jax.random.key(2), keeper=keeper)
    result = pack_tree((posterior.network, posterior.population_size))
    return result | posterior.history | {"converged": np.array(posterior.converged)}


def _leaves(tree: object) -> dict[str, np.ndarray]:
    leaves = jax.tree.leaves(eqx.filter(tree, eqx.is_array_like))
    return {str(place): np.asarray(leaf) for place, leaf in enumerate(leaves)}


SURVIVORS = {
    "infer": infer_small,
    "decompose": decompose_small,
    "published": decompose_as_published,
    "recover": recover_small,
    "explore": explore_small,
    "train": train_small,
}


class Recorder(Keeper):
    """Keeps every state that it is offered, in memory, or starts from one."""

    def __init__(self, state: dict | None = None) -> None:
        super().__init__()
        self._sections = dict(state or {})
        self.states: list[tuple[str, dict]] = []

    def offer(self, section, place, pack):
        arrays = {name: np.array(array) for name, array in pack().items()}
        self._sections = {**self._sections, section: arrays}
        self.states.append((place, self._sections))


def survive(name: str, output: Path, cache: str, stop: str, resume: bool = False) -> None:
    """Run in a process of its own, and stop at an offer: by a signal, or after the last one.

    Args:
        name: Which run.
        output: Where its result goes.
        cache: Folder of compiled programs.
        stop: `SIGKILL 3` for this of `STOPS` at the third checkpoint, or nothing.
        resume: Whether to resume.
    """
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    execution = Execution(resume=resume, checkpoint_seconds=0)
    identity = identify_run(name, EXPLORE, execution=execution, replaces=False)
    with surviving_run(output, identity, execution) as (directory, keeper):
        if stop:
            word, number = stop.split()
            _once_sealed(int(number), output, STOPS[word])
        (directory / "summary.json").write_text("{}")
        np.savez(directory / "result.npz", **SURVIVORS[name](keeper))  # pyright: ignore


def _limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def _send(which: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), which)


STOPS = {
    "SIGKILL": _send(signal.SIGKILL),
    "SIGTERM": _send(signal.SIGTERM),
    "SIGSTOP": _send(signal.SIGSTOP),
    "FULL": _limit_files,
}


def _once_sealed(number: int, output: Path, act: Callable[[], None]) -> None:
    """Act, whatever the run is at, as soon as a checkpoint is sealed."""
    seal = output.with_name(f"{output.name}.unfinished") / "checkpoints" / f"{number}.seal.json"

    def watch() -> None:
        while not seal.exists():
            time.sleep(0.001)
        act()

    threading.Thread(target=watch, daemon=True).start()
