"""A monotone link on an additive score: epistasis that is only a matter of scale."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.elm.networks.base import AbstractNetwork
from escapement_jax.elm.networks.layers import Linear, gate


class GlobalEpistasis(AbstractNetwork):
    """`f_t(x) = sum_k a_tk tanh(c_tk s_t - d_tk) + o_t`, with score `s = W x`, `a, c > 0`.

    The link is a sum of rising sigmoids (as in MAVE-NN, Tareen et al. 2022), so it is monotone in
    the additive score. The knots `d` and the offset `o` are weights of the last input: put the
    network behind a `ConstantChannel`.
    """

    score: Linear
    log_height: Float[Array, "traits knots"]
    log_steepness: Float[Array, "traits knots"]
    knot: Float[Array, "traits knots"]
    offset: Float[Array, " traits"]

    def __init__(self, inputs: int, traits: int, *, knots: int = 8, key: PRNGKey) -> None:
        self.score = Linear(inputs - 1, traits, key=key)
        shape = (traits, knots)
        self.log_height = jnp.full(shape, -jnp.log(float(knots)), jnp.float32)
        self.log_steepness = jnp.zeros(shape, jnp.float32)
        places = jnp.linspace(-2.0, 2.0, knots, dtype=jnp.float32)
        self.knot = jnp.broadcast_to(places, shape)
        self.offset = jnp.zeros(traits, jnp.float32)

    def __call__(
        self, genotype: Float[Array, " inputs"], *, detach: bool = False
    ) -> Float[Array, " traits"]:
        """Return the phenotypes of one genotype, whose last entry is the constant channel."""
        constant = genotype[-1]
        score = self.score(genotype[:-1])
        argument = jnp.exp(self.log_steepness) * score[:, None] - self.knot * constant
        steps = jnp.exp(self.log_height) * gate(jnp.tanh, argument, detach=detach)
        return jnp.sum(steps, axis=1) + self.offset * constant
