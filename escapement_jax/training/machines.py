"""Several processes, on one machine or many, that work on one run through `jax.distributed`.

Work is split by regions of the genome: each process infers its own, and what all share (N_e(t)) is
fitted to sums over all of them. Sums are formed in the order of the processes and in double
precision, so every process gets the same ones, to the last bit.
"""

from collections.abc import Sequence
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

Item = TypeVar("Item")
AUTOMATIC = "auto"


def join_machines(
    coordinator: str | None, processes: int | None = None, process: int | None = None
) -> None:
    """Join the other processes of a run; must come before anything is computed.

    Args:
        coordinator: `host:port` of process 0; `auto` where Slurm, Kubernetes, Open MPI or a TPU pod
            tells it; None to work alone.
        processes: How many there are, if not told.
        process: Number of this one, if not told.

    Raises:
        ValueError: Numbers are missing, or the others cannot be reached.
    """
    if coordinator is None:
        return
    automatic = coordinator == AUTOMATIC
    if not automatic and (processes is None or process is None):
        raise ValueError(
            f"coordinator {coordinator} needs --processes and --process, or give --coordinator auto"
        )
    try:
        jax.distributed.initialize(None if automatic else coordinator, processes, process)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"cannot join the other processes: {str(error).splitlines()[0]}"
        ) from error


def num_machines() -> int:
    """Return the number of processes; 1 if this one works alone."""
    return jax.process_count()


def is_first() -> bool:
    """Whether this process writes what is written once."""
    return jax.process_index() == 0


def my_share(items: Sequence[Item]) -> list[Item]:
    """Return the items that this process works on: every n-th, from its own number on."""
    return list(items[jax.process_index() :: jax.process_count()])


def sum_over_machines(numbers: np.ndarray) -> np.ndarray:
    """Return the sum of an array over all processes, in double precision, the same on all.

    Args:
        numbers: Of one shape on all processes.
    """
    own = np.ascontiguousarray(numbers, np.float64)
    if num_machines() == 1:
        return own.reshape(np.shape(numbers))
    # As 32-bit words: JAX would round doubles unless it is in double precision.
    words = multihost_utils.process_allgather(own.reshape(-1).view(np.uint32))
    each = np.asarray(words).reshape(num_machines(), -1).view(np.float64)
    return each.sum(axis=0).reshape(np.shape(numbers))


def wait_for_all(what: str) -> None:
    """Wait until every process has come so far.

    Args:
        what: Name of the place, the same on all.
    """
    if num_machines() > 1:
        multihost_utils.sync_global_devices(what)
