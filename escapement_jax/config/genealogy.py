"""Settings of `escapement infer` and `escapement simulate genealogy`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from escapement_jax.config.base import Configuration
from escapement_jax.config.checks import at_least, fraction, positive

DEFAULT_CHAINS = 16


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
    sweeps: int = 4
    """Gibbs sweeps, each re-threading one lineage of every haplotype, before the first draw. With 0
    every draw is a sequential pass of its own."""
    thin: int = 1
    """Sweeps between two draws of a chain."""
    chains: int | None = None
    """Markov chains side by side, from which the draws are taken in turn; default: 16, or fewer for
    fewer draws. Without sweeps every draw is a chain."""
    windows: int = 1
    """About how many windows of the genome are worked on side by side, in the pass and in sweeps:
    more keep an accelerator busy, fewer mix faster."""
    start_recombination: float | None = None
    """Factor on recombination in the pass that starts the chains; default: a tenth, or more where
    recombination is more frequent than mutation."""
    look_ahead: Literal["none", "carriers"] = "none"
    """What the pass knows of haplotypes that it has yet to thread: nothing, or how many of them
    carry each derived allele, which tells how old mutations are."""
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
    demography: Literal["constant", "random-walk", "gaussian-process", "spline"] = (
        "gaussian-process"
    )
    """How N_e(t) of the prior varies: not at all, or as learned from all pairs of haplotypes with a
    random walk, a Gaussian process or a monotone spline in log time."""
    learn_recombination: bool = False
    """Learn a factor on the told recombination along the sweeps."""
    learn_genotype_error: bool = False
    """Learn the genotype-error rate along the sweeps."""
    demography_schedule: Literal["told", "alternating", "joint"] = "told"
    """N_e(t) of the prior along the sweeps: as told; its most probable course given all draws, by
    stochastic approximation; or drawn together with the graphs."""
    epochs: int = 12
    """Number of epochs of the reported population size N_e(t)."""
    node_times: Literal["uniform", "level", "redated"] = "redated"
    """Times of exported nodes: drawn uniformly inside their level, the level's own time, or drawn
    anew in continuous time given the trees and the genotypes."""
    seed: int = 1
    """Seed of the random numbers; the same seed gives the same result."""

    def __post_init__(self) -> None:
        positive(self, "mutation_rate", "recombination_rate", "population_size")
        positive(self, "start_recombination")
        at_least(self, 1, "draws", "bin_width", "epochs", "thin", "chains", "windows")
        at_least(self, 2, "time_levels")
        at_least(self, 0, "sweeps", "seed")
        fraction(self, 1.0, "ancestral_misassignment")
        fraction(self, 0.5, "genotype_error")
        if self.learns and not self.sweeps:
            raise ValueError("parameters are learned between sweeps; give sweeps = 1 or more")
        if self.ancestral is not None and not _is_ancestral_rule(self.ancestral):
            raise ValueError(
                f"ancestral is {self.ancestral!r}; choose info:KEY (such as info:AA), ref or major"
            )

    @property
    def num_chains(self) -> int:
        """Number of chains."""
        if not self.sweeps:
            return self.draws
        return min(self.chains or DEFAULT_CHAINS, self.draws)

    @property
    def num_sweeps(self) -> int:
        """All sweeps, those between draws included."""
        rounds = -(-self.draws // self.num_chains)
        return self.sweeps + (rounds - 1) * self.thin if self.sweeps else 0

    def draws_after(self, sweep: int) -> bool:
        """Whether every chain gives a draw after a sweep, counted from one."""
        return sweep >= self.sweeps and (sweep - self.sweeps) % self.thin == 0

    @property
    def learns(self) -> bool:
        """Whether any parameter of the world is learned along the sweeps."""
        learned = self.learn_recombination or self.learn_genotype_error
        return learned or self.demography_schedule != "told"

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
