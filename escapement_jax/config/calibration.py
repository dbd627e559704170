"""Settings of `escapement calibrate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from escapement_jax.config.base import Configuration
from escapement_jax.config.checks import at_least, fraction, positive
from escapement_jax.config.genealogy import SimulateGenealogyConfig


@dataclass(frozen=True)
class CalibrateConfig(Configuration):
    """How genomes are simulated to see whether inference is calibrated on such data.

    Raises:
        ValueError: a value is out of range; the message names the option.
    """

    table_name: ClassVar[str] = "calibrate"

    replicates: int = 20
    """Number of data sets simulated and inferred; more can be added later."""
    haplotypes: int = 8
    """Number of sampled haplotypes, a multiple of the ploidy."""
    ploidy: int = 2
    """Haplotypes per individual, 1 or 2."""
    sequence_length: int = 100_000
    """Length of the genome in base pairs."""
    population_size: float = 10_000.0
    """Diploid reference size N_e; all sizes and times of a history scale with it."""
    demography: Literal["constant", "bottleneck", "zigzag", "growth"] = "constant"
    """History of the population size."""
    demography_file: Path | None = None
    """CSV with the columns time_generations and population_size, such as the demography.csv of a
    run; replaces the history."""
    mutation_rate: float = 1.25e-8
    """True mutations per base pair per generation."""
    recombination_rate: float = 1e-8
    """True recombinations per base pair per generation."""
    genotype_error: float = 0.0
    """True probability that an observed allele is flipped at a variable site."""
    positions: int = 4
    """Places along the genome at which coalescence times are ranked."""
    pairs: int = 4
    """Pairs of haplotypes ranked there, no haplotype in two of them."""
    seed: int = 1
    """Seed of the random numbers; the same seed gives the same genomes and draws."""

    def __post_init__(self) -> None:
        at_least(self, 1, "replicates", "positions", "pairs")
        positive(self, "population_size", "mutation_rate", "recombination_rate")
        fraction(self, 0.5, "genotype_error")
        self.simulation(self.seed)  # checks what it shares with the verb `simulate genealogy`
        if 2 * self.pairs > self.haplotypes:
            raise ValueError(
                f"pairs is {self.pairs}, but {self.haplotypes} haplotypes make only "
                f"{self.haplotypes // 2} pairs without a haplotype in common"
            )

    def simulation(self, seed: int) -> SimulateGenealogyConfig:
        """Return the settings of one simulated data set.

        Args:
            seed: Its seed, at least 1.
        """
        return SimulateGenealogyConfig(
            haplotypes=self.haplotypes,
            ploidy=self.ploidy,
            sequence_length=self.sequence_length,
            population_size=self.population_size,
            demography=self.demography,
            mutation_rate=self.mutation_rate,
            recombination_rate=self.recombination_rate,
            genotype_error=self.genotype_error,
            seed=seed,
        )

    def check_complete(self) -> None:
        """Check nothing more: every setting has a default."""
