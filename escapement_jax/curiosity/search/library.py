"""Everything a search has tried so far, in arrays of fixed size."""

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Int8

from escapement_jax.curiosity.experiment import Observations


class Proposal(eqx.Module):
    """Parameters to try.

    Attributes:
        parameters: One row per rollout.
        parents: Row of the library each was made from; -1 if drawn afresh.
    """

    parameters: Float[Array, "batch parameters"]
    parents: Int[Array, " batch"]


class Library(eqx.Module):
    """Rollouts in the order they were made; rows from `num_done` on are not used yet.

    Attributes:
        parameters: What was tried.
        descriptors: What was seen, in the space of behaviours.
        found: Which show the behaviour that is looked for.
        quality: How well.
        codes: `RolloutCode` of each.
        parents: Row each was made from; -1 if drawn afresh.
        num_done: Number of rows in use.
    """

    parameters: Float[Array, "rows parameters"]
    descriptors: Float[Array, "rows descriptors"]
    found: Bool[Array, " rows"]
    quality: Float[Array, " rows"]
    codes: Int8[Array, " rows"]
    parents: Int[Array, " rows"]
    num_done: Int[Array, ""]

    @classmethod
    def empty(
        cls, capacity: int, num_parameters: int, num_descriptors: int, dtype: jnp.dtype
    ) -> "Library":
        """Return a library without rollouts."""
        return cls(
            jnp.zeros((capacity, num_parameters), dtype),
            jnp.zeros((capacity, num_descriptors), dtype),
            jnp.zeros(capacity, bool),
            jnp.zeros(capacity, dtype),
            jnp.zeros(capacity, jnp.int8),
            jnp.full(capacity, -1, jnp.int32),
            jnp.zeros((), jnp.int32),
        )

    @property
    def capacity(self) -> int:
        """Number of rows."""
        return self.parameters.shape[0]

    def append(self, proposal: Proposal, seen: Observations) -> "Library":
        """Write a batch behind the rows in use."""
        new = {
            "parameters": proposal.parameters,
            "descriptors": seen.descriptors,
            "found": seen.found,
            "quality": seen.quality,
            "codes": seen.codes.astype(jnp.int8),
            "parents": proposal.parents.astype(jnp.int32),
        }
        written = {
            name: lax.dynamic_update_slice_in_dim(getattr(self, name), rows, self.num_done, 0)
            for name, rows in new.items()
        }
        return Library(**written, num_done=self.num_done + proposal.parameters.shape[0])
