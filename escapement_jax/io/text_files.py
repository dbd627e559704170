"""Lines of a small text table, plain or gzip-compressed."""

import gzip
from collections.abc import Iterator
from pathlib import Path


def require_file(path: Path) -> None:
    """Refuse a path that leads nowhere.

    Args:
        path: a file or folder that must exist.

    Raises:
        FileNotFoundError: when it does not.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; check the path")


def read_fields(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Read the whitespace-separated fields of each line, skipping blank lines and `#` comments.

    Args:
        path: a text file, plain or gzip-compressed (told by its first bytes, not by its name).

    Yields:
        The line number, counted from 1, and the fields of the line.

    Raises:
        FileNotFoundError: when the file is absent.
        ValueError: when it cannot be read as text.
    """
    require_file(path)
    try:
        with path.open("rb") as stream:
            compressed = stream.read(2) == b"\x1f\x8b"
        opened = gzip.open(path, "rt", encoding="utf-8") if compressed else path.open("rt")
        with opened as lines:
            for number, line in enumerate(lines, start=1):
                fields = line.split()
                if fields and not fields[0].startswith("#"):
                    yield number, fields
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read as text ({error})") from error


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
        return float(fields[column])
    except (IndexError, ValueError):
        seen = fields[column] if column < len(fields) else "nothing"
        raise ValueError(
            f"{path}: line {line} needs a number in column {column + 1}, seen {seen!r}"
        ) from None
