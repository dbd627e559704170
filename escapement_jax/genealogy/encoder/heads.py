"""Heads: from hidden channels to the potentials of a twisted chain.

For haplotype `i`, parent `j` and level time `t`, with `x = log t` in standard units,

    psi(i; j, t) = a_ij + u_ij x + v_ij x^2 + r_ij(t).

`a` is the logit of the parent; `u x + v x^2` is a log-normal factor in `t` (where `v < 0`, of
log-mean `-u / 2v` and log-variance `-1 / 2v`); `r` is free at each level. A break has the log
weight `c_i`, the logit of a Bernoulli variable relative to the model's own. All are zero before
training, so the chain starts at what the potentials are added to.

Haplotypes copy earlier ones only: the pairs that never meet are not computed, and hold 0.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from escapement_jax.array_types import Levels, PRNGKey
from escapement_jax.config.encoder import EncoderConfig
from escapement_jax.genealogy.encoder.attention import Hidden
from escapement_jax.genealogy.encoder.encoder import GenealogyEncoder
from escapement_jax.genealogy.encoder.layers import Dense
from escapement_jax.genealogy.encoder.pair_features import PairFeatures, num_pair_features
from escapement_jax.genealogy.encoder.potentials import Potentials
from escapement_jax.genealogy.encoder.site_columns import SiteColumns

_NUM_NAMED = 3  # a, u, v


class PotentialHeads(eqx.Module):
    """Parent, time and break heads on top of the encoder."""

    copier: Dense
    parent: Dense
    pair: Dense
    middle: Dense
    states: Dense
    around: Dense
    breaks: Dense

    def __init__(self, config: EncoderConfig, num_levels: int, *, key: PRNGKey) -> None:
        keys = jax.random.split(key, 5)
        channels = config.d_model
        _, features = num_pair_features(config.length_scales)
        self.copier = Dense(channels, channels, key=keys[0])
        self.parent = Dense(channels, channels, key=keys[1])
        self.pair = Dense(features, channels, key=keys[2])
        self.middle = Dense(channels, channels, key=keys[3])
        self.states = Dense(channels, _NUM_NAMED + num_levels, key=None)
        self.around = Dense(2 * channels, channels, key=keys[4])
        self.breaks = Dense(channels, 1, key=None)

    def __call__(
        self, hidden: Hidden, features: PairFeatures, times: Levels, *, all_pairs: bool = False
    ) -> Potentials:
        """Potentials of every bin.

        Args:
            hidden: from the encoder.
            features: of the pairs.
            times: representative time of each level, generations.
            all_pairs: for later parents, too.
        """
        size = hidden.shape[0]
        child, parent = np.nonzero(np.ones((size, size)) if all_pairs else np.tri(size, k=-1))
        after = jnp.moveaxis(hidden[:, features.next_site], 0, 1)
        before = jnp.moveaxis(hidden[:, jnp.maximum(features.next_site - 1, 0)], 0, 1)
        mixed = self.copier(after)[:, child] + self.parent(after)[:, parent]
        mixed = jax.nn.gelu(mixed + self.pair(features.beyond[:, child, parent]))
        pairs = self._levels(times)(jax.nn.gelu(self.middle(mixed)))
        gap = jax.nn.gelu(self.around(jnp.concatenate([before, after], axis=-1)))
        nothing = jnp.zeros((pairs.shape[0], size, size, pairs.shape[2]), pairs.dtype)
        return Potentials(nothing.at[:, child, parent].set(pairs), self.breaks(gap)[..., 0])

    def _levels(self, times: Levels) -> Dense:
        """The map to `psi` at every level: `a + u x + v x^2 + r`, made of the weights at once."""
        log_times = jnp.log(times)
        unit = (log_times - jnp.mean(log_times)) / jnp.std(log_times)
        powers = jnp.stack([jnp.ones_like(unit), unit, unit**2])

        def combined(weights):
            return weights[..., :_NUM_NAMED] @ powers + weights[..., _NUM_NAMED:]

        return jax.tree.map(combined, self.states)


class PotentialNetwork(eqx.Module):
    """Encoder and heads: from columns of alleles to potentials."""

    encoder: GenealogyEncoder
    heads: PotentialHeads

    def __init__(self, config: EncoderConfig, num_levels: int, *, key: PRNGKey) -> None:
        encoder_key, heads_key = jax.random.split(key)
        self.encoder = GenealogyEncoder(config, key=encoder_key)
        self.heads = PotentialHeads(config, num_levels, key=heads_key)

    def __call__(
        self,
        columns: SiteColumns,
        features: PairFeatures,
        times: Levels,
        *,
        all_pairs: bool = False,
    ) -> Potentials:
        """Potentials of every bin that the features look from, of earlier parents or of all."""
        hidden = self.encoder(columns, features)
        return self.heads(hidden, features, times, all_pairs=all_pairs)


def copying_probabilities(
    attention: Float[Array, "sites heads haplotypes haplotypes"],
    allowed: Bool[Array, "haplotypes haplotypes"],
) -> Float[Array, "sites haplotypes haplotypes"]:
    """Attention read as the probability of copying each parent: mean over heads, renormalised.

    Args:
        attention: of the last layer.
        allowed: which parents a haplotype may have; in the sequential order, the earlier ones.

    Returns:
        Rows that sum to one, or are zero for a haplotype without parents.
    """
    weights = jnp.where(allowed[None], jnp.mean(attention, axis=1), 0.0)
    total = jnp.sum(weights, axis=-1, keepdims=True)
    return weights / jnp.where(total > 0, total, 1.0)
