"""Every pair of contrasts tested by itself: matrix products in blocks, none of them stored."""

from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

COLUMNS_AT_ONCE = 1024


class PairScan(eqx.Module):
    """Marginal effects of pairs and their standard errors."""

    effect: Float[Array, "traits pairs"]
    stderr: Float[Array, "traits pairs"]


class StrongestPairs(eqx.Module):
    """The strongest pairs of each trait, strongest first, out of `num_tested`."""

    pairs: Int[Array, "traits kept 2"]
    effect: Float[Array, "traits kept"]
    stderr: Float[Array, "traits kept"]
    num_tested: int = eqx.field(static=True)


def pair_moments(
    contrasts: Float[Array, "individuals columns"], residuals: Float[Array, "individuals traits"]
) -> Float[Array, "traits columns columns"]:
    """Return sum_n r_n z_ni z_nj for every trait and every pair of columns.

    Args:
        contrasts: columns of mean zero.
        residuals: traits after the additive effects have been taken out.
    """
    return jnp.stack([(contrasts * r[:, None]).T @ contrasts for r in residuals.T])


@jax.jit
def pair_scan(
    contrasts: Float[Array, "individuals columns"],
    residuals: Float[Array, "individuals traits"],
    pairs: Int[Array, "pairs 2"],
) -> PairScan:
    """Regress residuals on the centred product of each pair by itself.

    b = Cov(phi, r) / V(phi) with phi = z_i z_j, and Var(b) = (V(r) - b^2 V(phi)) / ((n-2) V(phi)).
    Unbiased under linkage equilibrium, whatever else acts; under linkage disequilibrium it reports
    the tagged effect of all pairs nearby.

    Args:
        contrasts: columns of mean zero.
        residuals: traits after the additive effects have been taken out.
        pairs: columns of each pair.
    """
    first, second = pairs[:, 0], pairs[:, 1]
    num_individuals = contrasts.shape[0]
    centred = residuals - jnp.mean(residuals, axis=0)[None, :]
    products = pair_moments(contrasts, centred)[:, first, second]
    mean = (contrasts.T @ contrasts)[first, second] / num_individuals
    squares = ((contrasts**2).T @ contrasts**2)[first, second]
    spread = squares - num_individuals * mean**2
    totals = jnp.sum(centred**2, axis=0)
    return PairScan(*slopes(products, spread[None, :], totals[:, None], num_individuals))


def slopes(
    products: Float[Array, "traits pairs"],
    spread: Float[Array, "_ pairs"],
    totals: Float[Array, "traits 1"],
    num_individuals: int,
) -> tuple[Float[Array, "traits pairs"], Float[Array, "traits pairs"]]:
    """Return the slope and standard error of simple regressions from their sums.

    Args:
        products: sum of residual times feature.
        spread: sum of squares of the centred feature; 0 gives an effect of 0 that is unknown (inf).
        totals: sum of squares of the centred residuals.
        num_individuals: number of individuals in the sums.
    """
    varies = spread > 0
    safe = jnp.where(varies, spread, 1)
    effect = jnp.where(varies, products / safe, 0)
    unexplained = jnp.maximum(totals - effect**2 * safe, jnp.finfo(products.dtype).tiny)
    return effect, jnp.where(varies, jnp.sqrt(unexplained / (num_individuals - 2) / safe), jnp.inf)


