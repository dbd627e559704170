"""Every reader with files to break, and the ways to break them.

A reader keeps its promise on an input if it refuses it with a ValueError or OSError that names one
of its files, or if what it read holds the invariants of its check.
"""

import copy
import dataclasses
import io
import json
import math
import signal
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

MOST_SECONDS = 60
"""Wall seconds after which a reader counts as hanging; a busy machine needs some to load JAX."""

NASTY = (
    b"", b"nan", b"-1", b"0", b"inf", b"1e309", b"99999999999999999999", b"1_0", b"\x00",
    b"\xff\xfe", b"'", b'"', b"../../etc/passwd", b"\t", b"\n", b"\r", b",", b"=1+1", b"null",
    b"true", b"[]", b"{}", b"./.", b"0/1", b"1|2", b"0|0|0", b".", b"<DEL>", b"*", b"\xc3\xa9",
    b"#", b"[" * 3000, b"1" * 5000, b"&xxe;", b"-0", b"1.5", b"ACGT", b"chr2", b"0x10", b"1e-400",
)  # fmt: skip

VALUES = (
    None, True, -1, 0, 1.5, math.nan, math.inf, 10**25, "", "x", "nan", [], {}, [[]], {"id": 1},
    "../../etc/passwd", [1, "a"],
)  # fmt: skip


class Broken(AssertionError):
    """A reader that broke its promise, with the input that made it."""


@dataclasses.dataclass(frozen=True)
class Reader:
    """A reader to break.

    Attributes:
        seed: makes the sound files by name; the first is the one that is read.
        read: reads the folder's files.
        check: looks at what was read, and at the files, for what must hold.
    """

    seed: Callable[[], dict[str, bytes]]
    read: Callable[[Path], Any]
    check: Callable[[Any, dict[str, bytes]], None]


@dataclasses.dataclass(frozen=True)
class Damage:
    """What is done to one file: an action, where (as a share of the file), and with what."""

    action: str
    place: float
    second: float
    payload: int


ACTIONS = (
    "cut", "flip", "zero", "insert", "remove_bytes", "drop_line", "repeat_line", "swap_lines",
    "replace_field", "drop_field", "structured", "structured",
)  # fmt: skip

damages = st.lists(
    st.builds(
        Damage,
        action=st.sampled_from(ACTIONS),
        place=st.floats(0, 1, exclude_max=True),
        second=st.floats(0, 1, exclude_max=True),
        payload=st.integers(0, 10**6),
    ),
    min_size=1,
    max_size=3,
)


def broken_files(seed: dict[str, bytes], damage: list[Damage], which: int) -> dict[str, bytes]:
    """Damage one of the files, most often the first."""
    names = list(seed)
    name = names[which % len(names)]
    content = seed[name]
    for one in damage:
        content = damaged(content, one, name)
    return seed | {name: content}


def damaged(content: bytes, one: Damage, name: str) -> bytes:
    """Do one damage to the bytes of a file."""
    if one.action == "structured":
        for ends, change in STRUCTURED.items():
            if name.endswith(ends):
                try:
                    return change(content, one)
                except Exception:  # An earlier damage may have left nothing to take apart.
                    break
    if one.action in ("cut", "flip", "zero", "insert", "remove_bytes"):
        return _damaged_bytes(content, one)
    return _damaged_lines(content, one)


def _damaged_bytes(content: bytes, one: Damage) -> bytes:
    at = int(one.place * len(content))
    if one.action == "cut":
        return content[:at]
    if one.action == "flip":
        return content[:at] + bytes([one.payload % 256]) + content[at + 1 :]
    if one.action == "zero":
        size = int(one.second * min(len(content) - at, 64))
        return content[:at] + bytes(size) + content[at + size :]
    if one.action == "insert":
        return content[:at] + NASTY[one.payload % len(NASTY)] + content[at:]
    return content[:at] + content[at + int(one.second * 64) :]


def _damaged_lines(content: bytes, one: Damage) -> bytes:
    lines = content.split(b"\n")
    at, other = int(one.place * len(lines)), int(one.second * len(lines))
    if one.action == "drop_line":
        del lines[at]
    elif one.action == "repeat_line":
        lines.insert(other, lines[at])
    elif one.action == "swap_lines":
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at] = _damaged_line(lines[at], one)
    return b"\n".join(lines)


def _damaged_line(line: bytes, one: Damage) -> bytes:
    separator = next((s for s in (b"\t", b",", b" = ", b" ") if s in line), b" ")
    fields = line.split(separator)
    at = int(one.second * len(fields))
    if one.action == "drop_field":
        del fields[at]
    else:
        fields[at] = NASTY[one.payload % len(NASTY)]
    return separator.join(fields)


