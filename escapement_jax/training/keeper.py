"""What a run keeps of its state while it works, and finds again when it is resumed."""

import logging
import time
from collections.abc import Callable, Mapping

import numpy as np

from escapement_jax.training.checkpoints import Arrays, Checkpoints
from escapement_jax.training.stop_signals import Stopped, StopSignals

_PLACE = "place"
_LOG = logging.getLogger(__name__)

Pack = Callable[[], Mapping[str, np.ndarray]]
"""Gives the arrays of a section of the state; called only when a checkpoint is written."""


class Keeper:
    """Takes offers of state, writes checkpoints when one is due, and gives sections back.

    A section is a part of the state with a name, such as the chains of an inference; an offer
    replaces what was offered for the same section before. Without checkpoints a keeper does
    nothing, so that fits need not ask whether they are kept.

    Use as `with Keeper(checkpoints) as keeper: ...`: when a signal stops the block, what was
    offered last is written before `Stopped` goes on.
    """

    def __init__(self, checkpoints: Checkpoints | None = None, *, every: float = 0.0) -> None:
        """Start with what the newest checkpoint holds.

        Args:
            checkpoints: Where to write; by default nothing is kept.
            every: Seconds between two checkpoints; 0 for one at every offer.

        Raises:
            CheckpointError: All checkpoints are damaged.
        """
        self._checkpoints = checkpoints
        self._every = every
        self._sections: dict[str, Arrays] = {}
        self._offers: dict[str, Pack] = {}
        self._signals = StopSignals()
        self._place: str | None = None
        self.resumed_from: str | None = None
        if checkpoints is not None:
            self._restore(checkpoints)
        self._saved_at = time.monotonic()

    def __enter__(self) -> "Keeper":
        self._signals.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        del kind, trace
        self._signals.__exit__()
        if self._checkpoints is None:
            return
        if isinstance(error, Stopped):
            if self._offers:
                self._save(self._checkpoints)
            self._checkpoints.wait()
            error.kept = self._place if self._checkpoints.numbers else None

    def kept(self, section: str) -> Arrays | None:
        """Return the arrays of a section of the state that was resumed; None if there are none."""
        return self._sections.get(section)

    def offer(self, section: str, place: str, pack: Pack) -> None:
        """Offer a section of the state; it is written if a checkpoint is due.

        Args:
            section: Its name, without slashes.
            place: How far the run is, in words for a person.
            pack: Gives the arrays; what it reads may not change afterwards.

        Raises:
            CheckpointError: A checkpoint could not be written.
            Stopped: A signal came while writing.
        """
        if self._checkpoints is None:
            return
        self._offers[section], self._place = pack, place
        if time.monotonic() - self._saved_at >= self._every:
            with self._signals.held():
                self._save(self._checkpoints)

    def _save(self, checkpoints: Checkpoints) -> None:
        for section, pack in self._offers.items():
            arrays = {name: np.asarray(array) for name, array in pack().items()}
            self._sections[section] = arrays
        self._offers = {}
        checkpoints.save(
            {
                f"{section}/{name}": array
                for section, arrays in self._sections.items()
                for name, array in arrays.items()
            },
            {_PLACE: self._place},
        )
        self._saved_at = time.monotonic()
        _LOG.info("checkpoint: %s", self._place)

    def _restore(self, checkpoints: Checkpoints) -> None:
        found = checkpoints.newest()
        if found is None:
            return
        for path, array in found.arrays.items():
            section, _, name = path.partition("/")
            self._sections = self._sections | {
                section: {**self._sections.get(section, {}), name: array}
            }
        self.resumed_from = self._place = found.facts[_PLACE]
