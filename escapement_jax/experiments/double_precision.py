"""Double precision for one run; the library itself never sets it."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax

from escapement_jax.config.execution import Execution


@contextmanager
def double_precision() -> Iterator[None]:
    """Let JAX compute in double precision inside the block, and as before after it."""
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


@contextmanager
def chosen_precision(execution: Execution, *, needed: str | None = None) -> Iterator[None]:
    """Let JAX compute in the precision that is asked for inside the block.

    Args:
        execution: Says which; by default as JAX is set.
        needed: What needs double precision, if anything does.

    Raises:
        ValueError: Single precision is asked for where double is needed.
    """
    if needed is not None and execution.precision == "float32":
        raise ValueError(f"{needed} needs double precision; leave out --precision float32")
    if needed is not None or execution.precision == "float64":
        with double_precision():
            yield
    elif execution.precision == "float32":
        with jax.enable_x64(False):
            yield
    else:
        yield
