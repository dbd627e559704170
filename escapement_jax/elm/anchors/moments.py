"""Sums of squares and products of features and traits: all that a linear regression needs."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

ROWS_AT_ONCE = 1024


class RegressionMoments(eqx.Module):
    """Means, and sums of squares and products about them, of features and of traits.

    The features are the contrasts and, after them, the products of pairs of contrasts.
    """

    num_individuals: Float[Array, ""]
    feature_mean: Float[Array, " features"]
    trait_mean: Float[Array, " traits"]
    gram: Float[Array, "features features"]
    moments: Float[Array, "features traits"]
    sum_squares: Float[Array, " traits"]


def column_pairs(column_locus: Int[np.ndarray, " columns"]) -> Int[Array, "pairs 2"]:
    """List the pairs c < d of columns at different loci, row by row of the upper triangle."""
    column_locus = np.asarray(column_locus)
    first, second = np.triu_indices(column_locus.size, 1)
    apart = column_locus[first] != column_locus[second]
    return jnp.asarray(np.stack([first[apart], second[apart]], axis=1), dtype=jnp.int32)


def pair_features(
    contrasts: Float[Array, "individuals columns"], pairs: Int[Array, "pairs 2"]
) -> Float[Array, "individuals features"]:
    """Return the contrasts and, beside them, the product z_c z_d of each pair."""
    products = contrasts[:, pairs[:, 0]] * contrasts[:, pairs[:, 1]]
    return jnp.concatenate([contrasts, products], axis=1)


@jax.jit
def regression_moments(
    contrasts: Float[Array, "individuals columns"],
    phenotypes: Float[Array, "individuals traits"],
    pairs: Int[Array, "pairs 2"],
) -> RegressionMoments:
    """Sum squares and products of contrasts, pairs and traits, some individuals at a time.

    Args:
        contrasts: columns of the coded genotypes.
        phenotypes: trait values, all finite.
        pairs: columns of each product; shape (0, 2) for the contrasts alone.
    """
    num_individuals = jnp.asarray(contrasts.shape[0], contrasts.dtype)
    # Sums about a guess of the means: no cancellation when the exact means are subtracted.
    covariance = contrasts.T @ contrasts / num_individuals
    feature_guess = jnp.concatenate(
        [jnp.mean(contrasts, axis=0), covariance[pairs[:, 0], pairs[:, 1]]]
    )
    trait_guess = jnp.mean(phenotypes, axis=0)
    block_sums = partial(_block_sums, feature_guess, trait_guess, pairs)
    blocks = (
        _in_blocks(contrasts),
        _in_blocks(phenotypes),
        _in_blocks(jnp.ones((contrasts.shape[0], 1), contrasts.dtype)),
    )
    shapes = jax.eval_shape(block_sums, jax.tree.map(lambda table: table[0], blocks))
    start = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    totals, _ = lax.scan(
        lambda total, block: (jax.tree.map(jnp.add, total, block_sums(block)), None), start, blocks
    )
    feature_sum, trait_sum, gram, moments, sum_squares = totals
    feature_shift, trait_shift = feature_sum / num_individuals, trait_sum / num_individuals
    return RegressionMoments(
        num_individuals=num_individuals,
        feature_mean=feature_guess + feature_shift,
        trait_mean=trait_guess + trait_shift,
        gram=gram - jnp.outer(feature_sum, feature_shift),
        moments=moments - jnp.outer(feature_sum, trait_shift),
        sum_squares=sum_squares - trait_sum * trait_shift,
    )


def without(total: RegressionMoments, part: RegressionMoments) -> RegressionMoments:
    """Return the moments of the individuals of `total` that are not in `part`.

    S_rest = S_total - S_part - (n_part n_total / n_rest)(m_part - m_total)(m_part - m_total)'.
    The moments of K folds thus cost no more than those of all individuals.

    Args:
        total: moments of all individuals.
        part: moments of some of them.
    """
    rest = total.num_individuals - part.num_individuals
    weight = part.num_individuals * total.num_individuals / rest
    feature_shift = part.feature_mean - total.feature_mean
    trait_shift = part.trait_mean - total.trait_mean
    share = part.num_individuals / rest
    return RegressionMoments(
        num_individuals=rest,
        feature_mean=total.feature_mean - share * feature_shift,
        trait_mean=total.trait_mean - share * trait_shift,
        gram=total.gram - part.gram - weight * jnp.outer(feature_shift, feature_shift),
        moments=total.moments - part.moments - weight * jnp.outer(feature_shift, trait_shift),
        sum_squares=total.sum_squares - part.sum_squares - weight * trait_shift**2,
    )


def _block_sums(
    feature_guess: Float[Array, " features"],
    trait_guess: Float[Array, " traits"],
    pairs: Int[Array, "pairs 2"],
    block: tuple[Array, Array, Array],
) -> tuple[Array, Array, Array, Array, Array]:
    contrasts, phenotypes, weight = block
    features = (pair_features(contrasts, pairs) - feature_guess[None, :]) * weight
    traits = (phenotypes - trait_guess[None, :]) * weight
    return (
        jnp.sum(features, axis=0),
        jnp.sum(traits, axis=0),
        features.T @ features,
        features.T @ traits,
        jnp.sum(traits**2, axis=0),
    )


def _in_blocks(table: Float[Array, "rows columns"]) -> Float[Array, "blocks block columns"]:
    block = min(ROWS_AT_ONCE, table.shape[0])
    num_blocks = -(-table.shape[0] // block)
    padded = jnp.pad(table, ((0, num_blocks * block - table.shape[0]), (0, 0)))
    return padded.reshape(num_blocks, block, table.shape[1])