def _damaged_archive(content: bytes, one: Damage) -> bytes:
    """Rename, drop, repeat or change one member of a zip file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = int(one.place * len(members))
    name, data = members[at]
    kind = one.payload % 6
    if kind == 0:
        members[at] = ("../" + name, data)
    elif kind == 1:
        del members[at]
    elif kind == 2:
        members.append((name, data))
    elif kind == 3 and name.endswith(".npy"):
        members[at] = (name, _damaged_array(data, one))
    elif kind == 4:
        members[at] = (members[int(one.second * len(members))][0] + "x", data)
    else:
        action = ACTIONS[one.payload % 5]
        members[at] = (name, _damaged_bytes(data, dataclasses.replace(one, action=action)))
    packed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # A name that is there twice is the point.
        for name, data in members:
            archive.writestr(name, data)
    return packed.getvalue()


def _damaged_array(data: bytes, one: Damage) -> bytes:
    array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    kind = one.payload // 7 % 8
    if kind == 0:
        array = array.astype(object)
    elif kind == 1:
        array = array.astype("U5")
    elif kind == 2:
        array = array[..., None]
    elif kind == 3:
        array = array.reshape(-1)[: int(one.second * array.size)]
    elif kind == 4:
        array = array[:-1] if array.ndim else array
    elif array.size:
        value = [math.nan, math.inf, -1.0, 1e300, 0.5][one.payload // 60 % 5]
        with np.errstate(all="ignore"):
            array = array.astype(float) if array.dtype.kind in "biuf" else array.astype("U9")
            array.reshape(-1)[int(one.second * array.size)] = value
    packed = io.BytesIO()
    np.lib.format.write_array(packed, array, allow_pickle=True)
    return packed.getvalue()


def _damaged_json(content: bytes, one: Damage) -> bytes:
    document = json.loads(content)
    nodes = list(_nodes(document))
    parent, key = nodes[int(one.place * len(nodes))]
    if one.payload % 5 == 0 and isinstance(parent, dict):
        del parent[key]
    elif one.payload % 5 == 1 and isinstance(parent, list):
        parent.append(parent[key])
    else:
        parent[key] = VALUES[one.payload // 5 % len(VALUES)]
    return json.dumps(document).encode()


def _nodes(document: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(document, dict | list):
        keys = list(document) if isinstance(document, dict) else range(len(document))
        for key in keys:
            yield document, key
            yield from _nodes(document[key])


def _damaged_xml(content: bytes, one: Damage) -> bytes:
    """Drop, repeat or move one element, or change one attribute."""
    import xml.etree.ElementTree as tree

    root = tree.fromstring(content)
    places = [(parent, child) for parent in root.iter() for child in parent]
    parent, child = places[int(one.place * len(places))]
    kind = one.payload % 4
    if kind == 0:
        parent.remove(child)
    elif kind == 1:
        parent.append(child)
    elif kind == 2:
        # A copy: an element below itself would never end.
        places[int(one.second * len(places))][0].append(copy.deepcopy(child))
    elif child.attrib:
        name = list(child.attrib)[int(one.second * len(child.attrib))]
        text = NASTY[one.payload // 4 % len(NASTY)].decode("latin-1").replace("\x00", "")
        child.attrib[name] = text
    return tree.tostring(root)


def _damaged_gzip(content: bytes, one: Damage) -> bytes:
    """Damage what is inside, and pack it again."""
    import gzip

    action = ACTIONS[one.payload % 10]
    inner = dataclasses.replace(one, action=action, payload=one.payload // 10)
    text = damaged(gzip.decompress(content), inner, "text")
    return gzip.compress(text, mtime=0)


def _damaged_hdf5(content: bytes, one: Damage) -> bytes:
    """Drop one dataset, or change its numbers."""
    import h5py

    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name))
        name = names[int(one.place * len(names))]
        item = file[name]
        if one.payload % 3 == 0 or not isinstance(item, h5py.Dataset):
            del file[name]
        else:
            array = np.asarray(item[()])
            del file[name]
            if one.payload % 3 == 1 and array.ndim:
                array = array[: int(one.second * len(array))]
            elif array.dtype.kind in "iuf" and array.size:
                array = array.astype(float)
                array.reshape(-1)[int(one.second * array.size)] = [math.nan, -1, 1e18][
                    one.payload // 3 % 3
                ]
            file[name] = array
        if one.payload % 17 == 0:
            file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/x")
    return buffer.getvalue()


STRUCTURED: dict[str, Callable[[bytes, Damage], bytes]] = {
    ".npz": _damaged_archive,
    ".vcz.zip": _damaged_archive,
    ".tsz": _damaged_archive,
    ".json": _damaged_json,
    ".xml": _damaged_xml,
    ".gz": _damaged_gzip,
    ".h5": _damaged_hdf5,
    ".h5ad": _damaged_hdf5,
}


def attempt(reader: Reader, files: dict[str, bytes], folder: Path) -> str:
    """Let a reader read files from a folder, and say whether it has `read` or `refused` them.

    Raises:
        Broken: it broke its promise.
    """
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    try:
        with at_most(MOST_SECONDS):
            result = reader.read(folder)
    except (ValueError, OSError) as error:
        named = any(Path(name).name.partition(".")[0] in str(error) for name in files)
        if not named or isinstance(error, UnicodeError):
            raise Broken(f"the message names no file: {type(error).__name__}: {error}") from error
        return "refused"
    except BaseException as error:
        raise Broken(f"{type(error).__name__}: {error}") from error
    try:
        reader.check(result, files)
    except Exception as error:
        raise Broken(f"read, but wrong: {type(error).__name__}: {error}") from error
    return "read"


class Hanging(BaseException):
    """A reader that does not come to an end."""


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Interrupt a block that takes longer, where the system can."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise Hanging(f"not finished after {seconds} s")

    old = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
