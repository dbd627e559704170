"""The encoder: alternating attention over haplotypes and over sites."""

import equinox as eqx
import jax
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.encoder import EncoderConfig
from escapement_jax.genealogy.encoder.attention import HaplotypeAttention, Hidden, SiteAttention
from escapement_jax.genealogy.encoder.layers import Dense, LayerNorm
from escapement_jax.genealogy.encoder.pair_features import PairFeatures, num_pair_features
from escapement_jax.genealogy.encoder.site_columns import NUM_SITE_FEATURES, SiteColumns

_WIDENING = 4


class EncoderLayer(eqx.Module):
    """Attention over haplotypes, over sites, and a network of one hidden layer, each added on."""

    norms: tuple[LayerNorm, LayerNorm, LayerNorm]
    haplotypes: HaplotypeAttention
    sites: SiteAttention
    widen: Dense
    narrow: Dense

    def __init__(self, config: EncoderConfig, *, key: PRNGKey) -> None:
        keys = jax.random.split(key, 4)
        channels, heads = config.d_model, config.num_heads
        features, _ = num_pair_features(config.length_scales)
        self.norms = (LayerNorm(channels), LayerNorm(channels), LayerNorm(channels))
        self.haplotypes = HaplotypeAttention(channels, heads, features, key=keys[0])
        self.sites = SiteAttention(channels, heads, config.window, key=keys[1])
        self.widen = Dense(channels, _WIDENING * channels, key=keys[2])
        self.narrow = Dense(_WIDENING * channels, channels, key=keys[3])

    def __call__(self, hidden: Hidden, columns: SiteColumns, features: PairFeatures) -> Hidden:
        """Apply the layer."""
        first, second, third = self.norms
        hidden = hidden + self.haplotypes(first(hidden), features.at_sites)
        hidden = hidden + self.sites(second(hidden), columns.positions, columns.real)
        return hidden + self.narrow(jax.nn.gelu(self.widen(third(hidden))))


class GenealogyEncoder(eqx.Module):
    """Reads aligned haplotypes; permuting them permutes the output.

    The pairwise mismatches enter every layer as a bias of the attention over haplotypes.
    """

    embed: Dense
    layers: tuple[EncoderLayer, ...]
    norm: LayerNorm

    def __init__(self, config: EncoderConfig, *, key: PRNGKey) -> None:
        embed_key, *keys = jax.random.split(key, config.num_layers + 1)
        self.embed = Dense(NUM_SITE_FEATURES, config.d_model, key=embed_key)
        self.layers = tuple(EncoderLayer(config, key=key) for key in keys)
        self.norm = LayerNorm(config.d_model)

    def __call__(self, columns: SiteColumns, features: PairFeatures) -> Hidden:
        """Hidden channels of every haplotype at every site."""
        hidden = self.embed(columns.site_features())
        for layer in self.layers:
            hidden = layer(hidden, columns, features)
        return self.norm(hidden)

    def attention(
        self, columns: SiteColumns, features: PairFeatures
    ) -> Float[Array, "sites heads haplotypes haplotypes"]:
        """How much each haplotype looks at each other one, in the last layer."""
        hidden = self.embed(columns.site_features())
        for layer in self.layers[:-1]:
            hidden = layer(hidden, columns, features)
        last = self.layers[-1]
        return last.haplotypes.weights(last.norms[0](hidden), features.at_sites)
