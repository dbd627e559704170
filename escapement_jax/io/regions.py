"""Regions of a genome, as users write them: `chr1:1-200000`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_BOUNDED = re.compile(r"(?P<contig>.+):(?P<first>[\d,]+)-(?P<last>[\d,]+)")
_FORM = 'write "chr1:1-200000" (counted from 1, both ends included) or "chr1"'


@dataclass(frozen=True)
class Region:
    """A contig, or a stretch of it.

    Attributes:
        contig: name of the contig, as in the file.
        start: first base pair, counted from 0; `None` for no bounds.
        end: one past the last base pair; `None` for no bounds.
    """

    contig: str
    start: int | None = None
    end: int | None = None

    def contains(self, contig: str, position: int) -> bool:
        """Whether a position, counted from 0, lies in the region."""
        if contig != self.contig:
            return False
        return self.start is None or self.end is None or self.start <= position < self.end

    def __str__(self) -> str:
        """Write the region as users do, counted from 1 with both ends included."""
        if self.start is None:
            return self.contig
        return f"{self.contig}:{self.start + 1}-{self.end}"


def parse_region(text: str) -> Region:
    """Read a region: `chr1:1-200,000`, counted from 1 with both ends included, or `chr1`.

    Args:
        text: what the user wrote.

    Returns:
        The region, counted from 0 and half-open.

    Raises:
        ValueError: when the text has another form, starts below 1, or ends before it starts.
    """
    text = text.strip()
    match = _BOUNDED.fullmatch(text)
    if match is None:
        # A colon alone may belong to the name of a contig ("HLA-A*01:01"); a range may not.
        if not text or text.endswith(":") or "-" in text.partition(":")[2]:
            raise ValueError(f"region {text!r} is not understood; {_FORM}")
        return Region(text)
    first, last = (int(match[name].replace(",", "") or 0) for name in ("first", "last"))
    if not 1 <= first <= last:
        raise ValueError(
            f"region {text!r} must start at 1 or beyond and end no earlier than it starts; {_FORM}"
        )
    return Region(match["contig"], first - 1, last)


def list_contigs(contigs: Iterable[str]) -> str:
    """Write the names of contigs for a message, the first ten and how many in all."""
    names = list(contigs)
    shown = ", ".join(repr(name) for name in names[:10])
    return f"{shown}, ... ({len(names)} in all)" if len(names) > 10 else shown


def require_contig(contig: str, available: Iterable[str], source: str) -> None:
    """Refuse a contig that a file does not have.

    Args:
        contig: the name asked for; it must match exactly.
        available: the names in the file.
        source: the file, for the message.

    Raises:
        ValueError: when the name is absent; the message lists the contigs of the file.
    """
    names = list(available)
    if contig in names:
        return
    other = contig.removeprefix("chr") if contig.startswith("chr") else f"chr{contig}"
    hint = f"; did you mean {other!r}?" if other in names else ""
    raise ValueError(
        f"{source}: no contig {contig!r}; it has {list_contigs(names) or 'none'}{hint}"
    )
