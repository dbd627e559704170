"""JSON from anywhere: every key counts, and none may be there twice."""

import json
from pathlib import Path
from typing import Any

from escapement_jax.io.text_files import read_text


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: a UTF-8 file.

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: it is not JSON, is nested too deeply, has a key twice in one object, or is no
            object.
    """
    text = read_text(path)
    try:
        document = json.loads(text, object_pairs_hook=lambda pairs: _unique(pairs, path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"{path}: JSON that is nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path}: not a JSON object")
    return document


def _unique(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{path}: the key {twice!r} is there twice in one object; keep one")
    return document
