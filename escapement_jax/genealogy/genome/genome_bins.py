"""The genome as bins with at most one site each, cut into chunks of a fixed number of bins."""

from collections.abc import Sequence
from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int8

from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.rate_map import RateMap

LARGEST_EXPECTED_RECOMBINATIONS = 0.4
"""Bins are split until fewer recombinations than this are expected in a tree across a boundary."""

SITE_CAPACITY_STEP = 128
"""Spare rows cost nothing, and few different shapes mean few compilations."""


class GenomeChunk(eqx.Module):
    """Genome and genotypes of one chunk of bins.

    Attributes:
        recombination: expected recombinations per generation across the boundary that opens each
            bin (0 for the first bin of the genome and for padding).
        invariant_mutation: mutation rate summed over the accessible bases of the bin that show no
            variant, per generation.
        site_slot: row of the bin's site in the arrays below; 0, a site of which all genotypes are
            missing, for bins without one.
        site_bin: bin of every site, counted from the chunk's first.
        site_mutation: mutation rate at every site, per generation.
        genotypes: 0 ancestral, 1 derived, -1 missing.
        num_sites: rows in use, the first included.
    """

    recombination: Float[Array, " bins"]
    invariant_mutation: Float[Array, " bins"]
    site_slot: Int[Array, " bins"]
    site_bin: Int[Array, " sites"]
    site_mutation: Float[Array, " sites"]
    genotypes: Int8[Array, "sites haplotypes"]
    num_sites: Int[Array, ""]


@dataclass(frozen=True)
class GenomeBins:
    """The whole region in bins, on the host.

    Attributes:
        edges: bin edges in base pairs, from the region's start to its end.
        recombination: expected recombinations per generation between the middles of neighbouring
            bins; entry 0 is 0.
        invariant_mutation: mutation rate summed over accessible bases without a variant.
        site_bin: bin of every site, strictly increasing.
        site_mutation: mutation rate at every site.
        genotypes: int8 [sites, haplotypes].
    """

    edges: np.ndarray
    recombination: np.ndarray
    invariant_mutation: np.ndarray
    site_bin: np.ndarray
    site_mutation: np.ndarray
    genotypes: np.ndarray

    @property
    def num_bins(self) -> int:
        """Number of bins."""
        return self.edges.size - 1


def bin_edges(
    start: int,
    end: int,
    positions: np.ndarray,
    recombination: RateMap,
    *,
    width: int,
    expected_tree_length: float,
) -> np.ndarray:
    """Bin edges such that bins are at most `width` long, hold one site, and rarely recombine.

    Bins of the given width are split where more than `LARGEST_EXPECTED_RECOMBINATIONS` are expected
    across a bin in a tree of the expected length: into parts of equal genetic length, to the
    nearest base, so that a hotspot narrower than a bin is split and what surrounds it is not. They
    are also split half-way between sites that share a bin. Never finer than one base.

    Args:
        start: first base of the region, 0-based.
        end: end of the region, exclusive.
        positions: site positions, strictly increasing integers.
        recombination: recombination map.
        width: largest bin width in base pairs.
        expected_tree_length: expected total branch length of a local tree, generations.

    Raises:
        ValueError: width is not positive.
    """
    if width < 1:
        raise ValueError(f"bin_width must be at least 1 base pair, got {width}")
    coarse = np.unique(np.append(np.arange(start, end, width), end))
    edges = np.union1d(coarse, _hotspot_edges(coarse, recombination, expected_tree_length))
    bins = np.searchsorted(edges, positions, side="right") - 1
    shared = np.flatnonzero(np.diff(bins) == 0)
    between = (positions[shared] + positions[shared + 1] + 1) // 2
    return np.union1d(edges, between).astype(np.float64)


def _hotspot_edges(
    coarse: np.ndarray, recombination: RateMap, expected_tree_length: float
) -> np.ndarray:
    """Bases at which coarse bins are split into parts of equal genetic length."""
    largest_rate = LARGEST_EXPECTED_RECOMBINATIONS / expected_tree_length
    # No bin is finer than a base, so a base counts for one bin at most, however hot it is.
    capped = RateMap(recombination.edges, np.minimum(recombination.rates, largest_rate))
    distances = capped.cumulative(coarse)
    parts = np.ceil(np.diff(distances) / largest_rate).astype(int)
    splits = [
        np.linspace(distances[i], distances[i + 1], parts[i], endpoint=False)[1:]
        for i in np.flatnonzero(parts > 1)
    ]
    knots = np.union1d(coarse, np.clip(recombination.edges, coarse[0], coarse[-1]))
    inverse = np.interp(np.concatenate([*splits, []]), capped.cumulative(knots), knots)
    return np.rint(inverse).astype(np.int64)


