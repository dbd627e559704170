"""Genotypes from VCF Zarr stores.

The layout is that of https://github.com/sgkit-dev/vcf-zarr-spec, in a folder or a zip file.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
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
from escapement_jax.io.zarr_stores import refuse_unsafe_store

_NEEDED = (
    "call_genotype",
    "contig_id",
    "sample_id",
    "variant_allele",
    "variant_contig",
    "variant_position",
)


@reader
def read_vcf_zarr(
    path: Path,
    *,
    ancestral: str | None,
    region: Region | None = None,
    samples: Sequence[str] | None = None,
    mask: Mapping[str, np.ndarray] | None = None,
) -> Genotypes:
    """Read phased genotypes from a VCF Zarr store; only the chunks that are needed are read.

    A store without `call_genotype_phased` counts as unphased.

    Args:
        path: a .vcz folder or zip file.
        ancestral: "info:AA" (the array `variant_AA`; any key), "ref" or "major"; it must be said.
        region: where to read; `None` for a store of one contig.
        samples: the individuals to read, kept in the order of the store; `None` reads all.
        mask: accessible intervals of each contig; `None` if every base is accessible.

    Returns:
        The genotypes.

    Raises:
        FileNotFoundError: when the store is absent.
        ImportError: when zarr is not installed.
        ValueError: when the store is unreadable, lacks an array, or the sieve refuses a record.
    """
    require_file(path)
    refuse_unsafe_store(path)
    ancestral = require_ancestral(ancestral, str(path))
    key = annotation_key(ancestral)
    store, group = _open(path)
    try:
        _require_arrays(group, path, () if key is None else (f"variant_{key}",))
        available = _strings(group["sample_id"])
        individuals = select_samples(available, samples, str(path))
        source = VariantSource(
            str(path), tuple(available[i] for i in individuals), _contig_lengths(group)
        )
        return sieve_variants(
            _records(group, individuals, key),
            source,
            ancestral=ancestral,
            region=region,
            mask=mask,
        )
    finally:
        if store is not None:
            store.close()


def _open(path: Path) -> tuple[Any, Any]:
    try:
        import zarr
        from zarr.storage import ZipStore
    except ImportError as error:
        raise ImportError(
            f'{path}: reading VCF Zarr needs zarr; pip install "escapement-jax[variants]"'
        ) from error
    try:
        store = None if path.is_dir() else ZipStore(str(path), mode="r")
        return store, zarr.open_group(str(path) if store is None else store, mode="r")
    # zarr 2 and zarr 3 share no class of errors for what is not a group.
    except Exception as error:
        raise ValueError(f"{path}: not a readable VCF Zarr store ({error})") from error


def _require_arrays(group: Any, path: Path, wanted: tuple[str, ...]) -> None:
    present = sorted(group)
    lacking = [name for name in (*_NEEDED, *wanted) if name not in present]
    if lacking:
        raise ValueError(
            f"{path}: the VCF Zarr store has no {', '.join(lacking)}; it has {', '.join(present)}"
        )


def _strings(array: Any) -> list[str]:
    return [str(value) for value in array[:]]


def _contig_lengths(group: Any) -> dict[str, int | None]:
    names = _strings(group["contig_id"])
    if "contig_length" not in group:
        return dict.fromkeys(names)
    lengths = [int(length) for length in group["contig_length"][:]]
    known = [length if length > 0 else None for length in lengths]
    return dict(zip(names, known, strict=True))


def _records(group: Any, individuals: np.ndarray, key: str | None) -> Iterator[VariantRecord]:
    contigs = _strings(group["contig_id"])
    contig_of_variant = group["variant_contig"][:]
    # Stores keep the 1-based positions of VCF.
    positions = group["variant_position"][:].astype(np.int64) - 1
    alleles = group["variant_allele"][:]
    annotations = None if key is None else group[f"variant_{key}"][:].reshape(len(positions), -1)
    read_calls = _chunked_calls(group, individuals)
    for i, position in enumerate(positions):
        yield VariantRecord(
            contig=contigs[contig_of_variant[i]],
            position=int(position),
            alleles=tuple(str(allele) for allele in alleles[i] if str(allele) not in ("", ".")),
            ancestral_annotation=None if annotations is None else str(annotations[i, 0]),
            calls=lambda i=i: read_calls(i),
        )


def _chunked_calls(
    group: Any, individuals: np.ndarray
) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    """Read calls by row, holding one chunk of rows at a time."""
    genotypes = group["call_genotype"]
    size = genotypes.chunks[0]
    phases = group["call_genotype_phased"] if "call_genotype_phased" in group else None

    @lru_cache(maxsize=1)
    def read_chunk(number: int) -> tuple[np.ndarray, np.ndarray]:
        rows = slice(number * size, (number + 1) * size)
        calls = genotypes[rows][:, individuals]
        if phases is None:
            return calls, np.zeros(calls.shape[:2], dtype=bool)
        return calls, phases[rows][:, individuals].astype(bool)

    def read_row(row: int) -> tuple[np.ndarray, np.ndarray]:
        calls, phased = read_chunk(row // size)
        return calls[row % size], phased[row % size]

    return read_row
