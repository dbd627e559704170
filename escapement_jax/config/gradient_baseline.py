"""Settings of the published recipe, the baseline of `escapement recover --explore`."""

from dataclasses import dataclass
from typing import ClassVar

from escapement_jax.config.base import Configuration
from escapement_jax.config.checks import at_least, positive


@dataclass(frozen=True)
class GradientConfig(Configuration):
    """How the published recipe is trained by gradients, and how its options are explored.

    Phase 1 learns the reactions; then they are frozen, and phase 2 learns homeostasis.

    Raises:
        ValueError: a value is out of range; the message names the option.
    """

    table_name: ClassVar[str] = "gradient"

    phase_one_steps: int = 72_000
    """Steps of phase 1."""
    phase_one_batch: int = 8
    """Frames in a batch of phase 1."""
    learning_rate_rates: float = 5e-3
    """Learning rate of the log10 rate constants."""
    learning_rate_law: float = 1e-3
    """Learning rate of the substrate network."""
    monotonicity: float = 6.0
    """Weight of the penalty on a substrate network that falls."""
    normalisation: float = 1.0
    """Weight of the penalty on a substrate network that is not 1 at concentration 1."""
    rate_floor: float = -2.0
    """log10 rate constants below are penalised."""
    phase_two_steps: int = 1500
    """Steps of every trial of phase 2."""
    phase_two_batch: int = 8
    """Rollouts in a batch of phase 2."""
    rollout_lengths: tuple[int, ...] = (4, 16, 32, 64)
    """Lengths of rollouts in steps; each is explored in a slot of its own."""
    rounds: int = 3
    """Rounds of exploration."""
    parallel: int = 4
    """Trials that every slot runs side by side in a round."""
    exploration: float = 1.414
    """Weight c of the exploration term of the upper confidence bound."""
    held_out: float = 0.2
    """Last share of the frames of every trajectory, kept from training to score the trials."""

    def __post_init__(self) -> None:
        at_least(self, 1, "phase_one_steps", "phase_one_batch", "phase_two_steps")
        at_least(self, 1, "phase_two_batch", "rounds", "parallel")
        at_least(self, 0.0, "monotonicity", "normalisation", "exploration")
        positive(self, "learning_rate_rates", "learning_rate_law")
        if not self.rollout_lengths or min(self.rollout_lengths) < 1:
            raise ValueError(
                f"rollout_lengths is {self.rollout_lengths}; give lengths of 1 or more"
            )
        if not 0 < self.held_out < 1:
            raise ValueError(f"held_out is {self.held_out}; it must lie between 0 and 1")

    def check_complete(self) -> None:
        """Check nothing more: every setting has a default."""
