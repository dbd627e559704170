"""A smooth network: GELU, root-mean-square normalisation and a gated linear unit."""

import jax
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.elm.networks.base import AbstractNetwork
from escapement_jax.elm.networks.layers import GatedLinear, Linear, RootMeanSquareNorm, gate


class GatedNetwork(AbstractNetwork):
    """`W_out GLU(norm(gelu(W_in x)))`."""

    entry: Linear
    norm: RootMeanSquareNorm
    middle: GatedLinear
    exit: Linear

    def __init__(self, inputs: int, width: int, traits: int, *, key: PRNGKey) -> None:
        entry_key, middle_key, exit_key = jax.random.split(key, 3)
        self.entry = Linear(inputs, width, key=entry_key)
        self.norm = RootMeanSquareNorm(width)
        self.middle = GatedLinear(width, width, key=middle_key)
        self.exit = Linear(width, traits, key=exit_key)

    def __call__(
        self, genotype: Float[Array, " inputs"], *, detach: bool = False
    ) -> Float[Array, " traits"]:
        """Return the phenotypes of one genotype."""
        hidden = gate(jax.nn.gelu, self.entry(genotype), detach=detach)
        hidden = self.norm(hidden, detach=detach)
        return self.exit(self.middle(hidden, detach=detach))
