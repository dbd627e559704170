"""Genotypes of unlinked loci, or of a coalescent with recombination."""

from types import ModuleType

import numpy as np
from jaxtyping import Float

from escapement_jax.config.elm_simulation import SimulateElmConfig

POPULATION_SIZE = 10_000
SITES_PER_LOCUS = 20


def draw_genotypes(
    config: SimulateElmConfig, generator: np.random.Generator
) -> Float[np.ndarray, "individuals loci"]:
    """Draw genotypes: -1/1 for haploids and 0/1/2 for diploids, no call missing.

    Args:
        config: what to simulate.
        generator: source of randomness.

    Raises:
        ValueError: a coalescent has too few loci of sufficient frequency.
        ImportError: msprime is needed and not installed.
    """
    if config.linkage == "coalescent":
        alleles = _coalescent_alleles(config, generator)
    else:
        frequency = generator.uniform(
            config.lowest_frequency, config.highest_frequency, config.loci
        )
        shape = (config.individuals, config.ploidy, config.loci)
        alleles = generator.random(shape) < frequency
    dosage = alleles.sum(axis=1).astype(float)
    return 2 * dosage - 1 if config.ploidy == 1 else dosage


def _coalescent_alleles(config: SimulateElmConfig, generator: np.random.Generator) -> np.ndarray:
    """Return alleles [individuals, ploidy, loci] at loci spread evenly over the usable sites."""
    msprime = _import_msprime()
    ancestry_seed, mutation_seed = (int(seed) for seed in generator.integers(1, 2**31, size=2))
    ancestry = msprime.sim_ancestry(
        samples=[msprime.SampleSet(config.individuals, ploidy=config.ploidy)],
        population_size=POPULATION_SIZE,
        ploidy=2,
        sequence_length=config.sequence_length,
        recombination_rate=config.recombination_rate,
        random_seed=ancestry_seed,
    )
    # Watterson: this rate gives the wanted number of sites of the lowest frequency and above.
    span = 4 * POPULATION_SIZE * config.sequence_length * np.log(1 / config.lowest_minor_frequency)
    mutated = msprime.sim_mutations(
        ancestry, rate=SITES_PER_LOCUS * config.loci / span, random_seed=mutation_seed
    )
    columns = []
    for variant in mutated.variants():
        frequency = np.mean(variant.genotypes > 0)
        common = min(frequency, 1 - frequency) >= config.lowest_minor_frequency
        if len(variant.alleles) == 2 and common:
            columns.append(variant.genotypes.astype(bool))
    unique = list({column.tobytes(): column for column in columns}.values())
    if len(unique) < config.loci:
        raise ValueError(
            f"the coalescent has {len(unique)} different loci with a minor allele of "
            f"{config.lowest_minor_frequency} or more, but {config.loci} are wanted; give a longer "
            "sequence or a lower lowest_minor_frequency"
        )
    chosen = np.linspace(0, len(unique) - 1, config.loci).round().astype(int)
    table = np.stack([unique[place] for place in chosen], axis=1)
    return table.reshape(config.individuals, config.ploidy, config.loci)


def _import_msprime() -> ModuleType:
    try:
        import msprime
    except ImportError:
        raise ImportError(
            "linked loci need msprime, which is not installed; "
            'install it with: pip install "escapement-jax[simulate]"'
        ) from None
    return msprime
