"""One record of a file of variants, and its calls checked for phase and ploidy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from escapement_jax.genealogy.genome.genotypes import MISSING

ABSENT = -2
_MAX_PLOIDY = 2


@dataclass(frozen=True)
class VariantRecord:
    """One record of a file of variants.

    Attributes:
        contig: name of the contig.
        position: base pair, counted from 0.
        alleles: the reference allele, then the alternatives.
        ancestral_annotation: what the file says of the ancestral allele, if anything.
        calls: reads the calls of the chosen individuals, and is only called where they are needed:
            allele indices [individuals, ploidy], -1 missing and -2 where the individual has fewer
            alleles than others, and whether each call is phased [individuals].
    """

    contig: str
    position: int
    alleles: tuple[str, ...]
    ancestral_annotation: str | None
    calls: Callable[[], tuple[np.ndarray, np.ndarray]]

    def __str__(self) -> str:
        """Write the place as files do, counted from 1."""
        return f"{self.contig}:{self.position + 1}"


@dataclass(frozen=True)
class VariantSource:
    """What a file of variants says of itself.

    Attributes:
        name: the file, for messages.
        sample_names: the chosen individuals, in the order of the file.
        contig_lengths: length in base pairs of each contig the file declares, `None` if unsaid.
    """

    name: str
    sample_names: tuple[str, ...]
    contig_lengths: Mapping[str, int | None]


def read_haplotypes(
    record: VariantRecord, source: VariantSource, ploidy: int | None
) -> tuple[np.ndarray | None, int | None]:
    """Read the calls of a record as phased haplotypes, refusing what cannot be phased.

    A half-missing unphased call (`./1`) tells no single haplotype anything: it is read as missing.

    Args:
        record: the record.
        source: its file.
        ploidy: the ploidy of the records before; `None` if no call was seen yet.

    Returns:
        The allele index of every haplotype (int8; -1 missing), and the ploidy; no haplotypes when
        nobody is called.

    Raises:
        ValueError: when ploidy differs from before or between samples or is above two, a
            heterozygous call is unphased, or a call names an allele that is not listed. The
            message names the file, the record and the sample.
    """
    calls, phased = record.calls()
    called = np.any(calls >= 0, axis=1)
    if not called.any():
        return None, ploidy
    ploidy = _require_one_ploidy(record, source, calls, called, ploidy)
    # Padding is dropped here: one lone "." stands for a missing call of any ploidy.
    calls = np.maximum(calls[:, :ploidy], MISSING)
    beyond = np.flatnonzero(np.any(calls >= len(record.alleles), axis=1))
    if beyond.size:
        raise ValueError(
            f"{source.name}: record {record}, sample {source.sample_names[beyond[0]]} has allele "
            f"{calls[beyond[0]].max()} but the record lists {len(record.alleles)} alleles"
        )
    if ploidy == _MAX_PLOIDY:
        calls = _require_phase(record, source, calls, phased)
    return calls.astype(np.int8).reshape(-1), ploidy


def _require_one_ploidy(
    record: VariantRecord,
    source: VariantSource,
    calls: np.ndarray,
    called: np.ndarray,
    ploidy: int | None,
) -> int:
    widths = np.sum(calls != ABSENT, axis=1)
    expected = int(widths[np.argmax(called)]) if ploidy is None else ploidy
    odd = np.flatnonzero(called & (widths != expected))
    if odd.size:
        raise ValueError(
            f"{source.name}: record {record}, sample {source.sample_names[odd[0]]} has ploidy "
            f"{widths[odd[0]]} where {expected} was seen before; choose samples and a region of "
            "one ploidy"
        )
    if expected > _MAX_PLOIDY:
        first = source.sample_names[int(np.argmax(called))]
        raise ValueError(
            f"{source.name}: record {record}, sample {first} has ploidy {expected}; "
            "only haploid and diploid individuals are read"
        )
    return expected


def _require_phase(
    record: VariantRecord, source: VariantSource, calls: np.ndarray, phased: np.ndarray
) -> np.ndarray:
    unlike = (calls[:, 0] != calls[:, 1]) & ~phased
    if not unlike.any():
        return calls
    half_missing = np.any(calls == MISSING, axis=1)
    unphased = np.flatnonzero(unlike & ~half_missing)
    if unphased.size:
        first, second = calls[unphased[0]]
        raise ValueError(
            f"{source.name}: record {record}, sample {source.sample_names[unphased[0]]} has the "
            f"unphased heterozygous genotype {first}/{second}; phase the file first "
            f"({first}|{second})"
        )
    return np.where((unlike & half_missing)[:, None], MISSING, calls)