def strongest_pairs(
    contrasts: Float[Array, "individuals columns"],
    residuals: Float[Array, "individuals traits"],
    column_locus: Int[Array, " columns"],
    *,
    keep: int,
    columns_at_once: int = COLUMNS_AT_ONCE,
) -> StrongestPairs:
    """Scan all pairs of columns at different loci and keep the strongest of each trait.

    Pairs are ranked by the score sum_n r_n z_ni z_nj / (sd_i sd_j), their |z| under linkage
    equilibrium; effects and standard errors of those kept are the exact ones of `pair_scan`. Only
    blocks on and above the diagonal are computed, and one is in memory at a time, so the number of
    pairs is bounded by time alone.

    Args:
        contrasts: columns of mean zero.
        residuals: traits after the additive effects have been taken out.
        column_locus: locus of each column.
        keep: pairs to keep for each trait.
        columns_at_once: width of a block.

    Raises:
        ValueError: `keep` is not positive.
    """
    if keep < 1:
        raise ValueError(f"keep is {keep}; keep at least one pair")
    num_columns = contrasts.shape[1]
    width = min(columns_at_once, num_columns)
    num_blocks = -(-num_columns // width)
    padding = num_blocks * width - num_columns
    deviation = jnp.sqrt(jnp.mean(contrasts**2, axis=0))
    table = jnp.pad(contrasts / deviation[None, :], ((0, 0), (0, padding)))
    # A padded column has no locus: -1, which the mask of a block refuses.
    locus = jnp.pad(column_locus, (0, padding), constant_values=-1)
    centred = residuals - jnp.mean(residuals, axis=0)[None, :]
    num_tested = _num_pairs(column_locus)
    shape = (residuals.shape[1], min(keep, num_tested))
    nowhere = jnp.zeros(shape, jnp.int32)
    best = _Best(jnp.full(shape, -1.0, contrasts.dtype), nowhere, nowhere)
    for left in range(num_blocks):
        for right in range(left, num_blocks):
            starts = jnp.asarray([left * width, right * width], jnp.int32)
            best = _scan_block(best, table, centred, locus, starts, width)
    pairs = jnp.stack([best.first, best.second], axis=-1)
    effect, stderr = _exact_slopes(contrasts.T, centred, pairs)
    return StrongestPairs(pairs, effect, stderr, num_tested)


class _Best(NamedTuple):
    score: Float[Array, "traits kept"]
    first: Int[Array, "traits kept"]
    second: Int[Array, "traits kept"]


@partial(jax.jit, static_argnames="width")
def _scan_block(
    best: _Best,
    table: Float[Array, "individuals padded"],
    residuals: Float[Array, "individuals traits"],
    locus: Int[Array, " padded"],
    starts: Int[Array, " 2"],
    width: int,
) -> _Best:
    """Score one block of pairs and keep the strongest pairs seen so far."""
    left, right = (lax.dynamic_slice_in_dim(table, start, width, 1) for start in starts)
    locus_left, locus_right = (lax.dynamic_slice_in_dim(locus, s, width) for s in starts)
    ahead = (starts[0] + jnp.arange(width, dtype=jnp.int32))[:, None] < (
        starts[1] + jnp.arange(width, dtype=jnp.int32)
    )[None, :]
    there = (locus_left[:, None] >= 0) & (locus_right[None, :] >= 0)
    allowed = ahead & there & (locus_left[:, None] != locus_right[None, :])
    found = [
        _top_of_block(left * r[:, None], right, allowed, best.score.shape[1]) for r in residuals.T
    ]
    score = jnp.stack([top for top, _ in found])
    place = jnp.stack([where for _, where in found])
    first = (starts[0] + place // width).astype(jnp.int32)
    second = (starts[1] + place % width).astype(jnp.int32)
    both = jax.tree.map(
        lambda old, new: jnp.concatenate([old, new], axis=1), best, _Best(score, first, second)
    )
    _, place = lax.top_k(both.score, best.score.shape[1])
    return jax.tree.map(lambda values: jnp.take_along_axis(values, place, axis=1), both)


def _top_of_block(
    weighted: Float[Array, "individuals width"],
    right: Float[Array, "individuals width"],
    allowed: Bool[Array, "width width"],
    keep: int,
) -> tuple[Float[Array, " kept"], Int[Array, " kept"]]:
    score = jnp.where(allowed, jnp.abs(weighted.T @ right), -1.0).reshape(-1)
    top, place = lax.top_k(score, min(keep, score.size))
    return top, place


def _num_pairs(column_locus: Int[Array, " columns"]) -> int:
    """Count the pairs of columns at different loci."""
    counts = jnp.bincount(column_locus)
    return (column_locus.size**2 - int(jnp.sum(counts**2))) // 2


@jax.jit
def _exact_slopes(
    rows: Float[Array, "columns individuals"],
    residuals: Float[Array, "individuals traits"],
    pairs: Int[Array, "traits kept 2"],
) -> tuple[Float[Array, "traits kept"], Float[Array, "traits kept"]]:
    def of_pair(
        residual: Float[Array, " individuals"], pair: Int[Array, " 2"]
    ) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
        product = rows[pair[0]] * rows[pair[1]]
        product = product - jnp.mean(product)
        return residual @ product, product @ product, residual @ residual

    def of_trait(trait: tuple[Array, Array]) -> tuple[Array, ...]:
        return lax.map(lambda pair: of_pair(trait[0], pair), trait[1], batch_size=64)

    products, spread, totals = lax.map(of_trait, (residuals.T, pairs))
    return slopes(products, spread, totals[:, :1], rows.shape[1])
