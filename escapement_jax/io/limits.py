"""How much a file may hold: files come from anywhere, and memory is finite."""

import os
from pathlib import Path

LARGEST_VARIABLE = "ESCAPEMENT_LARGEST_INPUT"
"""Environment variable with the most bytes, uncompressed, that one file may hold."""

LARGEST_INPUT = 16 * 2**30
"""Most bytes, uncompressed, that one file may hold where the variable is not set."""

LONGEST_LINE = 2**26
"""Most characters of one line of text."""

HARMLESS = 2**28
"""Bytes that a file may always expand to."""

LARGEST_EXPANSION = 250
"""Times its own size that a larger file may expand to; real arrays stay below."""


def largest_input() -> int:
    """Return the most bytes, uncompressed, that one file may hold.

    Raises:
        ValueError: the environment variable is not a whole number.
    """
    told = os.environ.get(LARGEST_VARIABLE)
    if told is None:
        return LARGEST_INPUT
    if not told.isdecimal():
        raise ValueError(f"{LARGEST_VARIABLE} is {told!r}; write a whole number of bytes")
    return int(told)


def refuse_larger(size: int, path: Path, what: str = "the file") -> None:
    """Refuse what is larger than a file may be.

    Args:
        size: bytes, uncompressed.
        path: the file, for the message.
        what: what of the file is so large.

    Raises:
        ValueError: it is too large; says how to allow it.
    """
    most = largest_input()
    if size > most:
        raise ValueError(
            f"{path}: {what} holds {size:,} bytes, more than the {most:,} allowed; if you trust "
            f"the file, set the environment variable {LARGEST_VARIABLE}={size}"
        )


def refuse_bomb(size: int, path: Path, what: str = "the file") -> None:
    """Refuse what is too large, or expands as only a file made to fill the memory does.

    Args:
        size: bytes, uncompressed.
        path: the compressed file.
        what: what of the file is so large.

    Raises:
        ValueError: it is too large, or expands too much; says how to allow it.
    """
    refuse_larger(size, path, what)
    packed = max(path.stat().st_size, 1) if path.is_file() else size
    if LARGEST_VARIABLE not in os.environ and size > max(HARMLESS, LARGEST_EXPANSION * packed):
        raise ValueError(
            f"{path}: {what} expands from {packed:,} to {size:,} bytes, which looks like a file "
            f"made to fill the memory; if you trust it, set the environment variable "
            f"{LARGEST_VARIABLE}={size}"
        )
