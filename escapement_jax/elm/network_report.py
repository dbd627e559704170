"""What the networks behind a decomposition have learned, in units of the traits."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.elm.anchors.comparison import r_squared
from escapement_jax.elm.debiased import all_pairs, count_pairs
from escapement_jax.elm.effects import NetworkReport
from escapement_jax.elm.genotypes.coding import CodedGenotypes
from escapement_jax.elm.linear_map.jacobian import (
    equivalent_linear_map,
    jacobians,
    reconstruction_error,
)
from escapement_jax.elm.linear_map.sensitivity import Sensitivities, sensitivities
from escapement_jax.elm.linear_map.variance_spectrum import variance_spectrum
from escapement_jax.elm.networks.base import AbstractNetwork
from escapement_jax.elm.phenotypes import Phenotypes

MOST_SPECTRUM_PAIRS = 4096


def report_network(
    network: AbstractNetwork,
    factor: Float[Array, " traits"],
    test: CodedGenotypes,
    predicted: Float[Array, "test traits"],
    observed: Float[Array, "test traits"],
    phenotypes: Phenotypes,
    num_epochs: Int[Array, " networks"],
    *,
    key: PRNGKey,
) -> NetworkReport:
    """Read one network and score the prediction that it is part of.

    Args:
        network: one of the networks.
        factor: what its outputs are multiplied with, 1 for standardised traits.
        test: genotypes of the test individuals.
        predicted: standardised prediction of all networks (and regressions) for them.
        observed: their standardised traits.
        phenotypes: how traits were standardised.
        num_epochs: epochs that each network was trained.
        key: random key of the variance spectrum.
    """
    unit = factor * phenotypes.scale
    genotypes = test.inputs
    network = _in_precision_of(network, genotypes)
    outputs, rebuilt = _both(network, genotypes)
    slopes = jacobians(network, genotypes)
    moments = sensitivities(slopes)
    spectrum = jnp.full((factor.shape[0], 4), jnp.nan, genotypes.dtype)
    if bool(jnp.any(factor > 0)) and count_pairs(test) <= MOST_SPECTRUM_PAIRS:
        spectrum = variance_spectrum(
            network, genotypes, test.contrasts, test.column_locus, all_pairs(test), key=key
        )
    unknown = jnp.full_like(factor, jnp.nan)
    return NetworkReport(
        test_r2=r_squared(observed, predicted),
        test_correlation=_correlation(observed, predicted),
        gain=unknown,
        gain_stderr=unknown,
        reconstruction_error=reconstruction_error(network, genotypes),
        outputs=outputs * unit[None],
        reconstruction=rebuilt * unit[None],
        sensitivity=Sensitivities(
            moments.mean * unit[:, None], moments.variance * unit[:, None] ** 2
        ),
        jacobians=slopes * unit[None, :, None],
        inputs=genotypes,
        variance_spectrum=spectrum,
        num_epochs=num_epochs,
    )


def held_out_gain(
    without: Float[Array, "individuals traits"], together: Float[Array, "individuals traits"]
) -> tuple[Float[Array, " traits"], Float[Array, " traits"]]:
    """Return the R2 gained on held-out individuals, and its standard error.

    Args:
        without: residuals of the regression, of standardised traits.
        together: residuals of regression and network.
    """
    difference = without**2 - together**2
    individuals = difference.shape[0]
    error = jnp.std(difference, axis=0, ddof=1) * individuals**-0.5
    return jnp.mean(difference, axis=0), error


def _in_precision_of(
    network: AbstractNetwork, genotypes: Float[Array, "test loci"]
) -> AbstractNetwork:
    return jax.tree.map(
        lambda leaf: leaf.astype(genotypes.dtype) if eqx.is_inexact_array(leaf) else leaf, network
    )


@eqx.filter_jit
def _both(
    network: AbstractNetwork, genotypes: Float[Array, "test loci"]
) -> tuple[Float[Array, "test traits"], Float[Array, "test traits"]]:
    def one(genotype: Float[Array, " loci"]) -> tuple[Array, Array]:
        linear = equivalent_linear_map(network, genotype)
        return network(genotype), linear.slope @ genotype + linear.offset

    return jax.lax.map(one, genotypes, batch_size=min(2048, genotypes.shape[0]))


def _correlation(
    observed: Float[Array, "test traits"], predicted: Float[Array, "test traits"]
) -> Float[Array, " traits"]:
    first, second = (x - jnp.mean(x, axis=0, keepdims=True) for x in (observed, predicted))
    product = jnp.sum(first * second, axis=0)
    return product / jnp.sqrt(jnp.sum(first**2, axis=0) * jnp.sum(second**2, axis=0))
