"""Settings of `escapement infer` and `escapement simulate genealogy`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from escapement_jax.config.base import Configuration
from escapement_jax.config.checks import at_least, fraction, positive


@dataclass(frozen=True)
class InferConfig(Configuration):
    """How ancestral recombination graphs are inferred from phased genomes.

    Either a mutation rate or a mutation map must be given, and likewise for recombination.

    Raises:
        ValueError: a value is out of range; the message names the option.
    """

    table_name: ClassVar[str] = "infer"

    mutation_rate: float | None = None
    """Mutations per base pair per generation."""
    recombination_rate: float | None = None
    """Recombinations per base pair per generation."""
    mutation_map: Path | None = None
    """Mutation rates along the genome, lines of `contig start end rate`; replaces the rate."""
    recombination_map: Path | None = None
    """Genetic map, `pos chr cM` or HapMap text; replaces the recombination rate."""
    ancestral: str | None = None
    """Where ancestral alleles come from: `info:KEY` (such as info:AA), `ref` or `major`.
    Needed for VCF and VCF Zarr; a tree sequence brings its own."""
    region: str | None = None
    """Part of the genome, such as chr1:1-200000 (1-based, both ends included); default: all."""
    samples: Path | None = None
    """File with the names of the individuals to use, one a line; default: everyone."""
    mask: Path | None = None
    """BED file of accessible intervals; default: every base is accessible."""
    draws: int = 32
    """Number of graphs drawn from the posterior."""
    sweeps: int = 0
    """Gibbs sweeps that remove and re-thread every haplotype after the first pass."""
    time_levels: int = 24
    """Number of time levels on which lineages coalesce."""
    bin_width: int = 100
    """Width of a genome bin in base pairs."""
    population_size: float | None = None
    """Diploid population size N_e of the prior; default: estimated from diversity."""
    ancestral_misassignment: float = 0.02
    """Prior probability that the root carries the allele called derived."""
    genotype_error: float = 0.0
    """Probability that an observed allele is wrong."""
    epochs: int = 12
    """Number of epochs of the reported population size N_e(t)."""
    node_times: Literal["uniform", "level"] = "uniform"
    """Times of exported nodes: drawn uniformly inside their level, or the level's own time."""
    seed: int = 1
    """Seed of the random numbers; the same seed gives the same result."""

    def __post_init__(self) -> None:
        positive(self, "mutation_rate", "recombination_rate", "population_size")
        at_least(self, 1, "draws", "bin_width", "epochs")
        at_least(self, 2, "time_levels")
        at_least(self, 0, "sweeps", "seed")
        fraction(self, 1.0, "ancestral_misassignment")
        fraction(self, 0.5, "genotype_error")
        if self.ancestral is not None and not _is_ancestral_rule(self.ancestral):
            raise ValueError(
                f"ancestral is {self.ancestral!r}; choose info:KEY (such as info:AA), ref or major"
            )

    def check_complete(self) -> None:
        """Check that both rates are known.

        Raises:
            ValueError: a rate and its map are both missing, or both given.
        """
        for name in ("mutation", "recombination"):
            rate, rate_map = getattr(self, f"{name}_rate"), getattr(self, f"{name}_map")
            if rate is None and rate_map is None:
                raise ValueError(
                    f"the {name} rate is unknown; give {name}_rate or {name}_map "
                    f"(--{name}-rate or --{name}-map)"
                )
            if rate is not None and rate_map is not None:
                raise ValueError(f"{name}_rate and {name}_map are both given; keep one of them")


@dataclass(frozen=True)
class SimulateGenealogyConfig(Configuration):
    """How genomes with a known genealogy are simulated.

    Raises:
        ValueError: a value is out of range; the message names the option.
    """

    table_name: ClassVar[str] = "simulate.genealogy"

    haplotypes: int = 20
    """Number of sampled haplotypes, a multiple of the ploidy."""
    ploidy: int = 2
    """Haplotypes per individual, 1 or 2."""
    sequence_length: int = 200_000
    """Length of the genome in base pairs."""
    population_size: float = 10_000.0
    """Diploid reference size N_e; all sizes and times of a history scale with it."""
    demography: Literal["constant", "bottleneck", "zigzag", "growth"] = "constant"
    """History of the population size."""
    mutation_rate: float = 1.25e-8
    """Mutations per base pair per generation."""
    recombination_rate: float = 1e-8
    """Recombinations per base pair per generation."""
    genotype_error: float = 0.0
    """Probability that an observed allele is flipped at a variable site."""
    seed: int = 1
    """Seed of the random numbers; the same seed gives the same genomes."""

    def __post_init__(self) -> None:
        at_least(self, 2, "haplotypes")
        at_least(self, 1, "sequence_length", "seed")
        positive(self, "population_size")
        at_least(self, 0.0, "mutation_rate", "recombination_rate")
        fraction(self, 0.5, "genotype_error")
        if self.ploidy not in (1, 2):
            raise ValueError(f"ploidy is {self.ploidy}; choose 1 or 2")
        if self.haplotypes % self.ploidy:
            raise ValueError(
                f"haplotypes is {self.haplotypes}; give a multiple of the ploidy ({self.ploidy})"
            )

    def check_complete(self) -> None:
        """Check nothing more: every setting has a default."""


def _is_ancestral_rule(rule: str) -> bool:
    return rule in ("ref", "major") or (rule.startswith("info:") and len(rule) > len("info:"))
