"""Lists of regions that together are a genome."""

from dataclasses import dataclass
from pathlib import Path

from escapement_jax.io.reader import reader
from escapement_jax.io.regions import Region, parse_region


@dataclass(frozen=True)
class GenomeRegion:
    """A region and the file that holds it.

    Attributes:
        region: where.
        input: phased genomes.
    """

    region: Region
    input: Path

    @property
    def folder(self) -> str:
        """Name of a folder for it."""
        return str(self.region).replace(":", "_").replace("/", "_")


@reader
def read_region_list(path: Path, default_input: Path) -> list[GenomeRegion]:
    """Read regions, one a line: `chr1:1-2000000`, or with its file behind a space or tab.

    Empty lines and those that begin with `#` are left out. Names of files are relative to the list.

    Args:
        path: The list.
        default_input: File of the regions that name none.

    Raises:
        ValueError: A line is not understood, a region is there twice or overlaps another, or there
            is none; names the line.
    """
    found: list[GenomeRegion] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split(None, 1)
        if not words or words[0].startswith("#"):
            continue
        try:
            region = parse_region(words[0])
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        file = path.parent / words[1].strip() if len(words) > 1 else default_input
        for other in found:
            if _overlap(region, other.region):
                raise ValueError(
                    f"{path}, line {number}: region {region} overlaps {other.region}; give every "
                    "base once"
                )
        found.append(GenomeRegion(region, file))
    if not found:
        raise ValueError(f"{path}: there is no region; write one a line, such as chr1:1-2000000")
    return found


def _overlap(one: Region, other: Region) -> bool:
    if one.contig != other.contig:
        return False
    if one.start is None or other.start is None or one.end is None or other.end is None:
        return True
    return one.start < other.end and other.start < one.end
