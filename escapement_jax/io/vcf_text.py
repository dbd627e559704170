"""A look at every line of a VCF file before htslib parses it.

htslib trusts its input: a strange name of a contig ends the process, and a file cut short is read
as far as it goes. The look gives messages a line number.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from escapement_jax.io.limits import LONGEST_LINE, refuse_larger

_GZIP = b"\x1f\x8b"
# The SAM/BAM specification, section 4.1.2.
_LAST_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_COLUMNS = b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
# The names of contigs that the VCF specification allows, and a position that htslib can hold.
_RECORD = re.compile(
    rb"[0-9A-Za-z!#$%&+./:;?@^_|~-][0-9A-Za-z!#$%&*+./:;=?@^_|~-]*\t\d{1,10}\t[^\t]+\t[A-Za-z.*]+\t"
)
_META = re.compile(rb"##[^=\s]+=.")


def check_vcf_text(path: Path) -> None:
    """Refuse a text VCF that is broken in a way that htslib does not tell.

    Args:
        path: a .vcf file, plain or compressed; a BCF file is left to htslib.

    Raises:
        ValueError: the file is cut short, expands beyond what is allowed, has a header or a record
            of another form, or a record with another number of columns; names the line.
    """
    columns = 0
    for number, line in _lines(path):
        if b"\0" in line:
            raise ValueError(f"{path}: line {number} has a zero byte in it")
        if not columns and line.startswith(b"##"):
            if not _META.match(line):
                raise ValueError(f"{path}: line {number} of the header is not ##key=value")
        elif not columns:
            columns = _columns(line, number, path)
        elif line.count(b"\t") + 1 != columns:
            raise ValueError(
                f"{path}: line {number} has {line.count(bytes([9])) + 1} columns where the header "
                f"has {columns}; the file may be cut short"
            )
        elif line.startswith(b"#") or not _RECORD.match(line):
            start = line[:60].decode("utf-8", errors="replace")
            raise ValueError(
                f"{path}: line {number} is no record of a VCF file (contig, position, identifier, "
                f"reference): {start!r}"
            )
    if not columns:
        raise ValueError(
            f"{path}: not a readable VCF file: there is no line {_COLUMNS[:6].decode()}"
        )


def _columns(line: bytes, number: int, path: Path) -> int:
    if not line.startswith(_COLUMNS):
        raise ValueError(
            f"{path}: not a readable VCF file: line {number} should be its header, starting with "
            f"{_COLUMNS.decode()!r}"
        )
    names = line.split(b"\t")[9:]
    for name in names:
        if not name or names.count(name) > 1:
            raise ValueError(
                f"{path}: line {number}: the sample {name.decode(errors='replace')!r} "
                "has no name or is there twice"
            )
    return line.count(b"\t") + 1


def require_last_block(path: Path) -> None:
    """Refuse a VCF or BCF file that is cut between two blocks of bgzip, as no reader notices.

    Args:
        path: the file; what bgzip has not compressed passes.

    Raises:
        ValueError: the empty block that marks the end is missing.
    """
    content = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(14)
        stream.seek(max(content - len(_LAST_BLOCK), 0))
        if start[12:] == b"BC" and stream.read() != _LAST_BLOCK:
            raise ValueError(f"{path}: the compressed file is cut short: its last block is missing")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as stream:
        compressed = stream.read(2) == _GZIP
    number, total = 0, 0
    with gzip.open(path, "rb") if compressed else path.open("rb") as lines:
        try:
            while line := lines.readline(LONGEST_LINE + 1):
                number, total = number + 1, total + len(line)
                if len(line) > LONGEST_LINE:
                    raise ValueError(f"{path}: line {number} has more than {LONGEST_LINE:,} bytes")
                refuse_larger(total, path, "the text")
                yield number, line.rstrip(b"\r\n")
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(
                f"{path}: the compressed file is cut short or damaged after line {number} ({error})"
            ) from error
