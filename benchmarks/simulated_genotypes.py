"""The simulated data that all benchmarks share."""

import tskit

from escapement_jax.config.genealogy import InferConfig, SimulateGenealogyConfig
from escapement_jax.experiments.simulate_genealogy import simulate_genealogy
from escapement_jax.genealogy.genome.genotypes import Genotypes

MUTATION_RATE = 1.25e-8
RECOMBINATION_RATE = 1e-8


def simulate_genotypes(
    seed: int, length: int, haplotypes: int, demography: str = "constant"
) -> tuple[tskit.TreeSequence, Genotypes]:
    """Simulate genomes of a population of reference size 10,000, with their true genealogy."""
    config = SimulateGenealogyConfig(
        haplotypes=haplotypes,
        sequence_length=length,
        population_size=10_000.0,
        demography=demography,
        mutation_rate=MUTATION_RATE,
        recombination_rate=RECOMBINATION_RATE,
        seed=seed,
    )
    tree_sequence, alleles, positions = simulate_genealogy(config)
    genotypes = Genotypes.from_arrays(alleles, positions, start=0, end=length, ploidy=2)
    return tree_sequence, genotypes


def inference_config(
    draws: int, *, sweeps: int = 0, population_size: float | None = None
) -> InferConfig:
    """Tell the rates; unless told, the population size comes from diversity."""
    return InferConfig(
        mutation_rate=MUTATION_RATE,
        recombination_rate=RECOMBINATION_RATE,
        draws=draws,
        sweeps=sweeps,
        population_size=population_size,
    )
