"""Text files: whole, or the lines of a table, plain or gzip-compressed."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from escapement_jax.io.limits import LONGEST_LINE, refuse_larger


def require_file(path: Path) -> None:
    """Refuse a path that leads nowhere.

    Args:
        path: a file or folder that must exist.

    Raises:
        FileNotFoundError: when it does not.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; check the path")


def read_text(path: Path) -> str:
    """Read a whole UTF-8 file, with or without a byte-order mark.

    Args:
        path: a text file.

    Raises:
        FileNotFoundError: when the file is absent.
        ValueError: when it is larger than allowed or not UTF-8; names the byte.
    """
    require_file(path)
    refuse_larger(path.stat().st_size, path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a UTF-8 text file ({error})") from None


def read_fields(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Read the whitespace-separated fields of each line, skipping blank lines and `#` comments.

    Args:
        path: a text file, plain or gzip-compressed (told by its first bytes, not by its name).

    Returns:
        The line number, counted from 1, and the fields of each line.

    Raises:
        FileNotFoundError: when the file is absent.
        ValueError: when it cannot be read as text, or holds more than allowed.
    """
    require_file(path)
    # All at once: the file is closed here, whatever becomes of the lines.
    return iter(list(_fields(path)))


def _fields(path: Path) -> Iterator[tuple[int, list[str]]]:
    number, total = 0, 0
    try:
        with _opened(path) as lines:
            while line := lines.readline(LONGEST_LINE + 1):
                number, total = number + 1, total + len(line)
                if len(line) > LONGEST_LINE:
                    raise ValueError(
                        f"{path}: line {number} has more than {LONGEST_LINE:,} characters"
                    )
                refuse_larger(total, path, "the text")
                fields = line.split()
                if fields and not fields[0].startswith("#"):
                    yield number, fields
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise ValueError(f"{path}: cannot be read as text after line {number} ({error})") from error


def _opened(path: Path) -> io.TextIOWrapper:
    with path.open("rb") as stream:
        compressed = stream.read(2) == b"\x1f\x8b"
    opened = gzip.open(path, "rb") if compressed else path.open("rb")
    return io.TextIOWrapper(opened, encoding="utf-8-sig")


def to_number(text: str) -> float:
    """Read a number as tables write it; Python's `1_000` is none.

    Raises:
        ValueError: it is not a number.
    """
    if "_" in text:
        raise ValueError(f"{text!r} is not a number")
    return float(text)


def number_field(fields: list[str], column: int, path: Path, line: int) -> float:
    """Read one field of a line as a number.

    Args:
        fields: the fields of the line.
        column: which field, counted from 0.
        path: the file, for the message.
        line: the line number, for the message.

    Returns:
        The number.

    Raises:
        ValueError: when the line is too short or the field is not a number.
    """
    try:
        return to_number(fields[column])
    except (IndexError, ValueError):
        seen = fields[column] if column < len(fields) else "nothing"
        raise ValueError(
            f"{path}: line {line} needs a number in column {column + 1}, seen {seen!r}"
        ) from None
