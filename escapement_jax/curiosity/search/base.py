"""What every search strategy offers."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, PyTree

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.experiment import Observations
from escapement_jax.curiosity.search.library import Library
from escapement_jax.curiosity.search.library import Proposal as Proposal
from escapement_jax.curiosity.systems.box import Box


class AbstractStrategy(eqx.Module):
    """How the next parameters are chosen: pure functions of a library and a memory.

    The memory is a pytree of arrays of fixed shape, so that the whole search is one program.
    A proposal need not respect the box; the search clips it.
    """

    box: eqx.AbstractVar[Box]

    @abstractmethod
    def init(self, capacity: int, num_embedding: int) -> PyTree[Array]:
        """Return the memory before the first rollout.

        Args:
            capacity: Rows the library will have.
            num_embedding: Coordinates of the larger goal space; 0 if the behaviour has none.
        """

    @abstractmethod
    def ask(
        self, library: Library, memory: PyTree[Array], batch_size: int, *, key: PRNGKey
    ) -> tuple[Proposal, PyTree[Array]]:
        """Choose parameters, given a library in which something was found."""

    @abstractmethod
    def tell(
        self, library: Library, memory: PyTree[Array], proposal: Proposal, seen: Observations
    ) -> PyTree[Array]:
        """Learn from a batch, given the library before it was appended."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return the name and the settings, as JSON can hold them."""


Unit = Float[Array, "batch parameters"]
"""Parameters in units of the box."""
