"""How pairs of haplotypes differ around every site, and to the right of every bin.

With `m` 1 where a pair differs and 0 elsewhere, and length scales `s`, a pair shows at place `x`

    log(1 + sum_{sites y >= x} m_y exp(-(y - x) / s))

and the log distances to its next two mismatches. One scan over the sites makes all of them; they
hold no parameters, and are made once for all steps of a training.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from escapement_jax.genealogy.encoder.site_columns import SiteColumns

_KILOBASE = 1_000.0
_NUM_NEXT = 2

_Rows = tuple[
    Float[Array, "*rows scales haplotypes haplotypes"],
    Float[Array, "*rows nexts haplotypes haplotypes"],
]


class PairFeatures(eqx.Module):
    """Features of every ordered pair of haplotypes; symmetric.

    Attributes:
        at_sites: at every site, to its right and to its left.
        beyond: to the right of every bin.
        next_site: first site at or beyond the right edge of the bin; the last site if none is.
    """

    at_sites: Float[Array, "sites haplotypes haplotypes site_features"]
    beyond: Float[Array, "bins haplotypes haplotypes bin_features"]
    next_site: Int[Array, " bins"]


def num_pair_features(length_scales: Sequence[float]) -> tuple[int, int]:
    """Number of features of a pair at a site, and beyond a bin."""
    one_way = len(length_scales) + _NUM_NEXT
    return 2 * one_way, one_way


def pair_features(
    columns: SiteColumns, places: Float[Array, " bins"], length_scales: Sequence[float]
) -> PairFeatures:
    """Look at all pairs in both directions.

    Args:
        columns: the sites.
        places: right edge of each bin, base pairs.
        length_scales: distances `s`, base pairs.
    """
    differ = mismatches(columns)
    scales = jnp.asarray(length_scales, dtype=columns.positions.dtype)
    ahead = _from_the_right(differ, columns.positions, scales)
    behind = _from_the_right(differ[::-1], -columns.positions[::-1], scales)
    right = _features(ahead, columns.positions, columns.positions, scales)
    left = _features(behind, -columns.positions[::-1], -columns.positions[::-1], scales)[::-1]
    # One more row, without any mismatch, for the bins to the right of all sites.
    last = columns.positions[-1:]
    nothing = (jnp.zeros_like(ahead[0][:1]), jnp.full_like(ahead[1][:1], last[0] + scales[-1]))
    next_site = jnp.searchsorted(columns.positions, places)
    rows = jax.tree.map(lambda *both: jnp.concatenate(both)[next_site], ahead, nothing)
    sites = jnp.maximum(jnp.concatenate([columns.positions, last])[next_site], places)
    return PairFeatures(
        at_sites=jnp.concatenate([right, left], axis=-1),
        beyond=_features(rows, sites, places, scales),
        next_site=jnp.minimum(next_site, last_real(columns).astype(next_site.dtype)),
    )


def last_real(columns: SiteColumns) -> Int[Array, ""]:
    """Index of the last site that is not padding."""
    return jnp.sum(columns.real) - 1


def mismatches(columns: SiteColumns) -> Float[Array, "sites haplotypes haplotypes"]:
    """1 where both haplotypes of a pair are observed at a real site and differ, 0 elsewhere."""
    dtype = columns.positions.dtype
    derived = ((columns.alleles == 1) & columns.real[None]).T.astype(dtype)
    ancestral = ((columns.alleles == 0) & columns.real[None]).T.astype(dtype)
    opposite = derived[:, :, None] * ancestral[:, None, :]
    return opposite + jnp.swapaxes(opposite, 1, 2)


def _from_the_right(
    differ: Float[Array, "sites haplotypes haplotypes"],
    positions: Float[Array, " sites"],
    scales: Float[Array, " scales"],
) -> _Rows:
    """Discounted mismatches from each site on, and the positions of the next two."""

    def step(carry: _Rows, item: tuple) -> tuple[_Rows, _Rows]:
        sums, following = carry
        here, position, gap = item
        sums = jnp.exp(-gap / scales)[:, None, None] * sums + here[None]
        shifted = jnp.stack([jnp.full_like(here, position), following[0]])
        following = jnp.where(here[None] > 0, shifted, following)
        return (sums, following), (sums, following)

    gaps = jnp.diff(positions, append=positions[-1:])
    shape = differ.shape[1:]
    start = (
        jnp.zeros((scales.shape[0], *shape), differ.dtype),
        jnp.full((_NUM_NEXT, *shape), positions[-1] + scales[-1]),
    )
    return lax.scan(step, start, (differ, positions, gaps), reverse=True)[1]


def _features(
    rows: _Rows,
    sites: Float[Array, " rows"],
    places: Float[Array, " rows"],
    scales: Float[Array, " scales"],
) -> Float[Array, "rows haplotypes haplotypes features"]:
    """Features of rows that hold for given sites, seen from places to their left."""
    sums, following = rows
    fade = jnp.exp(-(sites - places)[:, None] / scales[None, :])
    distances = jnp.maximum(following - places[:, None, None, None], 0.0) / _KILOBASE
    seen = [jnp.log1p(sums * fade[:, :, None, None]), jnp.log1p(distances)]
    return jnp.moveaxis(jnp.concatenate(seen, axis=1), 1, -1)
