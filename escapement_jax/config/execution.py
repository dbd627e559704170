"""How a run is carried out: options that change what it costs, not what it finds."""

from dataclasses import dataclass
from typing import Literal

from escapement_jax.config.checks import at_least, positive


@dataclass(frozen=True)
class Execution:
    """Options of a run that are no settings of its method.

    Raises:
        ValueError: a value is out of range; the message names the option.
    """

    resume: bool = False
    """Go on with an unfinished run, bit for bit, from the last checkpoint that is whole."""
    checkpoint_seconds: float = 60.0
    """Seconds between two checkpoints; one is also written when the run is told to stop."""
    devices: int | None = None
    """Devices of this machine to spread a batch over; default: all."""
    memory_limit: float | None = None
    """Memory on each device that the messages of a threading may take (infer), in GB of 10^9 bytes;
    more chains are threaded in groups, with the same random numbers. Default: no limit."""
    precision: Literal["float32", "float64"] | None = None
    """Precision of real numbers, where the verb permits both; default: float32, but float64 for
    recover and for stiff models."""
    coordinator: str | None = None
    """Work with other processes: host:port of process 0, or auto where Slurm, Kubernetes, Open MPI
    or a TPU pod tells it."""
    processes: int | None = None
    """Number of processes, where it is not told."""
    process: int | None = None
    """Number of this process, from 0, where it is not told."""

    def __post_init__(self) -> None:
        at_least(self, 0.0, "checkpoint_seconds")
        positive(self, "memory_limit")
        at_least(self, 1, "devices", "processes")
        at_least(self, 0, "process")


DEFAULT_EXECUTION = Execution()
