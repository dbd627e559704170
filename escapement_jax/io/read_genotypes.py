"""Genotypes from any file that is understood."""

from collections.abc import Callable, Sequence
from pathlib import Path

from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.io.accessibility_mask import read_accessibility_mask
from escapement_jax.io.regions import parse_region
from escapement_jax.io.samples import read_sample_names
from escapement_jax.io.tree_sequences import read_tree_sequence
from escapement_jax.io.vcf import read_vcf
from escapement_jax.io.vcf_zarr import read_vcf_zarr

_READERS: dict[str, Callable[..., Genotypes]] = {
    ".vcf": read_vcf,
    ".vcf.gz": read_vcf,
    ".vcf.bgz": read_vcf,
    ".bcf": read_vcf,
    ".vcz": read_vcf_zarr,
    ".vcz.zip": read_vcf_zarr,
    ".trees": read_tree_sequence,
    ".tsz": read_tree_sequence,
}


def read_genotypes(
    path: str | Path,
    *,
    ancestral: str | None = None,
    region: str | None = None,
    samples: str | Path | Sequence[str] | None = None,
    mask: str | Path | None = None,
) -> Genotypes:
    """Read phased, polarised genotypes of one region.

    Args:
        path: .vcf, .vcf.gz, .bcf, .vcz (folder or zip), .trees or .tsz.
        ancestral: which allele is ancestral: "info:AA" (any INFO key), "ref" or "major". It must
            be said for VCF and VCF Zarr; a tree sequence states it, and "major" overrides.
        region: "chr1:1-200000" (counted from 1, both ends included) or "chr1"; default the only
            contig of the file.
        samples: the individuals to read: a file of names, one a line, or the names themselves;
            default all. They keep the order of `path`.
        mask: a BED file of accessible intervals; default every base of the region.

    Returns:
        The genotypes, with the count of dropped sites by reason.

    Raises:
        FileNotFoundError: when a file is absent.
        ImportError: when the reader for this kind of file is not installed.
        ValueError: when a file is unreadable or of unknown kind, a choice does not fit the file, a
            record cannot be used, or no usable site is left.
    """
    path = Path(path)
    reader = next((read for end, read in _READERS.items() if path.name.endswith(end)), None)
    if reader is None:
        raise ValueError(
            f"{path}: the kind of file is told by its name, which must end in {', '.join(_READERS)}"
        )
    if isinstance(samples, (str, Path)):
        samples = read_sample_names(Path(samples))
    return reader(
        path,
        ancestral=ancestral,
        region=None if region is None else parse_region(region),
        samples=samples,
        mask=None if mask is None else read_accessibility_mask(Path(mask)),
    )
