"""Zarr stores from anywhere: a look at what they say of themselves before anything is read."""

import json
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from escapement_jax.io.archives import check_members
from escapement_jax.io.limits import refuse_bomb, refuse_larger

METADATA = (".zarray", ".zmetadata", ".zgroup", "zarr.json")
PICKLE = "pickle"
_LARGEST_METADATA = 2**26


def refuse_unsafe_store(path: Path) -> None:
    """Refuse a store that would run code, leave its folder or fill the memory when it is read.

    Args:
        path: a folder or a zip file of a Zarr store, version 2 or 3.

    Raises:
        ValueError: the zip file is broken or too large, metadata are not JSON, an array is encoded
            with pickle, or an array says that it is larger than allowed.
    """
    for name, text in _metadata(path):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: the metadata {name} are not JSON ({error})") from None
        for inner in _objects(document):
            if PICKLE in (inner.get("id"), inner.get("name")):
                raise ValueError(
                    f"{path}: {name} is encoded with pickle, which can run any program; it is not "
                    "read"
                )
            _check_size(inner, path, name)


def _metadata(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        root = path.resolve()
        for file in sorted(path.rglob("*")):
            if not file.resolve().is_relative_to(root):
                raise ValueError(f"{path}: {file.relative_to(path)} leads out of the store")
            if file.name in METADATA:
                refuse_larger(file.stat().st_size, path, file.name)
                yield str(file.relative_to(path)), file.read_bytes()
        return
    try:
        with zipfile.ZipFile(path) as archive:
            for member in check_members(archive, path, unique=False):
                if member.filename.rpartition("/")[2] in METADATA:
                    if member.file_size > _LARGEST_METADATA:
                        raise ValueError(f"{path}: {member.filename} is too large for metadata")
                    yield member.filename, archive.read(member)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise ValueError(f"{path}: not a readable zip file ({error})") from None


def _objects(document: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a JSON document."""
    if isinstance(document, dict):
        yield document
    if isinstance(document, dict | list):
        for inner in document.values() if isinstance(document, dict) else document:
            yield from _objects(inner)


def _check_size(array: dict[str, Any], path: Path, name: str) -> None:
    """Check the size that an array says it has, by entries: their width hardly matters here."""
    for key in ("shape", "chunks", "chunk_shape"):
        shape = array.get(key)
        if isinstance(shape, list) and all(isinstance(one, int) for one in shape):
            if any(one < 0 for one in shape):
                raise ValueError(f"{path}: {name} has the impossible {key} {shape}")
            refuse_bomb(math.prod(shape), path, f"{name} with {key} {shape}")
