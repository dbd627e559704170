"""What a run has cost: seconds of compilation, seconds of work, peak memory."""

import resource
import sys
import time
from collections.abc import Iterable
from types import TracebackType

import jax.monitoring

COMPILE_EVENTS = "/jax/core/compile/"


class RunReport:
    """Measures the block it wraps: `with RunReport() as report: ...`.

    JAX reports when it traces, lowers and compiles; whatever wall time is left is the run itself.
    All figures may also be read inside the block, for the time spent so far.
    """

    def __init__(self) -> None:
        self._start: float = time.time()
        self._end: float | None = None
        self._compile_spans: list[tuple[float, float]] = []

    def __enter__(self) -> "RunReport":
        self._start = time.time()
        jax.monitoring.register_event_time_span_listener(self._note_compilation)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end = time.time()
        jax.monitoring.unregister_event_time_span_listener(self._note_compilation)

    @property
    def seconds(self) -> dict[str, float]:
        """Wall seconds spent compiling (`compile`) and on everything else (`run`)."""
        end = time.time() if self._end is None else self._end
        compiling = covered_seconds(self._compile_spans)
        return {"compile": compiling, "run": max(end - self._start - compiling, 0.0)}

    @property
    def peak_memory_mb(self) -> float:
        """Largest resident memory of the process so far, in units of 10^6 bytes."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # Linux counts in kibibytes, macOS in bytes.
        bytes_per_unit = 1 if sys.platform == "darwin" else 1024
        return peak * bytes_per_unit / 1e6

    def _note_compilation(
        self, event: str, start_time: float, end_time: float, **kwargs: str | int
    ) -> None:
        if event.startswith(COMPILE_EVENTS):
            self._compile_spans.append((start_time, end_time))


def covered_seconds(spans: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of time spans.

    Compilations nest (a traced function traces others), so their durations may not be added.
    """
    covered, reached = 0.0, -float("inf")
    for start, end in sorted(spans):
        covered += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return covered
