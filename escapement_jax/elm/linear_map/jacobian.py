"""The equivalent linear map of a network at every genotype."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.elm.networks.base import AbstractNetwork
from escapement_jax.elm.networks.constant_channel import ConstantChannel, with_constant

BLOCK = 2048


class LinearMap(eqx.Module):
    """`f(x) = slope x + offset`, exactly, at one genotype or at each of many."""

    slope: Float[Array, "*individuals traits inputs"]
    offset: Float[Array, "*individuals traits"]


def equivalent_linear_map(network: AbstractNetwork, genotype: Float[Array, " inputs"]) -> LinearMap:
    """Return the linear map that equals the network at one genotype.

    The gates are detached, so `f(x) = J x + offset` holds for smooth networks too (Golden 2025);
    the offset is the column of the constant channel. A detached slope splits the output into
    contributions of the loci. It is a derivative only where gates are piecewise constant, as in
    a leaky-ReLU perceptron: theory of sensitivities needs `jacobians`.

    Args:
        network: any network.
        genotype: coded alleles.
    """
    if not isinstance(network, ConstantChannel):
        slope = _jacobian(network, genotype, detach=True)
        return LinearMap(slope, jnp.zeros_like(slope[:, 0]))
    extended = _jacobian(network.inner, with_constant(genotype), detach=True)
    return LinearMap(extended[:, :-1], extended[:, -1])


@eqx.filter_jit
def jacobians(
    network: AbstractNetwork, genotypes: Float[Array, "individuals inputs"]
) -> Float[Array, "individuals traits inputs"]:
    """Return the sensitivities `s_i = df / dx_i` of every individual (true derivatives).

    Args:
        network: any network.
        genotypes: coded alleles.
    """
    return jax.lax.map(
        lambda genotype: _jacobian(network, genotype, detach=False),
        genotypes,
        batch_size=min(BLOCK, genotypes.shape[0]),
    )


@eqx.filter_jit
def reconstruction_error(
    network: AbstractNetwork, genotypes: Float[Array, "individuals inputs"]
) -> Float[Array, ""]:
    """Return `max |J x + offset - f(x)| / max |f(x)|` over individuals and traits.

    Args:
        network: any network.
        genotypes: coded alleles.
    """

    def both(
        genotype: Float[Array, " inputs"],
    ) -> tuple[Float[Array, " traits"], Float[Array, " traits"]]:
        linear = equivalent_linear_map(network, genotype)
        return linear.slope @ genotype + linear.offset, network(genotype)

    rebuilt, output = jax.lax.map(both, genotypes, batch_size=min(BLOCK, genotypes.shape[0]))
    largest = jnp.max(jnp.abs(output))
    # A network that is zero everywhere is reconstructed without error.
    return jnp.max(jnp.abs(rebuilt - output)) / jnp.where(largest > 0, largest, 1.0)


def _jacobian(
    network: AbstractNetwork, genotype: Float[Array, " inputs"], *, detach: bool
) -> Float[Array, "traits inputs"]:
    """Differentiate forwards or backwards, whichever takes fewer passes."""

    def output(genotype: Float[Array, " inputs"]) -> Float[Array, " traits"]:
        return network(genotype, detach=detach)

    traits = jax.eval_shape(output, genotype).shape[0]
    differentiate = jax.jacrev if traits < genotype.shape[0] else jax.jacfwd
    return differentiate(output)(genotype)
