"""Linkage disequilibrium: tags, blocks, and regressions that take it into account."""

import numpy as np
from jaxtyping import Float, Int

WINDOW = 200


def tag_loci(
    genotypes: Float[np.ndarray, "individuals loci"], r2: float, window: int = WINDOW
) -> Int[np.ndarray, " tags"]:
    """Choose loci no two of which, within a window, have a squared correlation above `r2`.

    Loci are gone through in order; one is kept unless an earlier kept one nearby tags it.

    Args:
        genotypes: any numeric coding; NaN is missing.
        r2: squared correlation above which the later locus is left out.
        window: number of kept loci to look back.

    Raises:
        ValueError: `r2` is not in (0, 1).
    """
    if not 0 < r2 < 1:
        raise ValueError(f"prune_r2 is {r2}; choose a squared correlation between 0 and 1")
    centred = np.nan_to_num(genotypes - np.nanmean(genotypes, axis=0), nan=0.0)
    length = np.sqrt(np.sum(centred**2, axis=0))
    scaled = centred / np.where(length > 0, length, 1)
    kept: list[int] = []
    for locus in range(genotypes.shape[1]):
        recent = kept[-window:]
        if not recent or np.max((scaled[:, recent].T @ scaled[:, locus]) ** 2) <= r2:
            kept.append(locus)
    return np.array(kept, dtype=np.int64)


def linkage_blocks(
    correlation: Float[np.ndarray, "loci loci"], r2: float = 0.01
) -> Int[np.ndarray, " loci"]:
    """Cut the genome where no two loci on either side have a squared correlation above `r2`.

    Args:
        correlation: of the loci, in genomic order.
        r2: squared correlation that still counts as linkage.

    Returns:
        The number of the block of each locus, ascending from 0.
    """
    linked = np.asarray(correlation) ** 2 > r2
    size = linked.shape[0]
    # The farthest locus that any locus up to here is linked to.
    reach = np.maximum.accumulate(
        [np.flatnonzero(row).max(initial=i) for i, row in enumerate(linked)]
    )
    starts = (
        np.concatenate([[True], reach[:-1] < np.arange(1, size)]) if size else np.zeros(0, bool)
    )
    return np.cumsum(starts) - 1


def block_inverse(
    covariance: Float[np.ndarray, "loci loci"], blocks: Int[np.ndarray, " loci"]
) -> Float[np.ndarray, "loci loci"]:
    """Invert a covariance matrix block by block, taking loci of different blocks as unlinked.

    Args:
        covariance: of the loci.
        blocks: block of each locus, as from `linkage_blocks`.

    Raises:
        ValueError: loci of a block are linearly dependent; prune tags first.
    """
    inverse = np.zeros_like(covariance)
    for block in np.unique(blocks):
        loci = np.flatnonzero(blocks == block)
        part = covariance[np.ix_(loci, loci)]
        if np.linalg.eigvalsh(part)[0] < 1e-8 * np.trace(part) / loci.size:
            raise ValueError(
                f"the {loci.size} loci of linkage block {block} are linearly dependent; prune "
                "tags first (prune_r2)"
            )
        inverse[np.ix_(loci, loci)] = np.linalg.inv(part)
    return inverse


def tag_pairs(
    pairs: Int[np.ndarray, "pairs 2"],
    strength: Float[np.ndarray, " pairs"],
    correlation: Float[np.ndarray, "columns columns"],
    r2: float,
) -> Int[np.ndarray, " kept"]:
    """Keep, of pairs that tag each other, the strongest: products correlate by r_ik r_jl.

    Args:
        pairs: columns of each pair.
        strength: such as |z|; the strongest pairs are considered first.
        correlation: of the columns.
        r2: squared correlation of two products above which the weaker is left out.

    Returns:
        Places of the pairs kept, strongest first.
    """
    pairs, correlation = np.asarray(pairs), np.asarray(correlation)
    kept: list[int] = []
    for place in np.argsort(-np.asarray(strength), kind="stable"):
        first, second = pairs[place]
        others = pairs[kept]
        straight = correlation[first, others[:, 0]] * correlation[second, others[:, 1]]
        crossed = correlation[first, others[:, 1]] * correlation[second, others[:, 0]]
        if not np.any((straight + crossed) ** 2 > r2):
            kept.append(int(place))
    return np.array(kept, dtype=np.int64)
