"""Settings of `escapement train` and `escapement pretrain`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from escapement_jax.config.checks import at_least, positive
from escapement_jax.config.encoder import EncoderConfig


@dataclass(frozen=True)
class TrainConfig(EncoderConfig):
    """How a variational posterior of the copying model is trained on observed genomes.

    Raises:
        ValueError: a value is out of range; the message names the option.
    """

    table_name: ClassVar[str] = "train"

    mutation_rate: float | None = None
    """Mutations per base pair per generation."""
    recombination_rate: float | None = None
    """Recombinations per base pair per generation."""
    ancestral: str | None = None
    """Where ancestral alleles come from, for VCF: info:KEY, ref or major."""
    region: str | None = None
    """Part of the genome, such as chr1:1-200000; default: all."""
    samples: Path | None = None
    """File with the names of the individuals to use, one a line; default: everyone."""
    bin_width: int = 500
    """Width of a genome bin in base pairs."""
    time_levels: int = 16
    """Number of time levels on which haplotypes coalesce."""
    population_size: float | None = None
    """Diploid population size at the start; default: estimated from diversity."""
    demography: Literal["constant", "random-walk", "gaussian-process", "spline"] = (
        "gaussian-process"
    )
    """How N_e(t) is written."""
    steps: int = 2_000
    """Most steps of the optimisation."""
    learning_rate_encoder: float = 3e-4
    """Learning rate of the network."""
    learning_rate_sizes: float = 1e-2
    """Learning rate of the parameters of N_e(t)."""
    clip: float = 5.0
    """Largest norm of the gradient."""
    optimisation: Literal["joint", "alternating"] = "joint"
    """Move network and N_e(t) together, or in turns."""
    encoder_steps: int = 10
    """Steps of the network per turn."""
    size_steps: int = 5
    """Steps of N_e(t) per turn."""
    estimator: Literal["exact", "straight-through", "score-function", "vimco"] = "exact"
    """Gradient of the bound: exact, or from drawn paths."""
    draws: int = 4
    """Paths per step, where paths are drawn."""
    max_temperature: float = 1.0
    """Temperature of relaxed draws at the start; it falls exponentially over all steps."""
    min_temperature: float = 0.1
    """Temperature at the end."""
    look_ahead: int = 4
    """The network adds to the look-ahead of a copying model with this many bins merged; 0: to the
    emission alone."""
    window_bins: int | None = None
    """Bins of a window, all of which share one network; default: the whole genome is one."""
    halo_bins: int = 32
    """Bins on either side that the network sees beyond a window."""
    windows_per_step: int | None = None
    """Windows drawn for each step; default: all."""
    warm_start: Literal["none", "distil", "weights", "trees"] = "none"
    """Where the network starts: untrained; trained towards the exact look-ahead of the copying
    model; from the file `weights`; or trained towards the topologies of the file `trees`."""
    warm_steps: int = 200
    """Steps of a warm start by distil or trees."""
    learning_rate_warm: float = 2e-3
    """Learning rate of the network in such a warm start."""
    weights: Path | None = None
    """Weights written by `escapement pretrain` or `escapement train`."""
    trees: Path | None = None
    """Tree sequence of the same haplotypes, such as that of tsinfer."""
    stop_early: bool = True
    """Stop when the bound, N_e(t) and the temperature have come to rest."""
    seed: int = 1
    """Seed of the random numbers; the same seed gives the same result."""

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "mutation_rate", "recombination_rate", "population_size", "clip")
        positive(self, "learning_rate_encoder", "learning_rate_sizes", "learning_rate_warm")
        positive(self, "min_temperature", "max_temperature")
        at_least(self, 1, "steps", "bin_width", "draws", "encoder_steps", "size_steps")
        at_least(self, 1, "window_bins", "windows_per_step", "warm_steps")
        at_least(self, 0, "halo_bins", "look_ahead", "seed")
        at_least(self, 3, "time_levels")
        if self.min_temperature > self.max_temperature:
            raise ValueError(
                f"min_temperature is {self.min_temperature}, above max_temperature; exchange them"
            )
        if self.estimator == "vimco" and self.draws < 2:
            raise ValueError("vimco compares draws with each other; give draws = 2 or more")

    def check_complete(self) -> None:
        """Check that both rates are known, and the files of the warm start.

        Raises:
            ValueError: something is missing; the message says what to give.
        """
        for name in ("mutation_rate", "recombination_rate"):
            if getattr(self, name) is None:
                raise ValueError(f"{name} is unknown; give --{name.replace('_', '-')}")
        for name in ("weights", "trees"):
            if self.warm_start == name and getattr(self, name) is None:
                raise ValueError(f"warm_start = {name} needs a file; give --{name}")


@dataclass(frozen=True)
class PretrainConfig(EncoderConfig):
    """How the network is trained on simulated genomes with known genealogies ("mainspring").

    Raises:
        ValueError: a value is out of range; the message names the option.
    """

    table_name: ClassVar[str] = "pretrain"

    haplotypes: int = 20
    """Number of haplotypes of a simulated genome."""
    sequence_length: int = 100_000
    """Its length in base pairs."""
    population_size: float = 10_000.0
    """Diploid population size."""
    population_spread: float = 0.5
    """Standard deviation of the log size over genomes."""
    mutation_rate: float = 1.25e-8
    """Mutations per base pair per generation."""
    recombination_rate: float = 1e-8
    """Recombinations per base pair per generation."""
    genomes: int = 32
    """Number of simulated genomes."""
    bin_width: int = 500
    """Width of a genome bin in base pairs."""
    time_levels: int = 16
    """Number of time levels."""
    look_ahead: int = 4
    """Bins merged for the look-ahead that the network adds to, as it will be used."""
    steps: int = 1_000
    """Steps of the optimisation."""
    learning_rate: float = 1e-3
    """Learning rate."""
    clip: float = 5.0
    """Largest norm of the gradient."""
    seed: int = 1
    """Seed of the random numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "population_size", "mutation_rate", "recombination_rate")
        positive(self, "learning_rate", "clip")
        at_least(self, 1, "sequence_length", "genomes", "bin_width", "steps", "seed")
        at_least(self, 0.0, "population_spread")
        at_least(self, 0, "look_ahead")
        at_least(self, 3, "time_levels")
        at_least(self, 2, "haplotypes")
        if self.haplotypes % 2:
            raise ValueError(f"haplotypes is {self.haplotypes}; give an even number")

    def check_complete(self) -> None:
        """Check nothing more: every setting has a default."""
