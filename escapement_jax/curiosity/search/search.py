"""The loop of a search: ask for parameters, roll out, tell what was seen; all in one program."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, PyTree

from escapement_jax.array_types import PRNGKey
from escapement_jax.curiosity.experiment import Experiment, Observations
from escapement_jax.curiosity.search.base import AbstractStrategy
from escapement_jax.curiosity.search.library import Library, Proposal
from escapement_jax.curiosity.search.starts import AbstractStart
from escapement_jax.training.devices import batched, gathered

LEAST_FOUND = 2
"""A strategy begins when this much has been found; until then parameters are drawn afresh."""


class SearchState(eqx.Module):
    """Everything a search carries along.

    Attributes:
        library: What was tried and seen.
        memory: What the strategy remembers.
        starts: Parameters that are tried first.
        key: Key of the whole run; the key of a batch is folded in from its number.
    """

    library: Library
    memory: PyTree[Array]
    starts: Float[Array, "starts parameters"]
    key: PRNGKey


class Search(eqx.Module):
    """A strategy at work on an experiment, with `init`, `ask`, `tell` and `step`.

    Attributes:
        experiment: What is done with parameters.
        strategy: How parameters are chosen.
        start: How the first ones are chosen.
        batch_size: Rollouts per step.
        num_starts: Rollouts before the strategy begins, a multiple of the batch size.
        capacity: Rollouts that there is room for, a multiple of the batch size.
    """

    experiment: Experiment
    strategy: AbstractStrategy
    start: AbstractStart
    batch_size: int = eqx.field(static=True)
    num_starts: int = eqx.field(static=True)
    capacity: int = eqx.field(static=True)

    def init(self, *, key: PRNGKey) -> SearchState:
        """Return the state before the first rollout, with the starts drawn."""
        start_key, run_key = jax.random.split(key)
        box = self.experiment.system.box
        one = jax.ShapeDtypeStruct((self.batch_size, box.size), box.low.dtype)
        seen = eqx.filter_eval_shape(self.experiment, one)
        num_embedding = 0 if seen.embedding is None else seen.embedding.shape[1]
        library = Library.empty(self.capacity, box.size, seen.descriptors.shape[1], box.low.dtype)
        memory = self.strategy.init(self.capacity, num_embedding)
        starts = self.start(self.experiment.system, max(self.num_starts, 1), key=start_key)
        return SearchState(library, memory, starts, run_key)

    def ask(self, state: SearchState) -> tuple[Proposal, SearchState]:
        """Choose the next batch of parameters.

        Returns:
            The proposal, inside the box, and the state to tell its outcome to.
        """
        number = state.library.num_done // self.batch_size
        key = jax.random.fold_in(state.key, number)
        starting = state.library.num_done < self.num_starts
        branch = jnp.where(starting, 0, jnp.where(self._has_begun(state), 2, 1))
        ways = (self._ask_start, self._ask_afresh, self._ask_strategy)
        # Bound methods of modules that hold arrays cannot be hashed; functions can.
        branches = [lambda state, key, way=way: way(state, key) for way in ways]
        proposal, memory = lax.switch(branch, branches, state, key)
        inside = Proposal(self.experiment.system.box.clip(proposal.parameters), proposal.parents)
        return inside, SearchState(state.library, memory, state.starts, state.key)

    def tell(self, state: SearchState, proposal: Proposal, seen: Observations) -> SearchState:
        """Take in what a batch of parameters led to."""
        memory = self.strategy.tell(state.library, state.memory, proposal, seen)
        return SearchState(state.library.append(proposal, seen), memory, state.starts, state.key)

    def step(self, state: SearchState) -> SearchState:
        """Ask, roll out and tell."""
        proposal, asked = self.ask(state)
        seen = gathered(self.experiment(batched(proposal.parameters)))
        return self.tell(asked, proposal, seen)

    def run(self, state: SearchState, num_batches: Int[Array, ""] | int) -> SearchState:
        """Make steps until a number of batches is done; one program for every number."""
        return _run(self, state, jnp.asarray(num_batches, jnp.int32))

    def _has_begun(self, state: SearchState) -> Array:
        return state.library.found.sum() >= LEAST_FOUND

    def _ask_start(self, state: SearchState, key: PRNGKey) -> tuple[Proposal, PyTree[Array]]:
        del key
        rows = state.library.num_done + jnp.arange(self.batch_size, dtype=jnp.int32)
        rows = jnp.minimum(rows, state.starts.shape[0] - 1)
        return Proposal(state.starts[rows], self._no_parents()), state.memory

    def _ask_afresh(self, state: SearchState, key: PRNGKey) -> tuple[Proposal, PyTree[Array]]:
        drawn = self.experiment.system.box.sample(self.batch_size, key=key)
        return Proposal(drawn, self._no_parents()), state.memory

    def _ask_strategy(self, state: SearchState, key: PRNGKey) -> tuple[Proposal, PyTree[Array]]:
        return self.strategy.ask(state.library, state.memory, self.batch_size, key=key)

    def _no_parents(self) -> Int[Array, " batch"]:
        return jnp.full(self.batch_size, -1, jnp.int32)


@eqx.filter_jit(donate="all-except-first")
def _run(search: Search, state: SearchState, num_batches: Int[Array, ""]) -> SearchState:
    first = state.library.num_done // search.batch_size
    return lax.fori_loop(first, num_batches, lambda _, state: search.step(state), state)
