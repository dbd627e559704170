"""Allele counts from files of variants: VCF, PLINK bed, tree sequences."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from escapement_jax.genealogy.genome.genotypes import MISSING
from escapement_jax.io.reader import reader
from escapement_jax.io.text_files import require_file
from escapement_jax.io.tree_sequences import read_tree_sequence
from escapement_jax.io.vcf_text import check_vcf_text, require_last_block

PLINK_MISSING = -127


class AlleleCounts(NamedTuple):
    """Copies of the counted allele, individuals by loci, NaN where missing."""

    counts: np.ndarray
    individuals: tuple[str, ...]
    loci: tuple[str, ...]
    ploidy: int


@reader
def read_vcf_counts(path: Path) -> AlleleCounts:
    """Count alternative alleles at the biallelic records of a VCF or BCF file, phased or not.

    Records with more than one alternative allele are left out; a half-missing call is missing.

    Args:
        path: a .vcf, .vcf.gz or .bcf file.

    Raises:
        FileNotFoundError: the file is absent.
        ImportError: cyvcf2 is not installed.
        ValueError: the file is unreadable, or has no biallelic record or mixed ploidy.
    """
    require_file(path)
    require_last_block(path)
    if path.suffix != ".bcf":
        check_vcf_text(path)
    try:
        import cyvcf2
    except ImportError:
        raise ImportError(
            f'{path}: reading VCF needs cyvcf2; pip install "escapement-jax[variants]"'
        ) from None
    # cyvcf2 raises bare Exceptions for headers and records that it cannot parse.
    try:
        reader = cyvcf2.VCF(str(path))
        individuals = tuple(reader.samples)
        records = [
            (f"{variant.CHROM}:{variant.POS}", variant.genotype.array()[:, :-1].copy())
            for variant in reader
            if len(variant.ALT) == 1
        ]
    except Exception as error:
        raise ValueError(f"{path}: not a readable VCF or BCF file ({error})") from error
    if not records:
        raise ValueError(f"{path}: there is no record with exactly one alternative allele")
    ploidies = {calls.shape[1] for _, calls in records}
    if len(ploidies) > 1 or max(ploidies) > 2:
        raise ValueError(
            f"{path}: records of ploidy {sorted(ploidies)}; give haploids or diploids only"
        )
    counts = np.stack([_count(calls) for _, calls in records], axis=1)
    names = _unique([name for name, _ in records])
    return AlleleCounts(counts, individuals, names, ploidies.pop())


@reader
def read_bed_counts(path: Path) -> AlleleCounts:
    """Count the first alleles (A1) of a PLINK 1 binary file; its .bim and .fam lie beside it.

    Args:
        path: a .bed file.

    Raises:
        FileNotFoundError: a file is absent.
        ImportError: bed-reader is not installed.
        ValueError: the file is unreadable.
    """
    for suffix in (".bed", ".bim", ".fam"):
        require_file(path.with_suffix(suffix))
    try:
        from bed_reader import open_bed
    except ImportError:
        raise ImportError(
            f'{path}: reading PLINK bed needs bed-reader; pip install "escapement-jax[tables]"'
        ) from None
    try:
        # Nonsense where positions should be is a defect of the file, not a warning.
        with np.errstate(invalid="raise"), open_bed(path) as bed:
            counts = bed.read(dtype="int8", num_threads=1)
            individuals, loci = bed.iid.tolist(), bed.sid.tolist()
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not a readable PLINK bed file ({error})") from error
    values = np.where(counts == PLINK_MISSING, np.nan, counts)
    return AlleleCounts(values, tuple(map(str, individuals)), _unique(loci), 2)


@reader
def read_tree_sequence_counts(path: Path) -> AlleleCounts:
    """Count derived alleles at the two-allele sites of a tree sequence.

    Args:
        path: a .trees or .tsz file.

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: the file is unreadable, or has no usable site.
    """
    genotypes = read_tree_sequence(path)
    shape = (genotypes.num_sites, -1, genotypes.ploidy)
    alleles = genotypes.haplotypes.reshape(shape).astype(float)
    counts = np.where(alleles == MISSING, np.nan, alleles).sum(axis=2).T
    loci = tuple(f"{genotypes.contig}:{place + 1}" for place in genotypes.positions)
    return AlleleCounts(counts, genotypes.sample_names, loci, genotypes.ploidy)


def _count(calls: np.ndarray) -> np.ndarray:
    return np.where(np.any(calls < 0, axis=1), np.nan, np.sum(calls == 1, axis=1))


def _unique(names: list[str]) -> tuple[str, ...]:
    """Number the repetitions of a name: several records may share a place."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return tuple(unique)
