"""Settings of `escapement simulate elm`."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from escapement_jax.config.base import Configuration
from escapement_jax.config.checks import at_least, fraction, positive


@dataclass(frozen=True)
class SimulateElmConfig(Configuration):
    """How genotypes and phenotypes with known effects are simulated.

    With the defaults the model is that of AlphaSimR's `addTraitAE` for haploids: every locus has a
    normal additive effect and is in one pair with a normal interaction, paired anew for each trait.

    Raises:
        ValueError: a value is out of range; the message names the option.
    """

    table_name: ClassVar[str] = "simulate.elm"

    individuals: int = 10_000
    """Number of individuals."""
    loci: int = 64
    """Number of loci, all of which have effects."""
    ploidy: int = 1
    """1 for haploids (-1/1), 2 for diploids (0/1/2)."""
    lowest_frequency: float = 0.5
    """Allele frequencies are uniform from here to `highest_frequency`."""
    highest_frequency: float = 0.5
    """See `lowest_frequency`."""
    missing: float = 0.0
    """Probability that a genotype call is missing."""
    linkage: Literal["equilibrium", "coalescent"] = "equilibrium"
    """Independent loci, or loci of a coalescent with recombination (needs msprime), where allele
    frequencies are those of the genealogy, above `lowest_minor_frequency`."""
    lowest_minor_frequency: float = 0.05
    """Least minor-allele frequency of a locus taken from a coalescent."""
    sequence_length: int = 1_000_000
    """Length of the genome of a coalescent, in base pairs."""
    recombination_rate: float = 1e-8
    """Recombinations per base pair per generation of a coalescent of N_e = 10,000."""
    additive_share: tuple[float, ...] = (1.0, 0.787, 0.505, 0.403, 0.122)
    """V_A / V_G of each trait; there are as many traits as shares."""
    dominance_share: float = 0.0
    """V_D / V_G of every trait, diploids only; the rest of V_G is epistatic."""
    interaction_order: int = 2
    """Loci that take part in one interaction."""
    link: Literal["identity", "sigmoid"] = "identity"
    """What the genetic value does to the trait: nothing, or global epistasis, 1 / (1 + exp(-3 (g -
    .5)))."""
    heritability: float = 0.25
    """Broad-sense heritability H2 = V_G / V_P; V_P is 1."""
    seed: int = 1
    """Seed of the random numbers; the same seed gives the same data."""

    def __post_init__(self) -> None:
        at_least(self, 2, "individuals", "loci", "interaction_order")
        at_least(self, 0, "seed")
        positive(self, "lowest_frequency", "heritability", "sequence_length", "recombination_rate")
        fraction(self, 1.0, "missing", "lowest_frequency", "highest_frequency", "dominance_share")
        fraction(self, 0.5, "lowest_minor_frequency")
        if self.ploidy not in (1, 2):
            raise ValueError(f"ploidy is {self.ploidy}; choose 1 or 2")
        if self.highest_frequency < self.lowest_frequency:
            raise ValueError(
                f"highest_frequency is {self.highest_frequency}, below lowest_frequency"
            )
        if self.heritability > 1:
            raise ValueError(f"heritability is {self.heritability}; it must be at most 1")
        if not self.additive_share:
            raise ValueError("additive_share is empty; give a share for each trait")
        for share in self.additive_share:
            if not 0 <= share <= 1 - self.dominance_share:
                raise ValueError(
                    f"additive_share has {share}; it must lie in [0, 1 - dominance_share]"
                )
        if self.dominance_share and self.ploidy == 1:
            raise ValueError("dominance_share needs ploidy 2: haploids have no dominance")
        if self.interaction_order > self.loci:
            raise ValueError(
                f"interaction_order is {self.interaction_order}, but there are {self.loci} loci"
            )

    def check_complete(self) -> None:
        """Check nothing more: every setting has a default."""
