"""Which individuals of a file to read."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from escapement_jax.io.reader import reader
from escapement_jax.io.text_files import read_fields


@reader
def read_sample_names(path: Path) -> tuple[str, ...]:
    """Read a list of sample names, one a line; further columns are ignored.

    Args:
        path: a text file, plain or gzip-compressed; `#` starts a comment line.

    Returns:
        The names, in the order of the file.

    Raises:
        FileNotFoundError: when the file is absent.
        ValueError: when it is unreadable or names nobody.
    """
    names = tuple(fields[0] for _, fields in read_fields(path))
    if not names:
        raise ValueError(f"{path}: the list of samples is empty; give one name a line")
    return names


def select_samples(
    available: Sequence[str], wanted: Sequence[str] | None, source: str
) -> np.ndarray:
    """Find the chosen individuals among those of a file; the file's order is kept.

    Args:
        available: the names in the file.
        wanted: the names to read, each counted once; `None` reads all.
        source: the file, for the message.

    Returns:
        Increasing indices into `available`.

    Raises:
        ValueError: when the file or the choice is empty, or a name is not in the file.
    """
    if not available:
        raise ValueError(f"{source}: the file holds no samples")
    if wanted is None:
        return np.arange(len(available))
    if not wanted:
        raise ValueError(f"{source}: the list of samples is empty; name at least one")
    present = set(available)
    unknown = [name for name in wanted if name not in present]
    if unknown:
        raise ValueError(
            f"{source}: {len(unknown)} of {len(wanted)} chosen samples are not in the file: "
            f"{', '.join(unknown)}; its samples are {', '.join(available[:5])}"
            f"{', ...' if len(available) > 5 else ''}"
        )
    chosen = set(wanted)
    return np.flatnonzero([name in chosen for name in available])
