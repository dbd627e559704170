"""A network in which loci attend to each other."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.elm.networks.base import AbstractNetwork
from escapement_jax.elm.networks.layers import GatedLinear, Linear, SoftmaxAttention


class AttentionNetwork(AbstractNetwork):
    """Tokens `x_l e_l`, one for each locus, mixed by softmax attention, read by gated units.

    A token's embedding `e_l` is scaled by the allele `x_l`, so every token is linear in it.
    """

    embedding: Float[Array, "inputs units"]
    attention: SoftmaxAttention
    middle: GatedLinear
    exit: Linear

    def __init__(self, inputs: int, width: int, traits: int, *, key: PRNGKey) -> None:
        embedding_key, attention_key, middle_key, exit_key = jax.random.split(key, 4)
        units = max(width // 8, 1)
        self.embedding = jax.random.normal(embedding_key, (inputs, units), jnp.float32)
        self.attention = SoftmaxAttention(units, key=attention_key)
        self.middle = GatedLinear(units, width, key=middle_key)
        self.exit = Linear(width, traits, key=exit_key)

    def __call__(
        self, genotype: Float[Array, " inputs"], *, detach: bool = False
    ) -> Float[Array, " traits"]:
        """Return the phenotypes of one genotype."""
        tokens = genotype[:, None] * self.embedding
        mixed = tokens + self.attention(tokens, detach=detach)
        # Summed over loci and scaled to unit variance at the start.
        pooled = jnp.sum(mixed, axis=0) * tokens.shape[0] ** -0.5
        return self.exit(self.middle(pooled, detach=detach))
