"""Settings of the network that reads aligned genomes."""

from dataclasses import dataclass
from typing import ClassVar

from escapement_jax.config.base import Configuration
from escapement_jax.config.checks import at_least


@dataclass(frozen=True)
class EncoderConfig(Configuration):
    """The size of the encoder and of its heads.

    Raises:
        ValueError: a value is out of range; the message names the option.
    """

    table_name: ClassVar[str] = "encoder"

    d_model: int = 64
    """Channels of every haplotype at every site."""
    num_heads: int = 4
    """Attention heads; they divide the channels evenly."""
    num_layers: int = 2
    """Layers, each of attention over haplotypes, attention over sites and a network."""
    window: int = 64
    """Attention over sites reaches this many sites to either side."""
    length_scales: tuple[float, ...] = (1_000.0, 4_000.0, 16_000.0, 64_000.0)
    """Distances in base pairs over which mismatches of a pair are counted, with weights that fall
    exponentially."""

    def __post_init__(self) -> None:
        at_least(self, 1, "d_model", "num_heads", "num_layers", "window")
        if self.d_model % self.num_heads:
            raise ValueError(
                f"d_model is {self.d_model}; give a multiple of num_heads ({self.num_heads})"
            )
        if not self.length_scales or not all(0 < s < float("inf") for s in self.length_scales):
            raise ValueError(
                f"length_scales are {self.length_scales}; give one or more positive distances"
            )

    def check_complete(self) -> None:
        """Check nothing more: every setting has a default."""
