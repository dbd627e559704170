"""Posteriors made of random graphs, for tests of what is read off a posterior."""

import numpy as np

from escapement_jax.genealogy.posterior import Posterior
from tests.reference.random_graphs import random_draw, random_genotypes

NUM_BINS = 40
BIN_EDGES = np.linspace(1000, 5000, NUM_BINS + 1)
GRID_EDGES = np.array([0.0, 200.0, 800.0, 3000.0, 12000.0])
GRID_TIMES = np.array([100.0, 400.0, 1500.0, 6000.0, 32000.0])


def random_posterior(seed: int = 0, num_draws: int = 4, num_haplotypes: int = 6) -> Posterior:
    """A posterior of random draws on a tiny grid, the draws all different."""
    generator = np.random.default_rng(seed)
    draws = tuple(
        random_draw(generator, num_haplotypes, len(GRID_EDGES), 15, NUM_BINS)
        for _ in range(num_draws)
    )
    return Posterior(
        draws=draws,
        bin_edges=BIN_EDGES,
        time_grid_edges=GRID_EDGES,
        time_grid_times=GRID_TIMES,
        genotypes=random_genotypes(generator, num_haplotypes, 10, 1000, 5000),
        log_weights=generator.normal(-10, 1, (num_draws, num_haplotypes - 1)),
        population_size_prior=5000.0,
        settings={"epochs": 3, "mutation_rate": 1.25e-8},
        seed=seed,
    )
