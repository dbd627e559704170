"""Archives of plain arrays (.npz) from anywhere: no pickle, no bombs, nothing read twice."""

import zipfile
from pathlib import Path, PurePosixPath

import numpy as np

from escapement_jax.io.limits import refuse_bomb
from escapement_jax.io.text_files import require_file

ENDING = ".npy"
_ENCRYPTED = 0x1


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read every array of a NumPy archive.

    Args:
        path: a .npz file.

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: it is no archive of plain arrays, holds one under two names alike, has Python
            objects in it, or is larger than allowed.
    """
    require_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = check_members(archive, path)
            return {
                member.filename.removesuffix(ENDING): _read(archive, member, path)
                for member in members
            }
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
        raise ValueError(f"{path}: not a readable .npz archive of plain arrays: {error}") from error


def check_members(
    archive: zipfile.ZipFile, path: Path, *, unique: bool = True
) -> list[zipfile.ZipInfo]:
    """Return the members of an archive after a look at their names and sizes.

    Args:
        archive: an open archive.
        path: its file, for messages.
        unique: whether no name may be there twice; zarr writes some twice, and the last counts.

    Raises:
        ValueError: a name leads out of the archive or is there twice, a member is encrypted, or all
            together are larger than allowed.
    """
    members = archive.infolist()
    names: set[str] = set()
    for member in members:
        name = member.filename
        if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
            raise ValueError(f"{path}: the member {name!r} leads out of the archive")
        if unique and name in names:
            raise ValueError(f"{path}: the member {name!r} is there twice")
        if member.flag_bits & _ENCRYPTED:
            raise ValueError(f"{path}: the member {name!r} is encrypted")
        names.add(name)
    refuse_bomb(sum(member.file_size for member in members), path, "the archive")
    return members


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> np.ndarray:
    name = member.filename
    if not name.endswith(ENDING):
        raise ValueError(f"{path}: the member {name!r} is no array")
    try:
        with archive.open(member) as stream:
            array = np.lib.format.read_array(stream, allow_pickle=False)
            beyond = stream.read(1)
    except zipfile.BadZipFile:
        raise
    except Exception as error:  # NumPy raises nearly anything for a broken header.
        raise ValueError(f"{path}: the array {name.removesuffix(ENDING)!r}: {error}") from error
    if beyond:
        raise ValueError(f"{path}: the array {name.removesuffix(ENDING)!r} is followed by more")
    return array