def make_bins(
    genotypes: Genotypes,
    edges: np.ndarray,
    *,
    mutation: RateMap,
    recombination: RateMap,
) -> GenomeBins:
    """Collect rates, accessible bases and sites per bin.

    Args:
        genotypes: the data; only accessible bases enter the likelihood.
        edges: bin edges in base pairs, at most one site between two of them.
        mutation: mutation rate per bp per generation along the region.
        recombination: recombination rate per bp per generation along the region.

    Raises:
        ValueError: two sites share a bin.
    """
    site_bin = np.searchsorted(edges, genotypes.positions, side="right") - 1
    shared = np.flatnonzero(np.diff(site_bin) == 0)
    if shared.size:
        left, right = genotypes.positions[shared[0] : shared[0] + 2]
        raise ValueError(f"sites {left} and {right} share a bin; make the edges with bin_edges")
    middles = (edges[:-1] + edges[1:]) / 2
    crossing = np.diff(recombination.cumulative(middles), prepend=0.0)
    crossing[0] = 0.0
    opportunity = np.zeros(edges.size - 1)
    for left, right in genotypes.accessible:
        inside = np.clip(edges, left, right)
        opportunity += np.diff(mutation.cumulative(inside))
    at_sites = np.diff(
        mutation.cumulative(np.stack([genotypes.positions, genotypes.positions + 1])), axis=0
    )[0]
    np.subtract.at(opportunity, site_bin, at_sites)
    return GenomeBins(
        edges=edges,
        recombination=crossing,
        invariant_mutation=np.maximum(opportunity, 0.0),
        site_bin=site_bin,
        site_mutation=at_sites,
        genotypes=genotypes.haplotypes,
    )


def _padded(values: np.ndarray, size: int, fill: float) -> np.ndarray:
    padding = [(0, size - values.shape[0])] + [(0, 0)] * (values.ndim - 1)
    return np.pad(values, padding, constant_values=fill)


def make_chunks(bins: GenomeBins, bins_per_chunk: int) -> Sequence[GenomeChunk]:
    """Cut the bins into chunks of equal shapes, padded with bins in which nothing can happen.

    Args:
        bins: the region.
        bins_per_chunk: number of bins of every chunk.
    """
    starts = np.arange(0, bins.num_bins, bins_per_chunk)
    sites = np.searchsorted(bins.site_bin, np.append(starts, bins.num_bins))
    most_sites = int(np.diff(sites).max())
    capacity = SITE_CAPACITY_STEP * (most_sites // SITE_CAPACITY_STEP + 1)
    chunks = []
    for index, start in enumerate(starts):
        rows = slice(sites[index], sites[index + 1])
        within = bins.site_bin[rows] - start
        slot = np.zeros(bins_per_chunk, np.int32)
        slot[within] = np.arange(1, within.size + 1)
        missing = np.full((1, bins.genotypes.shape[1]), -1, np.int8)
        genotypes = np.concatenate([missing, bins.genotypes[rows]])
        stop = start + bins_per_chunk
        chunks.append(
            GenomeChunk(
                recombination=_float(_padded(bins.recombination[start:stop], bins_per_chunk, 0)),
                invariant_mutation=_float(
                    _padded(bins.invariant_mutation[start:stop], bins_per_chunk, 0)
                ),
                site_slot=jnp.asarray(slot),
                site_bin=jnp.asarray(_padded(np.append(0, within), capacity, 0), jnp.int32),
                site_mutation=_float(
                    _padded(np.append(0.0, bins.site_mutation[rows]), capacity, 0)
                ),
                genotypes=jnp.asarray(_padded(genotypes, capacity, -1)),
                num_sites=jnp.asarray(within.size + 1, jnp.int32),
            )
        )
    return chunks


def _float(values: np.ndarray) -> Float[Array, "..."]:
    return jnp.asarray(values, dtype=float)
