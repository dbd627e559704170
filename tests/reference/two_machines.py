"""What one of several processes does in the test of machines."""

import dataclasses
from pathlib import Path

import jax
import numpy as np

from escapement_jax.config.genealogy import InferConfig
from escapement_jax.experiments.infer_genome import shared_demography, shared_population_size
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.machines import (
    Machines,
    join,
    my_share,
    num_machines,
    sum_over_machines,
)
from tests.reference.survivors import TRAIN, train_small

CONFIG = InferConfig(
    mutation_rate=1.25e-8, recombination_rate=1e-8, time_levels=6, demography="random-walk"
)
REGIONS = (0, 1, 2, 3)
THIRD = np.array(1 / 3)


def genotypes(region: int) -> Genotypes:
    generator = np.random.default_rng(region)
    haplotypes = generator.integers(0, 2, (12, 4)).astype(np.int8)
    haplotypes[:, 0], haplotypes[:, 1] = 0, 1
    positions = np.sort(generator.choice(20_000, 12, replace=False))
    return Genotypes.from_arrays(haplotypes, positions, start=0, end=20_000)


def work(
    task: str, output: Path, cache: str, coordinator: str | None, process: int, processes: int
) -> None:
    """Do a task as one of several processes, and write what came out."""
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    if coordinator is not None:
        join(Machines(coordinator, processes, process))
    assert num_machines() == processes
    result = {"fit": fit, "train": train}[task]()
    np.savez(output / f"result {processes} {process}.npz", **result)  # pyright: ignore


def train() -> dict[str, np.ndarray]:
    """Train one network; of three windows in a step, the first process has two."""
    return train_small(Keeper(), dataclasses.replace(TRAIN, steps=8))


def fit() -> dict[str, np.ndarray]:
    """Fit one N_e(t) to the regions of all processes."""
    genomes = [(genotypes(region), {}) for region in my_share(REGIONS)]
    size = shared_population_size(genomes, CONFIG)
    found = shared_demography(genomes, InferConfig(**{**vars(CONFIG), "population_size": size}))
    assert found is not None
    return {
        "size": np.array(size),
        "means": found.posterior.means,
        "sizes": found.estimate().population_size,
        "likelihood": np.array(found.log_likelihood),
        "third": sum_over_machines(THIRD),
    }
