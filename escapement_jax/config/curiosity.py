"""Settings of `escapement explore`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from escapement_jax.config.base import Configuration
from escapement_jax.config.checks import at_least, positive

SOURCE_STARTS = 1000
FOCUS_STARTS = 300
BLACK_BOX_STARTS = 200


@dataclass(frozen=True)
class ExploreConfig(Configuration):
    """What system is explored, how it is solved, what is looked at, and how the search goes.

    Raises:
        ValueError: a value is out of range; the message names the option.
    """

    table_name: ClassVar[str] = "explore"

    model: Path | None = None
    """SBML file of the system; default: the transcriptional gene circuit."""
    vary: tuple[str, ...] = ()
    """States and constants of a model that may vary, such as ERK=0:2.5 or k5=0.01:0.1."""
    nodes: int = 3
    """Number of nodes of the circuit."""
    weight_range: tuple[float, float] = (-30.0, 30.0)
    """Bounds of the weights of the circuit."""
    bias_range: tuple[float, float] = (-10.0, 10.0)
    """Bounds of the biases of the circuit."""
    decay_range: tuple[float, float] | None = None
    """Bounds of the decay rates of the circuit, per second; default: all are 1."""
    solver: Literal["rk4", "euler", "stiff"] = "rk4"
    """Fixed-step Runge-Kutta 4, the Euler steps of the published code, or diffrax Kvaerno."""
    num_steps: int = 1000
    """Steps of a rollout."""
    step_size: float = 0.1
    """Seconds per step."""
    num_kept: int | None = None
    """Last steps that the behaviour is read from; default: half of them."""
    observed: tuple[str, ...] = ()
    """Names of the states that are looked at; default: the first."""
    behaviour: Literal["oscillation", "source-oscillation", "end-point"] = "oscillation"
    """What is looked for: sustained oscillations, oscillations as the published code counts them,
    or end points."""
    strategy: Literal[
        "frontier", "imgep", "descriptor-goals", "imflow", "map-elites", "novelty", "random"
    ] = "frontier"
    """How parameters are chosen."""
    start: Literal["unstable-focus", "random"] | None = None
    """How the first parameters are chosen; default: unstable foci for the frontier strategy,
    uniform draws for the others."""
    budget: int = 5000
    """Number of rollouts."""
    batch_size: int | None = None
    """Rollouts per step of the search; default: 100, more for large budgets."""
    num_starts: int | None = None
    """Rollouts before the strategy begins; default: 300 for unstable foci, 1000 for imgep, 200."""
    bins: int = 20
    """Cells per axis of the space of behaviours."""
    target: tuple[float, float, float] | None = None
    """An oscillation to build at the end from what was found: amplitude (half the swing), offset,
    frequency in Hz."""
    target_budget: int = 94
    """Rollouts that may be spent on the target after the search."""
    checkpoint_every: int = 50
    """Batches between two checkpoints."""
    seed: int = 1
    """Seed of the random numbers; the same seed gives the same history."""

    def __post_init__(self) -> None:
        at_least(self, 1, "nodes", "num_steps", "num_kept", "budget", "batch_size", "bins")
        at_least(self, 1, "checkpoint_every")
        at_least(self, 0, "num_starts", "seed")
        positive(self, "step_size")
        if self.target is not None and (self.behaviour == "end-point" or self.solver == "stiff"):
            raise ValueError(
                "a target is an oscillation followed with fixed steps; leave out target, or choose "
                "behaviour oscillation and solver rk4"
            )
        if self.target is not None and not (self.target[0] > 0 and self.target[2] > 0):
            raise ValueError(f"target is {self.target}; its amplitude and frequency must be > 0")
        for name in ("weight_range", "bias_range", "decay_range"):
            bounds = getattr(self, name)
            if bounds is not None and not bounds[0] < bounds[1]:
                raise ValueError(f"{name} is {bounds}; give the lower bound first")
        if self.num_kept is not None and self.num_kept > self.num_steps:
            raise ValueError(
                f"num_kept is {self.num_kept}, more than num_steps ({self.num_steps}); keep fewer"
            )
        if self.strategy == "imgep" and self.behaviour != "source-oscillation":
            raise ValueError(
                "strategy imgep sets goals in the space of spectra; give "
                "behaviour source-oscillation, or choose strategy descriptor-goals"
            )
        if self.budget < self.first_batches:
            raise ValueError(
                f"budget is {self.budget}, less than the first {self.first_batches} rollouts "
                "(num_starts in whole batches of batch_size); give a larger budget, fewer "
                "num_starts or a smaller batch_size"
            )

    @property
    def rollouts_per_batch(self) -> int:
        """Rollouts per step of the search."""
        return self.batch_size or min(max(100, self.budget // 100), 1000)

    @property
    def start_kind(self) -> Literal["unstable-focus", "random"]:
        """How the first parameters are chosen."""
        if self.start is not None:
            return self.start
        return "unstable-focus" if self.strategy == "frontier" else "random"

    @property
    def starts(self) -> int:
        """Rollouts before the strategy begins."""
        if self.num_starts is not None:
            return self.num_starts
        if self.strategy == "imgep":
            return SOURCE_STARTS
        return FOCUS_STARTS if self.start_kind == "unstable-focus" else BLACK_BOX_STARTS

    @property
    def first_batches(self) -> int:
        """Starts rounded up to whole batches, at least one batch."""
        size = self.rollouts_per_batch
        return max(-(-self.starts // size), 1) * size

    def check_complete(self) -> None:
        """Check that a model comes with something to vary.

        Raises:
            ValueError: an SBML model is given, but nothing that may vary.
        """
        if self.model is not None and not self.vary:
            raise ValueError(
                f"nothing of {self.model} may vary, so there is nothing to explore; give vary, "
                "such as --vary ERK=0:2.5 k5=0.01:0.1"
            )
