"""The multilayer perceptron of the published study: leaky ReLU, no biases."""

import equinox as eqx
import jax
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.elm.networks.base import AbstractNetwork
from escapement_jax.elm.networks.layers import Linear


class MultilayerPerceptron(AbstractNetwork):
    """`phi(phi(x W_1) W_2) W_3` with `phi(z) = z if z > 0 else leak * z`.

    Homogeneous of order one in `x`, so its plain Jacobian reconstructs the output.
    """

    layers: tuple[Linear, ...]
    leak: float = eqx.field(static=True)

    def __init__(
        self, inputs: int, width: int, traits: int, *, leak: float = 0.01, key: PRNGKey
    ) -> None:
        sizes = (inputs, width, width, traits)
        keys = jax.random.split(key, len(sizes) - 1)
        self.layers = tuple(
            Linear(before, after, key=key)
            for before, after, key in zip(sizes[:-1], sizes[1:], keys, strict=True)
        )
        self.leak = leak

    def __call__(
        self, genotype: Float[Array, " inputs"], *, detach: bool = False
    ) -> Float[Array, " traits"]:
        """Return the phenotypes of one genotype."""
        del detach  # The gates are piecewise constant: their derivative is zero anyway.
        hidden = genotype
        for layer in self.layers[:-1]:
            hidden = jax.nn.leaky_relu(layer(hidden), self.leak)
        return self.layers[-1](hidden)
