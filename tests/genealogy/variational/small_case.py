"""Three haplotypes, three bins and two levels: few enough paths to visit them all."""

import jax
import jax.numpy as jnp
import numpy as np

from escapement_jax.genealogy.copying.copying_model import CopyingModel, copying_model
from escapement_jax.genealogy.copying.copying_tables import PairCounts
from escapement_jax.genealogy.encoder.potentials import Potentials
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.time_grid import TimeGrid
from tests.reference.copying_reference import Mosaic, emission_by_sites

POPULATION = PiecewiseConstant(jnp.array([0.0, 9_000.0]), jnp.array([8e3, 2e4]))
GRID = TimeGrid.geometric(2, first=8_000.0, last=9_000.0, tail=20_000.0)
MUTATION_RATE = jnp.array([1e-5, 2e-5, 3e-6])
DISTANCE = jnp.array([0.0, 2e-5, 1e-4])
SITE_BIN = np.array([0, 0, 1, 2, 2])
INVARIANT_BASES = np.array([3.0, 0.0, 12.0])
HAPLOTYPES = np.array(
    [[0, 1, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1], [0, 0, 1]], dtype=np.int8
)  # [sites, haplotypes]


def small_model(population: PiecewiseConstant = POPULATION) -> CopyingModel:
    rates = {"mutation_rate": MUTATION_RATE, "recombination_distance": DISTANCE}
    return copying_model(3, population, GRID, **rates)


def small_counts() -> PairCounts:
    return PairCounts.from_haplotypes(HAPLOTYPES, SITE_BIN, INVARIANT_BASES)


def small_potentials(seed: int = 3, scale: float = 1.0) -> Potentials:
    states_key, breaks_key = jax.random.split(jax.random.key(seed))
    return Potentials(
        scale * jax.random.normal(states_key, (3, 3, 3, 2)),
        scale * jax.random.normal(breaks_key, (3, 3)),
    )


def mosaic_of(model: CopyingModel, haplotype: int) -> Mosaic:
    tables = (model.parent_prior, model.entry, model.reattachment)
    emission = emission_by_sites(
        HAPLOTYPES,
        SITE_BIN,
        INVARIANT_BASES,
        np.asarray(GRID.times),
        np.asarray(MUTATION_RATE),
        0.0,
        haplotype,
    )
    own = (np.asarray(table[haplotype]) for table in tables)
    return Mosaic(*own, np.asarray(model.bins.recombination), emission)
