"""How much of a function's variance is of one locus, of pairs, or of higher order."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.elm.linear_map.finite_differences import GenotypeFunction
from escapement_jax.elm.linear_map.joint_moments import pairwise_sum
from escapement_jax.elm.linear_map.projection import independent_loci, project

DRAWN_PER_FEATURE = 8
FEWEST_DRAWN = 4000
KEPT = 0.6
"""Loci kept between two noisy copies; orders three and four then weigh .216 and .130."""


def variance_spectrum(
    function: GenotypeFunction,
    inputs: Float[Array, "individuals loci"],
    contrasts: Float[Array, "individuals columns"],
    column_locus: Int[Array, " columns"],
    pairs: Int[Array, "pairs 2"],
    *,
    key: PRNGKey,
) -> Float[Array, "traits orders=4"]:
    """Return the shares of variance of orders 1, 2, 3 and higher, over independent loci.

    Orders one and two are those of the projection on contrasts and pairs of them. What remains,
    `r`, has orders three and up, told apart by its noise stability: if `x'` keeps each locus of
    `x` with probability `rho` and draws the others anew, `Cov(r(x), r(x')) = sum_k rho^k W_k`
    (O'Donnell 2014, Analysis of Boolean Functions, ch. 2). All higher orders count as order four.

    Args:
        function: phenotypes of one genotype.
        inputs: a population of genotypes, whose allele frequencies are used.
        contrasts: their statistical contrasts.
        column_locus: locus of each contrast.
        pairs: all pairs of contrasts.
        key: random key.
    """
    first_key, second_key, keep_key = jax.random.split(key, 3)
    features = contrasts.shape[1] + pairs.shape[0]
    drawn = max(DRAWN_PER_FEATURE * features, FEWEST_DRAWN)
    individuals, loci = inputs.shape
    who = independent_loci(individuals, loci, drawn, key=first_key)
    others = independent_loci(individuals, loci, drawn, key=second_key)
    keep = jax.random.bernoulli(keep_key, KEPT, who.shape)

    def values(
        who: Int[Array, "drawn loci"],
    ) -> tuple[Float[Array, "drawn traits"], Float[Array, "drawn columns"]]:
        x = inputs[who, jnp.arange(inputs.shape[1])[None]]
        z = contrasts[who[:, column_locus], jnp.arange(contrasts.shape[1])[None]]
        return _centred(jax.lax.map(function, x, batch_size=2048)), z

    output, z = values(who)
    fit = project(output, z, pairs)

    def parts(z: Float[Array, "drawn columns"]) -> tuple[Array, Array]:
        return _centred(z @ fit.additive), _centred(pairwise_sum(z, pairs, fit.epistatic))

    one, two = parts(z)
    rest = output - one - two
    again, z_again = values(jnp.where(keep, who, others))
    rest_again = again - sum(parts(z_again))
    # A fit takes as many degrees of freedom from the remainder as it has features.
    higher = jnp.mean(rest**2, axis=0) * drawn / (drawn - features)
    stability = jnp.mean(rest * rest_again, axis=0)
    three = (stability - KEPT**4 * higher) / (KEPT**3 - KEPT**4)
    three = jnp.clip(three, 0.0, higher)
    variance = jnp.stack([jnp.var(one, axis=0), jnp.var(two, axis=0), three, higher - three])
    total = jnp.sum(variance, axis=0)
    return (variance / jnp.where(total > 0, total, 1.0)[None]).T


def _centred(values: Float[Array, "drawn traits"]) -> Float[Array, "drawn traits"]:
    return values - jnp.mean(values, axis=0, keepdims=True)
