"""Pairs of haplotypes: which ones, and what their genotypes are in every bin of the genome."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int16

from escapement_jax.genealogy.genome.genome_bins import GenomeBins

GENOTYPE_CLASSES = ((0, 0), (1, 1), (0, 1), (-1, 0), (-1, 1), (-1, -1))
"""Genotypes of a pair without their order; -1 is missing."""

_DISTANCE_RESOLUTION = 0.02
_CLASS_OF = np.array([[5, 3, 4], [3, 0, 2], [4, 2, 1]], np.int8)


class PairGenome(eqx.Module):
    """Bins in equal blocks, and the genotypes of the pairs in them; padding holds nothing.

    Attributes:
        recombination: distinct distances between bins, expected recombinations per generation.
        kind: which of them leads into the bin; 0 is no distance, for the first bin and padding.
        invariant_mutation: mutation rate over accessible bases that are no sites, per generation.
        site_mutation: mean mutation rate of the sites in the bin, per generation.
        counts: sites of every class of genotypes.
        halvings: `pair_model.transition_matrix`; 0 for the bins of threading.
    """

    recombination: Float[Array, " kinds"]
    kind: Int[Array, "blocks bins"]
    invariant_mutation: Float[Array, "blocks bins"]
    site_mutation: Float[Array, "blocks bins"]
    counts: Int16[Array, "blocks bins classes pairs"]
    halvings: int = eqx.field(static=True)


def balanced_pairs(num_haplotypes: int, most: int, seed: int) -> np.ndarray:
    """All pairs of haplotypes, or about `most` of them, every haplotype equally often.

    Haplotypes stand in a random circle and are paired at random distances, `num_haplotypes` pairs
    for every distance.

    Args:
        num_haplotypes: number of haplotypes, at least 2.
        most: largest number of pairs, or `num_haplotypes` if that is more.
        seed: of the random choice.

    Returns:
        Integers [pairs, 2].
    """
    everyone = np.stack(np.triu_indices(num_haplotypes, k=1), axis=1)
    if len(everyone) <= most:
        return everyone
    generator = np.random.default_rng(seed)
    circle = generator.permutation(num_haplotypes)
    distances = generator.permutation(np.arange(1, (num_haplotypes + 1) // 2))
    chosen = distances[: max(1, most // num_haplotypes)]
    return np.concatenate([np.stack([circle, np.roll(circle, step)], 1) for step in chosen])


def pair_genome(
    bins: GenomeBins, pairs: np.ndarray, *, width: int | None = None, bins_per_block: int = 100
) -> PairGenome:
    """Collect the genotypes of pairs in the bins of threading, or in wider ones.

    In a wider bin the data of several sites count as seen at one place, and distances between bins
    that differ by less than 2 % as equal. The rest of the law is kept: transitions are powers.

    Args:
        bins: the genome.
        pairs: haplotypes of every pair, [pairs, 2].
        width: width in base pairs to which bins are merged; None keeps them.
        bins_per_block: bins of a block.

    Returns:
        The arrays that `pair_model` works on.
    """
    middles = (bins.edges[:-1] + bins.edges[1:]) / 2
    group = np.arange(bins.num_bins)
    if width is not None:
        group = np.unique((middles - bins.edges[0]) // width, return_inverse=True)[1]
    size = int(group[-1]) + 1
    distance = np.bincount(group, bins.recombination, size)
    invariant = np.bincount(group, bins.invariant_mutation, size)
    site_group = group[bins.site_bin]
    sites = np.bincount(site_group, minlength=size)
    mutation = np.bincount(site_group, bins.site_mutation, size) / np.maximum(sites, 1)
    distinct, kind = _distinct(distance, exactly=width is None)
    counts = _class_counts(bins.genotypes, pairs, site_group, size)
    most_merged = int(np.bincount(group).max())
    return PairGenome(
        recombination=jnp.asarray(distinct, dtype=float),
        kind=jnp.asarray(_fold(kind, bins_per_block), jnp.int32),
        invariant_mutation=jnp.asarray(_fold(invariant, bins_per_block), dtype=float),
        site_mutation=jnp.asarray(_fold(mutation, bins_per_block), dtype=float),
        counts=jnp.asarray(_fold(counts, bins_per_block)),
        halvings=int(np.ceil(np.log2(most_merged))),
    )


def _distinct(distance: np.ndarray, *, exactly: bool) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values, 0 first, and the index of each entry among them."""
    rounded = distance
    if not exactly:
        steps = np.rint(np.log(np.where(distance > 0, distance, 1.0)) / _DISTANCE_RESOLUTION)
        rounded = np.where(distance > 0, np.exp(steps * _DISTANCE_RESOLUTION), 0.0)
    values, index = np.unique(np.append(0.0, rounded), return_inverse=True)
    return values, index[1:]


def _class_counts(
    genotypes: np.ndarray, pairs: np.ndarray, site_group: np.ndarray, size: int
) -> np.ndarray:
    classes = _CLASS_OF[genotypes[:, pairs[:, 0]] + 1, genotypes[:, pairs[:, 1]] + 1]
    counts = np.zeros((size, len(GENOTYPE_CLASSES), len(pairs)), np.int16)
    sites = site_group[:, None]
    np.add.at(counts, (sites, classes, np.arange(len(pairs))[None, :]), 1)
    return counts


def _fold(values: np.ndarray, rows: int) -> np.ndarray:
    """Blocks of so many rows, padded with zeros at the end."""
    padding = [(0, -values.shape[0] % rows)] + [(0, 0)] * (values.ndim - 1)
    return np.pad(values, padding).reshape(-1, rows, *values.shape[1:])
