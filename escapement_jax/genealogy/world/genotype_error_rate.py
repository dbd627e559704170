"""How often genotypes are wrong, given the graphs: the likelihood of the genotype-error rate.

Errors sit at bases that truly vary (`variable_sites`), so with all haplotypes in the graph

    log p(D | G, e) = sum_sites log( L(e) - sum_a C_a prod_j P_e(genotype_j | a) ) + constant.

The probabilities `C_a` that all true alleles are `a` do not depend on `e` and are found once.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.genealogy.genome.genome_bins import GenomeChunk
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.threading_model import ThreadingModel
from escapement_jax.genealogy.model.variable_sites import variable_site_log_likelihood


def log_genotype_density(
    graph: RecombinationGraph,
    chunk: GenomeChunk,
    model: ThreadingModel,
    errors: Float[Array, " points"],
) -> Float[Array, " points"]:
    """Log probability of the sites of a chunk at each of several genotype-error rates.

    Args:
        graph: the graph of all haplotypes.
        chunk: the genome and its genotypes.
        model: the law; its own genotype error is not used.
        errors: genotype-error rates, in (0, 0.5).
    """
    trees = graph.trees[graph.segment[chunk.site_bin]]
    complete = jnp.zeros((), model.times.dtype)

    def site(tree, alleles, rate):
        def at_error(error):
            mutation = eqx.tree_at(lambda m: m.genotype_error, model.mutation, error)
            scaled_times = rate * model.times
            return variable_site_log_likelihood(
                tree, graph.present, alleles, scaled_times, mutation, complete
            )

        return jnp.where(rate > 0, jax.vmap(at_error)(errors), 0.0)

    return jax.vmap(site)(trees, chunk.genotypes, chunk.site_mutation).sum(0)
