"""How much memory a batch takes and may take, and what to say when there was not enough."""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import jax

# Computations that run behind Python's back give the text of the error, but not its code.
_OUT_OF_MEMORY = re.compile(r"(RESOURCE_EXHAUSTED|Out of memory).*")
_LIMIT: ContextVar[float | None] = ContextVar("memory limit", default=None)


@contextmanager
def memory_limit(gigabytes: float | None) -> Iterator[None]:
    """Let batches that are made inside the block take no more than this on each device.

    Args:
        gigabytes: Units of 10^9 bytes; None for no limit.
    """
    token = _LIMIT.set(None if gigabytes is None else gigabytes * 1e9)
    try:
        yield
    finally:
        _LIMIT.reset(token)


def limited() -> bool:
    """Whether there is a limit."""
    return _LIMIT.get() is not None


def measured_bytes(function: Callable, *arguments: object) -> tuple[int, int]:
    """Return the bytes of the results and of the scratch memory of a jitted function, per device.

    Args:
        function: Compiled, but not run.
        *arguments: What it takes, or the shapes of it.
    """
    found = function.lower(*arguments).compile().memory_analysis()  # pyright: ignore
    return found.output_size_in_bytes, found.temp_size_in_bytes


def groups_within(batch: int, num_bytes: float, multiple: int = 1) -> list[slice]:
    """Split a batch into equal groups that each keep the limit, if members can be told apart.

    Args:
        batch: Size of the batch.
        num_bytes: What the whole batch would take on one device.
        multiple: Groups hold a multiple of this many; it divides the batch.

    Returns:
        The groups, in order; a single member may take more than the limit.
    """
    limit = _LIMIT.get()
    fewest = 1 if limit is None else math.ceil(num_bytes / limit)
    units = batch // multiple
    number = next(n for n in range(1, units + 1) if units % n == 0 and (n >= fewest or n == units))
    size = batch // number
    return [slice(start, start + size) for start in range(0, batch, size)]


@contextmanager
def memory_errors_named(remedy: str) -> Iterator[None]:
    """Say what to lower when the memory of a device or of the machine runs out.

    Args:
        remedy: What to do.

    Raises:
        ValueError: Memory ran out.
    """
    try:
        yield
    except MemoryError as error:
        raise ValueError(f"the machine ran out of memory; {remedy}") from error
    except jax.errors.JaxRuntimeError as error:
        found = _OUT_OF_MEMORY.search(str(error))
        if found is None:
            raise
        told = found.group().strip()[:200]
        raise ValueError(f"a device ran out of memory ({told}); {remedy}") from error
