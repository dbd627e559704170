"""The chunks of a genome laid out as windows of equal length that are worked on side by side.

Given where a lineage is attached at the ends of every window, what it does inside one does not
depend on the others. So all windows are threaded at once, chunk after chunk within each. Shifting
the layout from move to move lets every boundary move.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import jax
import jax.numpy as jnp

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class WindowLayout:
    """Which chunk stands where.

    Attributes:
        num_chunks: chunks of the genome.
        size: chunks per window.
        shift: places left empty at the start of the first window, less than `size`.
    """

    num_chunks: int
    size: int
    shift: int = 0

    def __post_init__(self) -> None:
        """Reject windows without chunks and shifts beyond a window."""
        if not (self.size >= 1 and 0 <= self.shift < self.size):
            raise ValueError(
                f"a layout needs size >= 1 and 0 <= shift < size, got {self.size}, {self.shift}"
            )

    @classmethod
    def whole(cls, num_chunks: int) -> "WindowLayout":
        """One window over the whole genome."""
        return cls(num_chunks, num_chunks)

    @classmethod
    def split(cls, num_chunks: int, windows: int, shift: int = 0) -> "WindowLayout":
        """About as many windows as are asked for, at most one per chunk."""
        return cls(num_chunks, -(-num_chunks // min(windows, num_chunks)), shift)

    @property
    def edges(self) -> list[int]:
        """The chunks that open a window, but for the first of the genome."""
        return [
            chunk for chunk in range(1, self.num_chunks) if not (chunk + self.shift) % self.size
        ]

    @property
    def num_windows(self) -> int:
        """Windows, as many for every shift, so that all have the same shapes."""
        if self.size == self.num_chunks and not self.shift:
            return 1
        return -(-(self.num_chunks + self.size - 1) // self.size)

    def columns(
        self, chunks: Sequence[_Item], before: _Item | None = None, after: _Item | None = None
    ) -> list[_Item]:
        """Stack what stands at the same place of every window, one stack per place.

        Args:
            chunks: one pytree per chunk, all of the same shapes.
            before: what stands in the empty places before the first chunk.
            after: what stands in those after the last chunk.
        """
        behind = self.num_windows * self.size - self.shift - self.num_chunks
        placed = [before] * self.shift + list(chunks) + [after] * behind
        return [
            jax.tree.map(lambda *leaves: jnp.stack(leaves), *placed[place :: self.size])
            for place in range(self.size)
        ]

    def chunks(self, columns: Sequence[_Item]) -> list[_Item]:
        """Take the chunks of the genome out of stacked columns, in order."""

        def take(window: int, column: _Item) -> _Item:
            return jax.tree.map(lambda leaf: leaf[window], column)

        places = range(self.shift, self.shift + self.num_chunks)
        return [take(place // self.size, columns[place % self.size]) for place in places]
