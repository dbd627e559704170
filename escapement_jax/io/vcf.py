"""Genotypes from VCF and BCF files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.io.reader import reader
from escapement_jax.io.regions import Region
from escapement_jax.io.samples import select_samples
from escapement_jax.io.text_files import require_file
from escapement_jax.io.variant_calls import annotation_key, require_ancestral, sieve_variants
from escapement_jax.io.variant_records import VariantRecord, VariantSource
from escapement_jax.io.vcf_text import check_vcf_text, require_last_block


@reader
def read_vcf(
    path: Path,
    *,
    ancestral: str | None,
    region: Region | None = None,
    samples: Sequence[str] | None = None,
    mask: Mapping[str, np.ndarray] | None = None,
) -> Genotypes:
    """Read phased genotypes from a VCF or BCF file.

    Where the file has an index beside it (.tbi or .csi), only the records of the region are read,
    and records elsewhere are not counted as dropped.

    Args:
        path: a .vcf, .vcf.gz or .bcf file.
        ancestral: "info:AA" (any INFO key), "ref" or "major"; it must be said.
        region: where to read; `None` for a file of one contig.
        samples: the individuals to read, kept in the order of the file; `None` reads all.
        mask: accessible intervals of each contig; `None` if every base is accessible.

    Returns:
        The genotypes.

    Raises:
        FileNotFoundError: when the file is absent.
        ImportError: when cyvcf2 is not installed.
        ValueError: when the file is unreadable or the sieve refuses a record.
    """
    require_file(path)
    ancestral = require_ancestral(ancestral, str(path))
    require_last_block(path)
    if path.suffix != ".bcf" and not (region and _is_indexed(path)):
        check_vcf_text(path)
    reader = _open(path)
    try:
        available = list(reader.samples)
        names = tuple(available[i] for i in select_samples(available, samples, str(path)))
        if len(names) < len(available):
            reader.set_samples(list(names))
        source = VariantSource(str(path), names, _contig_lengths(reader))
        return sieve_variants(
            _records(_select(reader, path, region), path, annotation_key(ancestral)),
            source,
            ancestral=ancestral,
            region=region,
            mask=mask,
        )
    finally:
        reader.close()


def _open(path: Path) -> Any:
    try:
        import cyvcf2
    except ImportError as error:
        raise ImportError(
            f'{path}: reading VCF needs cyvcf2; pip install "escapement-jax[variants]"'
        ) from error
    try:
        return cyvcf2.VCF(str(path))
    # cyvcf2 raises a bare Exception for a header that it cannot parse.
    except Exception as error:
        raise ValueError(f"{path}: not a readable VCF or BCF file ({error})") from error


def _contig_lengths(reader: Any) -> dict[str, int | None]:
    names = list(reader.seqnames)
    try:
        lengths = list(reader.seqlens)
    except AttributeError:
        return dict.fromkeys(names)
    known = [length if length > 0 else None for length in lengths]
    return dict(zip(names, known, strict=True))


def _is_indexed(path: Path) -> bool:
    return any(Path(f"{path}{suffix}").exists() for suffix in (".tbi", ".csi"))


def _select(reader: Any, path: Path, region: Region | None) -> Any:
    if region is None or not _is_indexed(path) or region.contig not in reader.seqnames:
        return reader
    return reader(str(region))


def _records(variants: Any, path: Path, key: str | None) -> Iterator[VariantRecord]:
    variants = iter(variants)
    place = "the header"
    while True:
        try:
            variant = next(variants)
        except StopIteration:
            return
        # cyvcf2 raises a bare Exception for a record that it cannot parse.
        except Exception as error:
            raise ValueError(f"{path}: the record after {place} is unreadable ({error})") from error
        annotation = None if key is None else variant.INFO.get(key)
        place = f"{variant.CHROM}:{variant.POS}"
        yield VariantRecord(
            contig=variant.CHROM,
            position=variant.POS - 1,
            alleles=(variant.REF, *variant.ALT),
            ancestral_annotation=None if annotation is None else str(annotation),
            calls=lambda variant=variant, place=place: _calls(variant, path, place),
        )


def _calls(variant: Any, path: Path, place: str) -> tuple[np.ndarray, np.ndarray]:
    genotype = variant.genotype if "GT" in variant.FORMAT else None
    if genotype is None:
        raise ValueError(f"{path}: record {place} has no genotypes (GT); give a file of genotypes")
    calls = genotype.array()
    return calls[:, :-1], calls[:, -1].astype(bool)
