"""Kingman's coalescent on a grid of time levels, and the law of one extra lineage.

Between the lower and the upper edge of a level the number of lineages falls from `a` to `b` by the
pure death process with rate `a (a - 1) / 2` per unit of coalescent time. Which lineages merge is
uniform over the ways to merge them, so the discretised tree (a chain of nested partitions, several
mergers in one level allowed) has a law that is exactly consistent under dropping a haplotype.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_SMALLEST_TRANSITION = 1e-280


def death_process(max_lineages: int, intensity: float) -> np.ndarray:
    """Transition probabilities of the number of ancestral lineages over a coalescent time.

    `g[a, b] = P(b lineages at the end | a at the start)`, the exponential of the bidiagonal
    generator with rate `a (a - 1) / 2`. The exponential is taken by uniformisation and repeated
    squaring of non-negative matrices: nothing cancels, and every entry, however small, has a
    relative accuracy of about 1e-11 at worst.

    Args:
        max_lineages: largest number of lineages.
        intensity: the coalescent time `integral dt / (2 N_e(t))`, dimensionless; infinity allowed.

    Returns:
        Matrix of shape (max_lineages + 1, max_lineages + 1), rows start, columns end.

    Source:
        Tavare (1984), Theoretical Population Biology 26, 119-164, section 5.
    """
    counts = np.arange(max_lineages + 1)
    if np.isinf(intensity):
        absorbed = np.zeros((counts.size, counts.size))
        absorbed[0, 0] = 1.0
        absorbed[1:, 1] = 1.0
        return absorbed
    rates = counts * (counts - 1) / 2.0
    fastest = max(float(rates[-1]), 1.0)
    jumps = np.diag(fastest - rates)
    jumps[counts[1:], counts[1:] - 1] = rates[1:]
    halvings = max(0, int(np.ceil(np.log2(max(fastest * intensity, 1e-12)))) + 1)
    step = jumps * (intensity / 2**halvings)
    term = np.eye(counts.size)
    total = term.copy()
    for order in range(1, 40):
        term = term @ step / order
        total = total + term
    total *= np.exp(-fastest * intensity / 2**halvings)
    for _ in range(halvings):
        total = total @ total
    return total


class KingmanTables(eqx.Module):
    """The law of one extra lineage through a level with `a` lineages below and `b` above.

    Given a discretised tree of which `a` blocks enter a level and `b` leave it, one more lineage
    entering that level

    - stays apart with probability
      `stay[k, a, b] = g[a+1, b+1] / g[a, b] * (b + 1) b / ((a + 1) a)`,
    - joins a block `X` that leaves the level, made of `lambda_X` blocks, with probability
      `(lambda_X + 1) join[k, a, b]`, `join = g[a+1, b] / g[a, b] * (a + 1 - b) / ((a + 1) a)`,

    and `(a + b) join + stay = 1`.

    Attributes:
        stay: probability to stay apart.
        join: probability to join, per unit of `lambda_X + 1`.
        log_transition: `log g[a, b]` per level.
        log_factorial: `log k!`.
    """

    stay: Float[Array, "levels counts counts"]
    join: Float[Array, "levels counts counts"]
    log_transition: Float[Array, "levels counts counts"]
    log_factorial: Float[Array, " counts"]


def kingman_tables(intensities: np.ndarray, max_lineages: int) -> KingmanTables:
    """Tabulate the law of one extra lineage for up to `max_lineages` lineages.

    The tables are made in float64 on the host, whatever the precision of the device: repeated
    squaring would lose three digits in float32.

    Args:
        intensities: coalescent time inside each level, `integral over the level of dt / (2 N_e)`;
            the last level must be infinite, so that everything has merged after it.
        max_lineages: number of haplotypes of the largest tree, the extra lineage included.

    Returns:
        Tables in the default float type.

    Raises:
        ValueError: an intensity is not positive, or the last one is finite.
    """
    intensities = np.asarray(intensities, dtype=np.float64)
    if not np.all(intensities > 0) or not np.isinf(intensities[-1]):
        raise ValueError(
            "coalescent intensities must be positive and the last one infinite, "
            f"got {intensities}; make the last time level open-ended"
        )
    size = max_lineages + 1
    transition = np.stack([death_process(size, c) for c in intensities])
    before, after = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    base = transition[:, :size, :size]
    log_factorial = np.cumsum(np.log(np.maximum(np.arange(size), 1)))
    possible = (base > _SMALLEST_TRANSITION) & (before >= 1) & (after >= 1) & (after <= before)
    base = np.where(possible, base, 1.0)
    pairs = np.maximum((before + 1) * before, 1)
    stay = transition[:, 1:, 1:] / base * (after + 1) * after / pairs
    join = transition[:, 1:, :size] / base * (before + 1 - after) / pairs
    return KingmanTables(
        stay=jnp.asarray(np.where(possible, stay, 0.0), dtype=float),
        join=jnp.asarray(np.where(possible, join, 0.0), dtype=float),
        log_transition=jnp.asarray(np.log(np.where(possible, base, 1e-300)), dtype=float),
        log_factorial=jnp.asarray(log_factorial, dtype=float),
    )


def log_survival(stay: Float[Array, " levels"]) -> Float[Array, " levels"]:
    """Log probability that the extra lineage is still apart on entering each level.

    `log S_k = sum_{m<k} log stay_m`, kept above the logarithm of the smallest ratio that the float
    type can invert.
    """
    floor = 0.8 * float(np.log(float(jnp.finfo(stay.dtype).tiny)))
    tiny = float(jnp.finfo(stay.dtype).tiny)
    logs = jnp.log(jnp.maximum(stay[:-1], tiny))
    return jnp.concatenate([jnp.zeros_like(stay[:1]), jnp.maximum(jnp.cumsum(logs), floor)])
