"""What a search leaves behind: parameters and descriptors of every rollout, as arrays."""

import json
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Bool, Float, Int, Int8, UInt32

from escapement_jax.curiosity.search.search import SearchState

RECORDS = ("parameters", "descriptors", "found", "quality", "codes", "parents")
FORMAT = 1


class History(eqx.Module):
    """Every rollout of a search, and what is needed to go on bit for bit.

    Trajectories are not kept: they are computed again from parameters, in less time than they
    take to read.

    Attributes:
        parameters: What was tried.
        descriptors: What was seen, in the space of behaviours.
        found: Which show the behaviour that was looked for.
        quality: How well, in [0, 1].
        codes: `RolloutCode` of each.
        parents: Row each was made from; -1 if drawn afresh.
        memory: What the strategy remembers, a list of arrays.
        key_data: The key of the run.
        identity: The experiment and the search, as JSON.
    """

    parameters: Float[np.ndarray, "rollouts parameters"]
    descriptors: Float[np.ndarray, "rollouts descriptors"]
    found: Bool[np.ndarray, " rollouts"]
    quality: Float[np.ndarray, " rollouts"]
    codes: Int8[np.ndarray, " rollouts"]
    parents: Int[np.ndarray, " rollouts"]
    memory: tuple[np.ndarray, ...]
    key_data: UInt32[np.ndarray, " words"]
    identity: str = eqx.field(static=True)

    def __len__(self) -> int:
        return self.parameters.shape[0]

    @classmethod
    def of_state(cls, state: SearchState, identity: Mapping[str, Any]) -> "History":
        """Take the rollouts made so far out of the state of a search."""
        number = int(state.library.num_done)
        records = {name: np.array(getattr(state.library, name)[:number]) for name in RECORDS}
        memory = tuple(np.array(leaf) for leaf in jax.tree.leaves(state.memory))
        key_data = np.array(jax.random.key_data(state.key))
        text = json.dumps(identity, sort_keys=True)
        return cls(**records, memory=memory, key_data=key_data, identity=text)

    def put_into(self, state: SearchState) -> SearchState:
        """Return the state of a search with these rollouts in it, to go on from.

        Args:
            state: A state before its first rollout, of the same search with the same key.

        Returns:
            The state after the last rollout of this history.

        Raises:
            ValueError: The history has another key, or more rollouts than there is room for.
        """
        number, room = len(self), state.library.capacity
        if number > room:
            raise ValueError(
                f"the history holds {number} rollouts but the budget has room for {room}; give a "
                "larger budget"
            )
        if not np.array_equal(self.key_data, np.array(jax.random.key_data(state.key))):
            raise ValueError(
                "the history was made with another seed; give that seed to go on with it"
            )
        library = state.library
        for name in RECORDS:
            grown = getattr(library, name).at[:number].set(getattr(self, name))
            library = eqx.tree_at(lambda tree, name=name: getattr(tree, name), library, grown)
        count = jax.numpy.asarray(number, library.num_done.dtype)
        library = eqx.tree_at(lambda tree: tree.num_done, library, count)
        old, shape = jax.tree.flatten(state.memory)
        memory = [_fitted(new, leaf) for new, leaf in zip(self.memory, old, strict=True)]
        return eqx.tree_at(
            lambda tree: (tree.library, tree.memory),
            state,
            (library, jax.tree.unflatten(shape, memory)),
            is_leaf=lambda node: node is state.memory,
        )

    def check_same(self, identity: Mapping[str, Any]) -> None:
        """Check that this history belongs to an experiment and a search.

        Raises:
            ValueError: It belongs to another; the message names the first difference.
        """
        here = json.loads(json.dumps(identity))
        for path, told, held in _differences(here, json.loads(self.identity)):
            raise ValueError(
                f"the history belongs to another search: {path} is {held} there and {told} here; "
                "give the settings it was made with, or start a new history"
            )

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return everything as named arrays, for numpy.savez."""
        arrays = {name: getattr(self, name) for name in RECORDS}
        arrays |= {f"memory_{i}": leaf for i, leaf in enumerate(self.memory)}
        text = {"identity": np.array(self.identity), "format": np.array(FORMAT)}
        return arrays | {"key_data": self.key_data} | text

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "History":
        """Make a history from the arrays of `to_arrays`.

        Raises:
            ValueError: An array is missing, or the format is newer than this version knows.
        """
        missing = [n for n in (*RECORDS, "key_data", "identity", "format") if n not in arrays]
        if missing:
            raise ValueError(f"this is no history: it has no array {missing[0]!r}")
        if int(arrays["format"]) != FORMAT:
            raise ValueError(
                f"the history has format {int(arrays['format'])}, this version reads {FORMAT}; "
                "read it with the version that wrote it"
            )
        number = sum(name.startswith("memory_") for name in arrays)
        memory = tuple(np.asarray(arrays[f"memory_{i}"]) for i in range(number))
        records = {name: np.asarray(arrays[name]) for name in RECORDS}
        _check_records(records)
        key_data, identity = np.asarray(arrays["key_data"]), str(arrays["identity"])
        return cls(**records, memory=memory, key_data=key_data, identity=identity)


def _check_records(records: Mapping[str, np.ndarray]) -> None:
    """Check that every rollout has one entry, of the right kind, in each record."""
    number = records["parameters"].shape[:1]
    for name, record in records.items():
        kinds, axes = ("f", 2) if name in ("parameters", "descriptors") else ("bfiu", 1)
        if record.ndim != axes or record.shape[:1] != number or record.dtype.kind not in kinds:
            raise ValueError(
                f"the array {name!r} of the history is {record.dtype} of shape {record.shape}; it "
                f"does not go with {number[0] if number else 0} rollouts"
            )
    if records["found"].dtype != bool:
        raise ValueError("the array 'found' of the history is not of true and false")


def _fitted(new: np.ndarray, old: jax.Array) -> jax.Array:
    """Return a memory array, grown to the room of a larger budget."""
    rows = min(new.shape[0], old.shape[0]) if new.ndim else 0
    return old.at[:rows].set(new[:rows]) if new.ndim else jax.numpy.asarray(new)


def _differences(here: Any, there: Any, path: str = ""):
    if isinstance(here, dict) and isinstance(there, dict):
        for name in [*here, *(name for name in there if name not in here)]:
            yield from _differences(here.get(name), there.get(name), f"{path}.{name}".strip("."))
    elif here != there:
        yield path, here, there
