"""Biases as the weights of an input that is always one."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.elm.networks.base import AbstractNetwork


class ConstantChannel(AbstractNetwork):
    """`f(x) = inner([x, 1])`, so that `f(x) = J [x, 1]` stays exact for a network with biases."""

    inner: AbstractNetwork

    def __call__(
        self, genotype: Float[Array, " inputs"], *, detach: bool = False
    ) -> Float[Array, " traits"]:
        """Return the phenotypes of one genotype."""
        return self.inner(with_constant(genotype), detach=detach)


def with_constant(genotype: Float[Array, " inputs"]) -> Float[Array, " inputs_and_one"]:
    """Return the genotype followed by a one."""
    return jnp.concatenate([genotype, jnp.ones_like(genotype, shape=(1,))])
