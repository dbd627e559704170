"""Settings of `escapement recover`."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from escapement_jax.config.base import Configuration
from escapement_jax.config.checks import at_least, fraction, positive

FRAMES_AT_ONCE = 16


@dataclass(frozen=True)
class RecoverConfig(Configuration):
    """How homeostasis and metabolite types are recovered from time courses.

    Raises:
        ValueError: a value is out of range; the message names the option.
    """

    table_name: ClassVar[str] = "recover"

    law: Literal["mass-action", "power", "saturating", "spline", "neural"] = "mass-action"
    """Law by which a substrate drives a reaction: c itself, c^p, saturating, or learned freely as
    a spline or a small neural network of log c."""
    law_size: int = 16
    """Intervals of the spline, or hidden units of the network."""
    integrator: Literal["auto", "euler", "runge-kutta"] = "auto"
    """Where the data come from: a differential equation (runge-kutta) or steps of Euler's method;
    auto takes what fits better."""
    substeps: int = 2
    """Steps of the Runge-Kutta method from frame to frame."""
    relative_noise: float | None = None
    """Standard deviation of the noise as a share of the concentration; default: estimated."""
    absolute_noise: float | None = None
    """Standard deviation of the noise at concentration 0; default: estimated."""
    polish: Literal["auto", "always", "never"] = "auto"
    """Whether the regression is polished by multiple shooting; auto: unless data are noise-free."""
    horizons: tuple[int, ...] = (16, 96, 288)
    """Frames of a segment in the rounds of multiple shooting, multiples of 16."""
    robust: bool = False
    """Whether outliers are expected: noise is then Student's t with 5 degrees of freedom."""
    most_types: int = 4
    """Largest number of metabolite types to consider."""
    type_resolution: float = 0.02
    """Share of the usual slope and offset by which members of one type may differ."""
    mass_balance: bool = True
    """Whether networks that cannot conserve mass are refused."""
    allow_negative: bool = False
    """Whether noise may have made measured concentrations negative."""
    seed: int = 1
    """Seed of the random numbers; the same seed gives the same result."""

    def __post_init__(self) -> None:
        at_least(self, 1, "substeps", "most_types")
        at_least(self, 3, "law_size")
        at_least(self, 0, "relative_noise", "absolute_noise", "seed")
        positive(self, "type_resolution")
        fraction(self, 1.0, "type_resolution")
        wrong = [h for h in self.horizons if h <= 0 or h % FRAMES_AT_ONCE]
        if wrong or not self.horizons:
            raise ValueError(
                f"horizons are {self.horizons}; give multiples of {FRAMES_AT_ONCE}, such as 16 48"
                " 96"
            )

    def check_complete(self) -> None:
        """Check nothing more: every setting has a default."""
