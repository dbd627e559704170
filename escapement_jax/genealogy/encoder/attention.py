"""Attention over haplotypes, and attention over a band of sites.

Scores are `q . k / sqrt(channels per head)` plus a bias. Over haplotypes the bias is linear in the
features of the pair, so a haplotype attends to those from which it may be copied; nothing depends
on the order of the haplotypes. Over sites it falls with physical distance `d`, `-rate d`, with a
rate for each head and direction, and sites more than a window apart do not meet.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.genealogy.encoder.layers import Dense

Hidden = Float[Array, "haplotypes sites channels"]
_PerHead = Float[Array, "haplotypes sites heads channels"]

_KILOBASE = 1_000.0
_SLOWEST, _FASTEST = 1e-3, 0.3  # first decay rates over sites, per kilobase


class HaplotypeAttention(eqx.Module):
    """Every haplotype looks at all haplotypes of the same site."""

    inputs: Dense
    pairs: Dense
    outputs: Dense
    num_heads: int = eqx.field(static=True)

    def __init__(self, channels: int, num_heads: int, pair_features: int, *, key: PRNGKey) -> None:
        inputs_key, pairs_key, outputs_key = jax.random.split(key, 3)
        self.inputs = Dense(channels, 3 * channels, key=inputs_key)
        self.pairs = Dense(pair_features, num_heads, key=pairs_key)
        self.outputs = Dense(channels, channels, key=outputs_key)
        self.num_heads = num_heads

    def weights(
        self, hidden: Hidden, pairs: Float[Array, "sites haplotypes haplotypes features"]
    ) -> Float[Array, "sites heads haplotypes haplotypes"]:
        """How much each haplotype (second last axis) looks at each other one, at every site."""
        query, key, _ = _split(self.inputs(hidden), self.num_heads)
        scores = jnp.einsum("ilhc,jlhc->lhij", query, key) * query.shape[-1] ** -0.5
        return jax.nn.softmax(scores + jnp.moveaxis(self.pairs(pairs), -1, 1), axis=-1)

    def __call__(
        self, hidden: Hidden, pairs: Float[Array, "sites haplotypes haplotypes features"]
    ) -> Hidden:
        """Mix the haplotypes."""
        _, _, value = _split(self.inputs(hidden), self.num_heads)
        mixed = jnp.einsum("lhij,jlhc->ilhc", self.weights(hidden, pairs), value)
        return self.outputs(mixed.reshape(hidden.shape))


class SiteAttention(eqx.Module):
    """Every site looks at those at most `window` sites away, in the same haplotype."""

    inputs: Dense
    log_rates: Float[Array, "directions heads"]
    outputs: Dense
    num_heads: int = eqx.field(static=True)
    window: int = eqx.field(static=True)

    def __init__(self, channels: int, num_heads: int, window: int, *, key: PRNGKey) -> None:
        inputs_key, outputs_key = jax.random.split(key)
        self.inputs = Dense(channels, 3 * channels, key=inputs_key)
        self.log_rates = jnp.broadcast_to(
            jnp.log(jnp.geomspace(_SLOWEST, _FASTEST, num_heads)), (2, num_heads)
        )
        self.outputs = Dense(channels, channels, key=outputs_key)
        self.num_heads, self.window = num_heads, window

    def __call__(
        self, hidden: Hidden, positions: Float[Array, " sites"], real: Bool[Array, " sites"]
    ) -> Hidden:
        """Mix the sites; padding is not looked at.

        The band is worked through in chunks, at a cost of `5/2 L w`; where that would be more than
        that of all pairs of sites, all pairs are masked.
        """
        attend = banded if 2 * hidden.shape[1] > 5 * self.window else dense
        query, key, value = _split(self.inputs(hidden), self.num_heads)
        rates = jnp.exp(self.log_rates)
        mixed = attend(query, key, value, positions, real, rates, self.window)
        return self.outputs(mixed.reshape(hidden.shape))


def dense(
    query: _PerHead,
    key: _PerHead,
    value: _PerHead,
    positions: Float[Array, " sites"],
    real: Bool[Array, " sites"],
    rates: Float[Array, "directions heads"],
    window: int,
) -> _PerHead:
    """Attention within a band, by masking the matrix of all sites."""
    index = jnp.arange(positions.shape[0])
    seen = _visible(index, index, real, window)
    bias = _distance_bias(positions, positions, rates)
    scores = jnp.einsum("nlhc,nmhc->nhlm", query, key) * query.shape[-1] ** -0.5
    scores = jnp.where(seen[None, None], scores + bias[None], _unseen(scores))
    return jnp.einsum("nhlm,nmhc->nlhc", jax.nn.softmax(scores, axis=-1), value)


def banded(
    query: _PerHead,
    key: _PerHead,
    value: _PerHead,
    positions: Float[Array, " sites"],
    real: Bool[Array, " sites"],
    rates: Float[Array, "directions heads"],
    window: int,
) -> _PerHead:
    """The same in `O(L w)`: sites in chunks of half a band, each beside the chunks it reaches."""
    num_sites, size = positions.shape[0], -(-window // 2)
    num_chunks = -(-num_sites // size)
    reach = -(-window // size)

    def chunks(array: Array, axis: int = 0) -> Array:
        """Own chunks."""
        widths = [(0, 0)] * array.ndim
        widths[axis] = (0, num_chunks * size - num_sites)
        shape = (*array.shape[:axis], num_chunks, size, *array.shape[axis + 1 :])
        return jnp.pad(array, widths).reshape(shape)

    def around(array: Array, axis: int = 0) -> Array:
        """Each chunk between those before and after."""
        own = chunks(array, axis)
        widths = [(0, 0)] * own.ndim
        widths[axis] = (reach, reach)
        padded = jnp.pad(own, widths)
        parts = range(2 * reach + 1)
        near = [jax.lax.slice_in_dim(padded, k, k + num_chunks, axis=axis) for k in parts]
        return jnp.concatenate(near, axis=axis + 1)

    index = jnp.arange(num_sites)
    # Zero is the index of padding too, but padding is never real.
    rows = jnp.arange(num_chunks * size).reshape(num_chunks, size)
    over_chunks = jax.vmap(_visible, in_axes=(0, 0, 0, None))
    seen = over_chunks(rows, around(index), around(real), window)
    over_chunks = jax.vmap(_distance_bias, in_axes=(0, 0, None), out_axes=1)
    bias = over_chunks(chunks(positions), around(positions), rates)
    bias = jnp.where(seen[None], bias, _unseen(bias))
    # Heads in front: the products then need no copy in another order.
    query, key, value = (jnp.moveaxis(part, 2, 1) for part in (query, key, value))
    query = chunks(query, 2) * query.shape[-1] ** -0.5
    scores = jnp.einsum("nhglc,nhgmc->nhglm", query, around(key, 2)) + bias[None]
    attended = jax.nn.softmax(scores, axis=-1)
    mixed = jnp.einsum("nhglm,nhgmc->nhglc", attended, around(value, 2))
    mixed = mixed.reshape(*mixed.shape[:2], -1, mixed.shape[-1])[:, :, :num_sites]
    return jnp.moveaxis(mixed, 1, 2)


def _visible(
    rows: Array, columns: Array, real: Bool[Array, " columns"], window: int
) -> Bool[Array, "rows columns"]:
    near = jnp.abs(rows[:, None] - columns[None, :]) <= window
    return near & real[None, :]


def _unseen(scores: Array) -> float:
    """A finite mask: where nothing is seen, in padding, the mean of anything will do."""
    return float(jnp.finfo(scores.dtype).min) / 2


def _distance_bias(
    rows: Float[Array, " rows"],
    columns: Float[Array, " columns"],
    rates: Float[Array, "directions heads"],
) -> Float[Array, "heads rows columns"]:
    distance = ((columns[None, :] - rows[:, None]) / _KILOBASE)[None]
    rate = jnp.where(distance > 0, rates[0][:, None, None], rates[1][:, None, None])
    return -rate * jnp.abs(distance)


def _split(projected: Float[Array, "haplotypes sites all"], num_heads: int) -> tuple:
    """Queries, keys and values of every head."""
    rows = projected.shape[:-1]
    parts = projected.reshape(*rows, 3, num_heads, -1)
    return tuple(parts[..., k, :, :] for k in range(3))
