"""Expected branch length of a local tree under a population size that changes with time."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.array_types import Levels


def expected_branch_length(edges: Levels, sizes: Levels, num_haplotypes: int) -> Float[Array, ""]:
    """Expected total branch length of the tree of `n` haplotypes, generations.

    The expected number of lineages that still have to merge at coalescent time `L(t)` is a sum
    over even `j` of positive terms, so that nothing cancels:

        E[length] = sum_{j even} 2 (2 j - 1) n_[j] / n_(j) int_0^inf exp(-j (j - 1) L(t) / 2) dt,

    with `n_[j]` the falling and `n_(j)` the rising factorial. For `n = 2` it is twice the mean
    coalescence time; for a constant size `4 N sum_{i<n} 1 / i`.

    Args:
        edges: lower edges of the time levels, generations; the last level is open.
        sizes: diploid size in each level.
        num_haplotypes: number of haplotypes `n`, at least 2.

    Source:
        From the distribution of the number of ancestors in Tavare (1984), Theoretical Population
        Biology 26, 119-164, equation 5.2.
    """
    order = np.arange(2, num_haplotypes + 1, 2)
    steps = np.arange(num_haplotypes)
    ratios = np.cumprod((num_haplotypes - steps) / (num_haplotypes + steps))[order - 1]
    weights = jnp.asarray(2 * (2 * order - 1) * ratios, dtype=sizes.dtype)
    rates = jnp.asarray(order * (order - 1) / 2, dtype=sizes.dtype)
    intensities = jnp.diff(edges) / (2 * sizes[:-1])
    before = jnp.concatenate([jnp.zeros_like(sizes[:1]), jnp.cumsum(intensities)])
    merged = -jnp.expm1(-rates[:, None] * intensities[None, :])
    merged = jnp.concatenate([merged, jnp.ones_like(merged[:, :1])], 1)
    time = jnp.exp(-rates[:, None] * before[None, :]) * merged * (2 * sizes)[None, :]
    return (weights / rates * time.sum(1)).sum()
