"""The regression inside the cross-fit: spike and slab on contrasts and pairs of them."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from escapement_jax.elm.anchors.pair_scan import strongest_pairs
from escapement_jax.elm.anchors.spike_slab import spike_and_slab
from escapement_jax.elm.linear_map.joint_moments import JointSums, pairwise_sum


class PairModel(eqx.Module):
    """`f(z) = intercept + sum_c a_c z_c + sum_p b_p z_c(p) z_d(p)`."""

    intercept: Float[Array, " traits"]
    additive: Float[Array, "columns traits"]
    pairs: Int[Array, "pairs 2"]
    epistatic: Float[Array, "pairs traits"]

    def predict(
        self, contrasts: Float[Array, "individuals columns"]
    ) -> Float[Array, "individuals traits"]:
        """Return the model's phenotypes."""
        products = pairwise_sum(contrasts, self.pairs, self.epistatic)
        return self.intercept[None] + contrasts @ self.additive + products


def screened_pairs(
    contrasts: Float[Array, "individuals columns"],
    phenotypes: Float[Array, "individuals traits"],
    column_locus: Int[Array, " columns"],
    keep: int,
) -> Int[Array, "pairs 2"]:
    """Return the union over traits of the pairs with the largest marginal statistics.

    Args:
        contrasts: statistical contrasts of the genotypes.
        phenotypes: traits.
        column_locus: locus of each column; pairs within a locus do not count.
        keep: number of pairs in the union.
    """
    each = -(-keep // phenotypes.shape[1])
    best = strongest_pairs(contrasts, phenotypes, column_locus, keep=each)
    return jnp.unique(best.pairs.reshape(-1, 2), axis=0)


def empty_model(
    columns: int, pairs: Int[Array, "pairs 2"], phenotypes: Float[Array, "individuals traits"]
) -> PairModel:
    """Return the model without effects.

    Args:
        columns: number of contrasts.
        pairs: pairs of columns that effects may be added to.
        phenotypes: traits, whose means are the intercept.
    """
    traits, dtype = phenotypes.shape[1], phenotypes.dtype
    return PairModel(
        jnp.mean(phenotypes, axis=0),
        jnp.zeros((columns, traits), dtype),
        pairs,
        jnp.zeros((pairs.shape[0], traits), dtype),
    )


def fit_sparse_regression(
    sums: JointSums, pairs: Int[Array, "pairs 2"], num_candidate_pairs: int
) -> PairModel:
    """Return the posterior mean of a spike-and-slab regression.

    Args:
        sums: of contrasts, products of pairs of them, and phenotypes.
        pairs: pairs of columns that enter the regression.
        num_candidate_pairs: pairs that could have entered, before any screening.
    """
    data = sums.centred()
    columns = data.feature_mean.shape[0] - pairs.shape[0]
    group = jnp.concatenate([jnp.zeros(columns, jnp.int32), jnp.ones(pairs.shape[0], jnp.int32)])
    posterior = spike_and_slab(
        data.gram,
        data.moments,
        data.sum_squares,
        jnp.asarray(data.count),
        group,
        (columns, num_candidate_pairs),
    )
    intercept = data.output_mean - data.feature_mean @ posterior.mean
    return PairModel(intercept, posterior.mean[:columns], pairs, posterior.mean[columns:])
