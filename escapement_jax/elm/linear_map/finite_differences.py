"""Discrete derivatives: what a network does at genotypes, not between them.

Their averages over a population of independent loci at frequency one half are the Walsh
coefficients of the network. For a multilinear function they equal derivatives; for a leaky-ReLU
network, which bends between genotypes, they do not.
"""

from collections.abc import Callable

import jax
from jaxtyping import Array, Float, Int

GenotypeFunction = Callable[[Float[Array, " loci"]], Float[Array, " traits"]]


def locus_differences(
    function: GenotypeFunction, genotypes: Float[Array, "individuals loci"]
) -> Float[Array, "individuals traits loci"]:
    """Return `(f(x_i = +1) - f(x_i = -1)) / 2` for every individual and locus.

    Args:
        function: phenotypes of one genotype.
        genotypes: haploid alleles, -1 and +1.
    """

    def one(genotype: Float[Array, " loci"], locus: Int[Array, ""]) -> Float[Array, " traits"]:
        plus, minus = (function(genotype.at[locus].set(allele)) for allele in (1.0, -1.0))
        return (plus - minus) / 2

    loci = jax.numpy.arange(genotypes.shape[1])
    return jax.vmap(jax.vmap(one, (None, 0), 1), (0, None))(genotypes, loci)


def pair_differences(
    function: GenotypeFunction,
    genotypes: Float[Array, "individuals loci"],
    pairs: Int[Array, "pairs 2"],
) -> Float[Array, "individuals traits pairs"]:
    """Return `(f(++) - f(+-) - f(-+) + f(--)) / 4` for every individual and pair of loci.

    Args:
        function: phenotypes of one genotype.
        genotypes: haploid alleles, -1 and +1.
        pairs: two loci each.
    """

    def one(genotype: Float[Array, " loci"], pair: Int[Array, "2"]) -> Float[Array, " traits"]:
        def at(first: float, second: float) -> Float[Array, " traits"]:
            return function(genotype.at[pair[0]].set(first).at[pair[1]].set(second))

        return (at(1.0, 1.0) - at(1.0, -1.0) - at(-1.0, 1.0) + at(-1.0, -1.0)) / 4

    return jax.vmap(jax.vmap(one, (None, 0), 1), (0, None))(genotypes, pairs)
