"""Several processes, on one machine or many, that work on one run through `jax.distributed`.

Work is split by regions or windows of the genome: what all share (N_e(t), a network) is fitted to
sums over all of them, then each process infers its own regions. Sums are formed in the order of the
processes and in double precision, so every process gets the same ones, to the last bit. Only what
is shared is computed together, in a process that ends with it: in the long work that follows, one
that dies does not take the others with it.
"""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

Item = TypeVar("Item")
Result = TypeVar("Result")
Tree = TypeVar("Tree")
AUTOMATIC = "auto"


@dataclass(frozen=True)
class Machines:
    """How a process finds the others.

    Attributes:
        coordinator: `host:port` of process 0; `auto` where Slurm, Kubernetes, Open MPI or a TPU pod
            tells it; None to work alone.
        processes: How many there are, if not told.
        process: Number of this one, if not told.
    """

    coordinator: str | None = None
    processes: int | None = None
    process: int | None = None

    def __post_init__(self) -> None:
        numbers = self.processes, self.process
        if self.coordinator not in (None, AUTOMATIC) and None in numbers:
            raise ValueError(
                f"coordinator {self.coordinator} needs --processes and --process, or give "
                "--coordinator auto"
            )


def join(machines: Machines) -> None:
    """Join the other processes of a run; must come before anything is computed.

    Args:
        machines: How to find them.

    Raises:
        ValueError: They cannot be reached.
    """
    address = None if machines.coordinator == AUTOMATIC else machines.coordinator
    try:
        jax.distributed.initialize(address, machines.processes, machines.process)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"cannot join the other processes: {error}") from error


def num_machines() -> int:
    """Return the number of processes; 1 if this one works alone."""
    return jax.process_count()


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


def sum_tree_over_machines(tree: Tree) -> Tree:
    """Return the sum of every array of a pytree over all processes, in one exchange.

    Args:
        tree: Real arrays, of one structure and shapes on all processes.
    """
    leaves, structure = jax.tree.flatten(tree)
    flat = np.concatenate([np.ravel(leaf).astype(np.float64) for leaf in leaves])
    parts = np.split(sum_over_machines(flat), np.cumsum([leaf.size for leaf in leaves])[:-1])
    summed = [
        jnp.asarray(part.reshape(leaf.shape), leaf.dtype)
        for part, leaf in zip(parts, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, summed)


def together(function: Callable[..., Result], *arguments: object, machines: Machines) -> Result:
    """Call a function that uses `my_share` and `sum_over_machines`, on all processes at once.

    Args:
        function: What to call, of a module; what it takes and returns must travel between
            processes, so it may hold no JAX array.
        *arguments: What it takes.
        machines: How to find the others; without a coordinator it is simply called.

    Raises:
        ValueError: The others cannot be reached, or what the function raises.
    """
    if machines.coordinator is None:
        return function(*arguments)
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, initializer=join, initargs=(machines,)) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except BrokenProcessPool:
            raise ValueError(
                f"the processes of {machines.coordinator} have not come together; see above"
            ) from None
