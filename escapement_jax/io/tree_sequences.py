"""Genotypes from tree sequences."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tskit

from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.io.reader import reader
from escapement_jax.io.regions import Region
from escapement_jax.io.samples import select_samples
from escapement_jax.io.text_files import require_file
from escapement_jax.io.variant_calls import sieve_variants
from escapement_jax.io.variant_records import VariantRecord, VariantSource
from escapement_jax.io.zarr_stores import refuse_unsafe_store

_UNNAMED_CONTIG = "1"


@reader
def read_tree_sequence(
    path: Path,
    *,
    ancestral: str | None = None,
    region: Region | None = None,
    samples: Sequence[str] | None = None,
    mask: Mapping[str, np.ndarray] | None = None,
) -> Genotypes:
    """Read the genotypes of the sample nodes of a tree sequence; its trees are not used.

    Individuals are named by the `name` in their metadata, and otherwise `tsk_0`, `tsk_1`, ... in
    the order of their first sample node. Sample nodes without individuals are haploid. A tree
    sequence does not name its contig: it has the name given with the region, else "1".

    Args:
        path: a .trees file, or .tsz (compressed by tszip).
        ancestral: `None` for the ancestral state in the file, or "major".
        region: where to read; without bounds, the whole sequence.
        samples: the individuals to read, kept in the order of the file; `None` reads all.
        mask: accessible intervals of each contig; `None` if every base is accessible.

    Returns:
        The genotypes.

    Raises:
        FileNotFoundError: when the file is absent.
        ImportError: when a .tsz file is given and tszip is not installed.
        ValueError: when the file is unreadable, its positions are not whole base pairs, or the
            sieve refuses a site.
    """
    if ancestral not in (None, "major"):
        raise ValueError(
            f"{path}: a tree sequence states its ancestral alleles; leave the rule out or say "
            f'"major", seen {ancestral!r}'
        )
    require_file(path)
    tree_sequence = _load(path)
    _require_whole_base_pairs(tree_sequence, path)
    owners = _sample_nodes_of_individuals(tree_sequence, path)
    available = _individual_names(tree_sequence, owners)
    individuals = select_samples(available, samples, str(path))
    length = int(tree_sequence.sequence_length)
    contig = _UNNAMED_CONTIG if region is None else region.contig
    bounded = region if region is not None and region.start is not None else None
    return sieve_variants(
        _records(tree_sequence, contig, owners[individuals]),
        VariantSource(str(path), tuple(available[i] for i in individuals), {contig: length}),
        ancestral=ancestral or "ref",
        region=bounded or Region(contig, 0, length),
        mask=mask,
    )


def _load(path: Path) -> tskit.TreeSequence:
    load: Any = _tszip_load(path) if path.suffix == ".tsz" else tskit.load
    if path.suffix == ".tsz":
        refuse_unsafe_store(path)
    try:
        return load(str(path))
    # tskit and tszip share no class of errors for what is not a tree sequence.
    except Exception as error:
        raise ValueError(f"{path}: not a readable tree sequence ({error})") from error


def _tszip_load(path: Path) -> Any:
    try:
        import tszip
    except ImportError as error:
        raise ImportError(
            f'{path}: reading .tsz needs tszip; pip install "escapement-jax[variants]"'
        ) from error
    return tszip.load


def _require_whole_base_pairs(tree_sequence: tskit.TreeSequence, path: Path) -> None:
    coordinates = np.append(tree_sequence.sites_position, tree_sequence.sequence_length)
    fractional = coordinates[coordinates != np.floor(coordinates)]
    if fractional.size:
        raise ValueError(
            f"{path}: sites and sequence length must be whole base pairs, seen "
            f"{fractional[0]:.12g}; simulate with a discrete genome or round the positions"
        )


def _sample_nodes_of_individuals(tree_sequence: tskit.TreeSequence, path: Path) -> np.ndarray:
    """Group the sample nodes by individual: nodes [individuals, ploidy]."""
    nodes = tree_sequence.samples()
    individuals = tree_sequence.nodes_individual[nodes]
    if np.all(individuals == tskit.NULL):
        return nodes[:, None]
    if np.any(individuals == tskit.NULL):
        raise ValueError(
            f"{path}: sample node {nodes[individuals == tskit.NULL][0]} belongs to no individual "
            "while others do; give every sample an individual, or none"
        )
    groups = [nodes[individuals == i] for i in dict.fromkeys(individuals.tolist())]
    odd = [group for group in groups if len(group) != len(groups[0])]
    if odd:
        raise ValueError(
            f"{path}: the individual of sample node {odd[0][0]} has ploidy {len(odd[0])} where "
            f"{len(groups[0])} was seen before; choose a file of one ploidy"
        )
    return np.stack(groups)


def _individual_names(tree_sequence: tskit.TreeSequence, owners: np.ndarray) -> list[str]:
    names = []
    for i, node in enumerate(owners[:, 0]):
        individual = tree_sequence.nodes_individual[node]
        metadata = None if individual < 0 else tree_sequence.individual(individual).metadata
        named = isinstance(metadata, dict) and metadata.get("name")
        names.append(str(named) if named else f"tsk_{i}")
    return names


def _records(
    tree_sequence: tskit.TreeSequence, contig: str, owners: np.ndarray
) -> Iterator[VariantRecord]:
    phased = np.ones(len(owners), dtype=bool)
    for variant in tree_sequence.variants(samples=owners.reshape(-1)):
        calls = variant.genotypes.reshape(owners.shape)
        yield VariantRecord(
            contig=contig,
            position=int(variant.site.position),
            alleles=tuple(allele for allele in variant.alleles if allele is not None),
            ancestral_annotation=None,
            calls=lambda calls=calls: (calls, phased),
        )
