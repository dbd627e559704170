"""What one of several processes does in the test of machines."""

from pathlib import Path

import jax
import numpy as np

from escapement_jax.config.genealogy import InferConfig
from escapement_jax.experiments.infer_genome import shared_demography, shared_population_size
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.training.machines import (
    Machines,
    join,
    my_share,
    num_machines,
    sum_over_machines,
)

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


def work(output: Path, cache: str, coordinator: str | None, process: int, processes: int) -> None:
    """Fit one N_e(t) to the regions of all processes."""
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    if coordinator is not None:
        join(Machines(coordinator, processes, process))
    assert num_machines() == processes
    genomes = [(genotypes(region), {}) for region in my_share(REGIONS)]
    size = shared_population_size(genomes, CONFIG)
    fit = shared_demography(genomes, InferConfig(**{**vars(CONFIG), "population_size": size}))
    assert fit is not None
    np.savez(
        output / f"result {processes} {process}.npz",
        size=size,
        means=fit.posterior.means,
        sizes=fit.estimate().population_size,
        likelihood=fit.log_likelihood,
        third=sum_over_machines(THIRD),
    )
