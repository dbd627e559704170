"""Statistics of genotypes that do not depend on which allele is ancestral."""

import numpy as np

from escapement_jax.genealogy.genome.genotypes import Genotypes


def windowed_diversity(genotypes: Genotypes, edges: np.ndarray) -> np.ndarray:
    """Return the nucleotide diversity of windows, per accessible base pair.

    Args:
        genotypes: Haplotypes; pairs of which one is missing at a site do not count there.
        edges: Edges of the windows, base pairs, increasing [windows + 1].

    Returns:
        Differences per base pair [windows]; NaN in windows without an accessible base.

    References:
        Nei and Li (1979), Proc Natl Acad Sci 76:5269.
    """
    ancestral, derived = _counts(genotypes)
    seen = ancestral + derived
    differences = ancestral * derived / np.maximum(seen * (seen - 1) / 2, 1)
    total = np.histogram(genotypes.positions, edges, weights=differences)[0]
    bases = _accessible_bases(genotypes.accessible, edges)
    return np.where(bases > 0, total / np.maximum(bases, 1), np.nan)


def minor_allele_spectrum(genotypes: Genotypes, edges: np.ndarray) -> np.ndarray:
    """Return the number of sites by the count of their rarer allele (folded frequency spectrum).

    Where genotypes are missing the count is scaled up to all haplotypes.

    Args:
        genotypes: Haplotypes.
        edges: Edges of the classes of counts, increasing [classes + 1].
    """
    ancestral, derived = _counts(genotypes)
    seen = ancestral + derived
    share = np.minimum(ancestral, derived) / np.maximum(seen, 1)
    counts = np.round(share * genotypes.num_haplotypes, 9)
    varies = (ancestral > 0) & (derived > 0)
    return np.histogram(counts[varies], edges)[0].astype(np.float64)


def linkage_by_distance(genotypes: Genotypes, edges: np.ndarray) -> np.ndarray:
    """Return the mean squared correlation r^2 of pairs of sites, by their distance.

    `r^2 = (p_AB - p_A p_B)^2 / (p_A (1 - p_A) p_B (1 - p_B))`, over the haplotypes seen at both
    sites. Of all pairs those are used that are 1, 2, 3, 4, 6, 8, 12, ... sites apart, so that the
    work grows with the number of sites, and of all sites those whose rarer allele is seen twice.

    Args:
        genotypes: Haplotypes.
        edges: Edges of the distances, base pairs, increasing [distances + 1].

    Returns:
        Mean r^2 [distances]; NaN where no pair of sites is that far apart.

    References:
        Hill and Robertson (1968), Theor Appl Genet 38:226.
    """
    common = np.min(_counts(genotypes), axis=0) >= 2
    haplotypes, positions = genotypes.haplotypes[common], genotypes.positions[common]
    total, count = np.zeros((2, len(edges) - 1))
    for lag in _lags(len(positions)):
        squared = _squared_correlation(haplotypes[:-lag], haplotypes[lag:])
        known = np.isfinite(squared)
        distance = (positions[lag:] - positions[:-lag])[known]
        total += np.histogram(distance, edges, weights=squared[known])[0]
        count += np.histogram(distance, edges)[0]
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _counts(genotypes: Genotypes) -> tuple[np.ndarray, np.ndarray]:
    """Haplotypes with each allele at every site."""
    return (
        np.count_nonzero(genotypes.haplotypes == 0, axis=1),
        np.count_nonzero(genotypes.haplotypes == 1, axis=1),
    )


def _accessible_bases(accessible: np.ndarray, edges: np.ndarray) -> np.ndarray:
    lengths = np.concatenate([[0], np.cumsum(accessible[:, 1] - accessible[:, 0])])
    ends = np.concatenate([[edges[0]], accessible.ravel(), [edges[-1]]])
    reached = np.concatenate([[0], np.repeat(lengths, 2)[1:-1], [lengths[-1]]])
    return np.diff(np.interp(edges, ends, reached))


def _lags(num_sites: int) -> list[int]:
    powers = 2 ** np.arange(max(num_sites, 1).bit_length())
    lags = np.unique(np.concatenate([powers, 3 * powers // 2]))
    return [int(lag) for lag in lags if 0 < lag < num_sites]


def _squared_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Row-wise r^2 over the haplotypes that both rows know; NaN where one does not vary."""
    both = (first >= 0) & (second >= 0)
    one, two = (first == 1) & both, (second == 1) & both
    seen, with_one, with_two, with_both = (
        np.count_nonzero(table, axis=1).astype(np.float64) for table in (both, one, two, one & two)
    )
    scale = with_one * (seen - with_one) * with_two * (seen - with_two)
    squared = (seen * with_both - with_one * with_two) ** 2 / np.where(scale > 0, scale, 1)
    return np.where(scale > 0, squared, np.nan)
