"""Allele counts as found in a file: which coding they have, and whether every locus is usable."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

MISSING_CODE = -9
NUM_NAMED = 5


@dataclass(frozen=True, eq=False)
class Calls:
    """Allele counts of one ploidy.

    Attributes:
        dosage: copies of the counted allele, int8 [individuals, loci], 0 where missing.
        missing: whether the call is missing, bool [individuals, loci].
        ploidy: 1 or 2.
    """

    dosage: np.ndarray
    missing: np.ndarray
    ploidy: int


def recognise(genotypes: ArrayLike, *, ploidy: int | None = None) -> Calls:
    """Find out how genotypes are coded: {-1, 1}, {0, 1} or {0, 1, 2}, with NaN or -9 missing.

    Args:
        genotypes: individuals by loci.
        ploidy: 1 or 2 where the values alone do not tell.

    Raises:
        ValueError: not a table of numbers, fewer than two individuals or loci, or another coding.
    """
    table = np.asarray(genotypes)
    if table.ndim != 2 or not (np.issubdtype(table.dtype, np.number) or table.dtype == bool):
        raise ValueError(
            f"genotypes must be a table of numbers, individuals by loci, seen shape {table.shape} "
            f"of {table.dtype}"
        )
    if min(table.shape) < 2:
        raise ValueError(
            f"a decomposition needs at least 2 individuals and 2 loci, seen {table.shape[0]} and "
            f"{table.shape[1]}"
        )
    if ploidy not in (None, 1, 2):
        raise ValueError(f"ploidy is {ploidy}; choose 1 or 2")
    missing = (
        np.isnan(table) if np.issubdtype(table.dtype, np.inexact) else np.zeros_like(table, bool)
    )
    missing = missing | (table == MISSING_CODE)
    values = set(np.unique(table[~missing]).tolist())
    if -1 in values and 2 in values:
        missing, values = missing | (table == -1), values - {-1}
    kind = _kind(values, ploidy)
    dosage = (
        (np.where(missing, 0, table) + 1) / 2 if kind == "signs" else np.where(missing, 0, table)
    )
    return Calls(
        dosage=np.where(missing, 0, dosage).astype(np.int8),
        missing=missing,
        ploidy=2 if kind == "diploid" else 1,
    )


def _kind(values: set[float], ploidy: int | None) -> str:
    """Return "signs", "bits" or "diploid" for the distinct values of the calls that are there."""
    if values <= {0, 1} and ploidy != 2:
        return "bits"
    if values <= {-1, 1} and ploidy != 2:
        return "signs"
    if values <= {0, 1, 2} and ploidy != 1:
        return "diploid"
    shown = ", ".join(f"{value:g}" for value in sorted(values)[:8])
    more = " ..." if len(values) > 8 else ""
    told = "" if ploidy is None else f" with ploidy {ploidy}"
    raise ValueError(
        f"the coding of the genotypes is not recognised{told}: seen {shown}{more}; give haploids "
        "as -1/1 or 0/1, diploids as 0/1/2, and missing calls as NaN or -9"
    )


def check_loci(calls: Calls, names: Sequence[str]) -> None:
    """Refuse loci whose effects no data could tell.

    Raises:
        ValueError: loci without a call, without variation, or equal to another up to the naming of
            the alleles; the message names the first of them.
    """
    unseen = np.flatnonzero(calls.missing.all(axis=0))
    if unseen.size:
        raise ValueError(f"{named(unseen, names)} no call that is there; leave them out")
    constant = monomorphic_loci(calls)
    if constant.size:
        raise ValueError(
            f"{named(constant, names)} the same genotype in everybody (monomorphic), so no effect "
            "can be told; leave them out, or filter with genotypes.usable_loci"
        )
    repeats = duplicated_loci(calls)
    if repeats:
        shown = ", ".join(f"{names[j]} = {names[i]}" for j, i in list(repeats.items())[:NUM_NAMED])
        raise ValueError(
            f"{len(repeats)} loci repeat another locus in everybody (duplicated), so their effects "
            f"cannot be told apart: {shown}; keep one of each, or filter with "
            "genotypes.usable_loci"
        )


def named(loci: np.ndarray, names: Sequence[str]) -> str:
    """Return "3 loci (a, b, c) have", with at most five names."""
    shown = ", ".join(names[int(locus)] for locus in loci[:NUM_NAMED])
    more = ", ..." if loci.size > NUM_NAMED else ""
    noun = "locus" if loci.size == 1 else "loci"
    return f"{loci.size} {noun} ({shown}{more}) {'has' if loci.size == 1 else 'have'}"


def monomorphic_loci(calls: Calls) -> np.ndarray:
    """Return the loci at which all calls that are there agree."""
    least = np.where(calls.missing, 2, calls.dosage).min(axis=0)
    return np.flatnonzero(np.where(calls.missing, 0, calls.dosage).max(axis=0) <= least)


def duplicated_loci(calls: Calls) -> dict[int, int]:
    """Return, for each locus that repeats an earlier one, that earlier locus.

    Loci are equal if their calls are, missing ones included, perhaps with the alleles swapped.
    """
    first: dict[bytes, int] = {}
    repeats = {}
    for locus in range(calls.dosage.shape[1]):
        column, missing = calls.dosage[:, locus], calls.missing[:, locus]
        seen = column[~missing]
        # Of the two ways to name the alleles, the one in which the first homozygote is 0.
        homozygous = seen[seen != 1] if calls.ploidy == 2 else seen
        if homozygous.size and homozygous[0] > 0:
            column = calls.ploidy - column
        key = np.where(missing, 3, column).astype(np.int8).tobytes()
        if first.setdefault(key, locus) != locus:
            repeats[locus] = first[key]
    return repeats


def usable_loci(calls: Calls) -> np.ndarray:
    """Return the loci that vary and repeat no earlier one, in order."""
    bad = set(monomorphic_loci(calls).tolist()) | set(duplicated_loci(calls))
    bad |= set(np.flatnonzero(calls.missing.all(axis=0)).tolist())
    return np.array([j for j in range(calls.dosage.shape[1]) if j not in bad], dtype=np.int64)
