"""Random search: the baseline."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, PyTree

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.experiment import Observations
from escapement_jax.curiosity.search.base import AbstractStrategy
from escapement_jax.curiosity.search.library import Library, Proposal
from escapement_jax.curiosity.systems.box import Box


class RandomSearch(AbstractStrategy):
    """Uniform draws from the box."""

    box: Box

    def init(self, capacity: int, num_embedding: int) -> PyTree[Array]:
        """Return an empty memory."""
        del capacity, num_embedding
        return ()

    def ask(
        self, library: Library, memory: PyTree[Array], batch_size: int, *, key: PRNGKey
    ) -> tuple[Proposal, PyTree[Array]]:
        """Draw parameters uniformly."""
        del library
        afresh = jnp.full(batch_size, -1, jnp.int32)
        return Proposal(self.box.sample(batch_size, key=key), afresh), memory

    def tell(
        self, library: Library, memory: PyTree[Array], proposal: Proposal, seen: Observations
    ) -> PyTree[Array]:
        """Learn nothing."""
        del library, proposal, seen
        return memory

    def describe(self) -> dict[str, Any]:
        """Return the name."""
        return {"kind": "random"}
