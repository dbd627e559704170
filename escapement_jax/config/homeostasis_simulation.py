"""Settings of `escapement simulate homeostasis`."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from escapement_jax.config.base import Configuration
from escapement_jax.config.checks import at_least, fraction, positive


@dataclass(frozen=True)
class SimulateHomeostasisConfig(Configuration):
    """How metabolic time courses with known set points are simulated.

    The defaults are the published benchmark: 100 metabolites of two types in 85 autocatalytic
    cycles of three, integrated by Euler steps without noise.

    Raises:
        ValueError: a value is out of range; the message names the option.
    """

    table_name: ClassVar[str] = "simulate.homeostasis"

    metabolites: int = 100
    """Number of metabolites."""
    reactions: int = 256
    """Number of reactions."""
    cycle_fraction: float = 1.0
    """Share of the reactions that belong to autocatalytic cycles; the others are random."""
    cycle_length: int = 3
    """Metabolites, and reactions, per cycle."""
    max_metabolites_per_reaction: int = 4
    """A random reaction has fewer substrates than this, and fewer products."""
    log10_rate_low: float = -2.0
    """Lowest log10 rate constant; they are uniform."""
    log10_rate_high: float = -1.0
    """Highest log10 rate constant."""
    law: Literal["mass-action", "power", "saturating"] = "mass-action"
    """How a rate depends on a substrate's concentration c: c, c to the power `exponent`, or
    (1 + K) c / (K + c) with K the `half_saturation`; all are 1 at c = 1."""
    exponent: float = 0.7
    """Exponent of the law `power`."""
    half_saturation: float = 10.0
    """Half-saturation concentration K of the law `saturating`."""
    strengths: tuple[float, ...] = (0.001, 0.002)
    """Strength of homeostasis (per unit of time) of each type of metabolite, weakest first; the
    metabolites are divided evenly, in order."""
    baselines: tuple[float, ...] = (4.0, 6.0)
    """Set point of each type."""
    concentration_low: float = 1.0
    """Lowest starting concentration; they are uniform."""
    concentration_high: float = 9.0
    """Highest starting concentration."""
    frames: int = 2880
    """Number of steps of `time_step`; one more frame than this is written."""
    time_step: float = 0.1
    """Time between two frames, and the step of the Euler integrator."""
    irregular_times: bool = False
    """Draw the times of the frames uniformly over the same span instead. Not for Euler steps."""
    integrator: Literal["euler", "auto", "tsit5", "kvaerno5"] = "euler"
    """Euler steps, as published; or an adaptive solver: explicit (tsit5), implicit (kvaerno5), or
    the one that the stiffness of the start calls for (auto)."""
    relative_tolerance: float = 1e-10
    """Relative tolerance of an adaptive solver."""
    absolute_tolerance: float = 1e-12
    """Absolute tolerance of an adaptive solver, in units of concentration."""
    trajectories: int = 1
    """Number of time courses, each with a start of its own."""
    knock_downs: int = 0
    """Reactions slowed in every trajectory but the first, others in each."""
    knock_down_factor: float = 0.1
    """Factor on the rate of such a reaction."""
    perturbations: int = 0
    """Metabolites stepped in every trajectory but the first, half-way, others in each."""
    perturbation_factor: float = 3.0
    """Factor on the concentration of such a metabolite."""
    process_noise: float = 0.0
    """Standard deviation of what is added to each concentration at each Euler step."""
    relative_noise: float = 0.0
    """Standard deviation of the measurement error relative to the concentration."""
    absolute_noise: float | None = None
    """Standard deviation of the measurement error that does not depend on the concentration;
    default: a tenth of the relative one."""
    clip: bool = False
    """Write measurements below zero as zero."""
    missing: float = 0.0
    """Share of the measurements that are missing, at random."""
    seed: int = 42
    """Seed of the random numbers; the same seed gives the same network and time courses."""

    def __post_init__(self) -> None:
        at_least(self, 1, "metabolites", "reactions", "frames", "trajectories")
        at_least(self, 2, "cycle_length", "max_metabolites_per_reaction")
        at_least(self, 0, "knock_downs", "perturbations", "seed")
        at_least(self, 0.0, "process_noise", "relative_noise", "absolute_noise")
        at_least(self, 0.0, "concentration_low", "knock_down_factor", "perturbation_factor")
        positive(self, "exponent", "half_saturation", "time_step")
        positive(self, "relative_tolerance", "absolute_tolerance")
        fraction(self, 1.0, "missing")
        if not 0 <= self.cycle_fraction <= 1:
            raise ValueError(f"cycle_fraction is {self.cycle_fraction}; it must lie in [0, 1]")
        self._check_types()
        self._check_ranges()
        self._check_integrator()

    @property
    def num_types(self) -> int:
        """Number of types of metabolites."""
        return len(self.strengths)

    def check_complete(self) -> None:
        """Check nothing more: every setting has a default."""

    def _check_types(self) -> None:
        if len(self.strengths) != len(self.baselines):
            raise ValueError(
                f"strengths has {len(self.strengths)} values and baselines {len(self.baselines)}; "
                "give one of each per type"
            )
        if not 1 <= self.num_types <= self.metabolites:
            raise ValueError(
                f"there are {self.num_types} types for {self.metabolites} metabolites; "
                "give 1 or more, and no more types than metabolites"
            )
        for strength in self.strengths:
            if not 0 <= strength < float("inf"):
                raise ValueError(f"a strength is {strength}; it must be 0 or more")

    def _check_ranges(self) -> None:
        for low, high in (
            ("log10_rate_low", "log10_rate_high"),
            ("concentration_low", "concentration_high"),
        ):
            if not getattr(self, low) <= getattr(self, high):
                raise ValueError(f"{low} is {getattr(self, low)}, above {high}; exchange them")
        for name in ("knock_downs", "perturbations"):
            most = self.reactions if name == "knock_downs" else self.metabolites
            if getattr(self, name) > most:
                raise ValueError(f"{name} is {getattr(self, name)}, but there are only {most}")
            if getattr(self, name) and self.trajectories < 2:
                raise ValueError(f"{name} needs trajectories = 2 or more; the first is left alone")

    def _check_integrator(self) -> None:
        if self.irregular_times and self.integrator == "euler":
            raise ValueError("Euler steps give regular times; choose integrator = auto, or tsit5")
        if self.process_noise and self.integrator != "euler":
            raise ValueError("process noise comes with Euler steps only; choose integrator = euler")
