"""Signals that ask a run to stop: Ctrl-C, and SIGTERM from a batch or operating system."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(KeyboardInterrupt):
    """A signal has asked the run to stop.

    Attributes:
        signal: Which.
        kept: How far the work is that a checkpoint holds; None if there is no checkpoint.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.signal = signal.Signals(number)
        self.kept: str | None = None

    @property
    def exit_code(self) -> int:
        """128 and the number of the signal, as shells have it."""
        return 128 + self.signal.value

    def __str__(self) -> str:
        if self.kept is None:
            return f"stopped by {self.signal.name}; nothing was written"
        return f"stopped by {self.signal.name}; kept {self.kept}: go on with --resume"


class StopSignals:
    """While in use, the first signal raises `Stopped`; a second one does what it did before."""

    def __init__(self) -> None:
        self._before: dict[int, object] = {}
        self._held = False
        self._waiting: int | None = None

    def __enter__(self) -> "StopSignals":
        # Python lets only the main thread handle signals.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._stop) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let a signal wait until the block is over."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._waiting is not None:
            raise Stopped(self._waiting)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._restore()
        if self._held:
            self._waiting = number
        else:
            raise Stopped(number)

    def _restore(self) -> None:
        before, self._before = self._before, {}
        for number, handler in before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]
