"""How much of a function's variance is additive, pairwise, or of higher order."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import nnls

from escapement_jax.array_types import PRNGKey
from escapement_jax.elm.linear_map.finite_differences import GenotypeFunction
from escapement_jax.elm.linear_map.projection import independent_loci

LARGEST_ORDER = 8


def noise_stability(
    function: GenotypeFunction,
    genotypes: Float[Array, "individuals loci"],
    kept: Float[Array, " levels"],
    *,
    num_individuals: int,
    key: PRNGKey,
) -> Float[Array, "levels traits"]:
    """Return `Cov(f(x), f(x'))`, where `x'` keeps each locus of `x` with probability `rho`.

    Loci that are not kept are drawn anew. With independent loci and `W_k` the variance of order
    `k`, this is `sum_k rho^k W_k` (O'Donnell 2014, Analysis of Boolean Functions, ch. 2).

    Args:
        function: phenotypes of one genotype.
        genotypes: a population, whose allele frequencies are used.
        kept: probabilities `rho`.
        num_individuals: individuals drawn.
        key: random key.
    """
    first_key, second_key, keep_key = jax.random.split(key, 3)
    loci = jnp.arange(genotypes.shape[1])
    draw = [
        genotypes[independent_loci(*genotypes.shape, num_individuals, key=key), loci[None]]
        for key in (first_key, second_key)
    ]
    # The same uniforms at every level make the curve smooth in rho.
    uniforms = jax.random.uniform(keep_key, draw[0].shape, genotypes.dtype)
    value = _centred(function, draw[0])

    def at(rho: Float[Array, ""]) -> Float[Array, " traits"]:
        noisy = jnp.where(uniforms < rho, draw[0], draw[1])
        return jnp.mean(value * _centred(function, noisy), axis=0)

    return jax.lax.map(at, kept)


def variance_spectrum(
    function: GenotypeFunction,
    genotypes: Float[Array, "individuals loci"],
    *,
    orders: int = 3,
    num_individuals: int = 20_000,
    key: PRNGKey,
) -> Float[Array, "traits orders_and_higher"]:
    """Return the share of variance of orders 1, 2, ... `orders`, and of all higher ones.

    The noise-stability curve is fitted by non-negative least squares in `W_1 .. W_8`.

    Args:
        function: phenotypes of one genotype.
        genotypes: a population, whose allele frequencies are used.
        orders: orders told apart, at most seven.
        num_individuals: individuals drawn; shares have an error of about one over its root.
        key: random key.
    """
    highest = min(LARGEST_ORDER, genotypes.shape[1])
    kept = np.linspace(0.1, 1.0, 2 * highest)
    curve = noise_stability(
        function,
        genotypes,
        jnp.asarray(kept, genotypes.dtype),
        num_individuals=num_individuals,
        key=key,
    )
    powers = kept[:, None] ** np.arange(1, highest + 1)
    weights = np.stack([nnls(powers, np.asarray(trait, float))[0] for trait in curve.T])
    spectrum = np.zeros((weights.shape[0], orders + 1))
    spectrum[:, : min(orders, highest)] = weights[:, :orders]
    spectrum[:, orders] = weights[:, orders:].sum(axis=1)
    total = spectrum.sum(axis=1, keepdims=True)
    return jnp.asarray(spectrum / np.where(total > 0, total, 1.0), genotypes.dtype)


def _centred(
    function: GenotypeFunction, genotypes: Float[Array, "individuals loci"]
) -> Float[Array, "individuals traits"]:
    values = jax.vmap(function)(genotypes)
    return values - jnp.mean(values, axis=0, keepdims=True)
