"""Sums over individuals for regressions on contrasts and on products of pairs of contrasts."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

ROWS_AT_ONCE = 2048
PAIRS_AT_ONCE = 1024


class JointMoments(eqx.Module):
    """Everything that a regression needs, of centred features and centred outputs."""

    gram: Float[Array, "features features"]
    moments: Float[Array, "features traits"]
    sum_squares: Float[Array, " traits"]
    feature_mean: Float[Array, " features"]
    output_mean: Float[Array, " traits"]
    count: int = eqx.field(static=True)


class JointSums(eqx.Module):
    """Sums over individuals, which may be added to those of others or taken away."""

    gram: Float[Array, "features features"]
    moments: Float[Array, "features traits"]
    sum_squares: Float[Array, " traits"]
    feature_sum: Float[Array, " features"]
    output_sum: Float[Array, " traits"]
    count: int = eqx.field(static=True)

    def without(self, part: "JointSums") -> "JointSums":
        """Return the sums over everyone but some."""
        return _sums(
            jax.tree.map(jnp.subtract, _arrays(self), _arrays(part)), self.count - part.count
        )

    def centred(self) -> JointMoments:
        """Return the moments about the means."""
        mean, output_mean = self.feature_sum / self.count, self.output_sum / self.count
        return JointMoments(
            self.gram - jnp.outer(self.feature_sum, mean),
            self.moments - jnp.outer(mean, self.output_sum),
            self.sum_squares - self.output_sum * output_mean,
            mean,
            output_mean,
            self.count,
        )


def pair_features(
    contrasts: Float[Array, "individuals columns"], pairs: Int[Array, "pairs 2"]
) -> Float[Array, "individuals features"]:
    """Return the contrasts followed by the products of pairs of them.

    Args:
        contrasts: statistical contrasts of the genotypes.
        pairs: two columns each.
    """
    products = contrasts[:, pairs[:, 0]] * contrasts[:, pairs[:, 1]]
    return jnp.concatenate([contrasts, products], axis=1)


@eqx.filter_jit
def joint_sums(
    contrasts: Float[Array, "individuals columns"],
    outputs: Float[Array, "individuals traits"],
    pairs: Int[Array, "pairs 2"],
) -> JointSums:
    """Return Gram matrix and moments without ever storing all features of all individuals.

    Args:
        contrasts: statistical contrasts of the genotypes, of mean zero.
        outputs: phenotypes, or any function of the genotypes, of mean near zero.
        pairs: pairs of columns that may interact.
    """
    individuals, traits = outputs.shape
    blocks = -(-individuals // ROWS_AT_ONCE)
    missing = blocks * ROWS_AT_ONCE - individuals
    padded = [
        jnp.pad(rows, ((0, missing), (0, 0))).reshape(blocks, ROWS_AT_ONCE, -1)
        for rows in (contrasts, outputs)
    ]
    size = contrasts.shape[1] + pairs.shape[0]
    zeros = (
        jnp.zeros((size, size), contrasts.dtype),
        jnp.zeros((size, traits), contrasts.dtype),
        jnp.zeros(size, contrasts.dtype),
    )

    def add(sums: tuple[Array, ...], rows: tuple[Array, ...]) -> tuple[tuple[Array, ...], None]:
        # Padded rows have contrasts of zero, hence features of zero.
        features = pair_features(rows[0], pairs)
        added = (features.T @ features, features.T @ rows[1], jnp.sum(features, axis=0))
        return jax.tree.map(jnp.add, sums, added), None

    (gram, moments, total), _ = jax.lax.scan(add, zeros, tuple(padded))
    squares = jnp.sum(outputs**2, axis=0)
    return JointSums(gram, moments, squares, total, jnp.sum(outputs, axis=0), individuals)


def added(parts: Sequence[JointSums]) -> JointSums:
    """Return the sums over all individuals of several parts.

    Args:
        parts: sums over separate groups, on the same features.
    """
    arrays = jax.tree.map(lambda *leaves: sum(leaves[1:], leaves[0]), *map(_arrays, parts))
    return _sums(arrays, sum(part.count for part in parts))


@jax.jit
def pairwise_sum(
    contrasts: Float[Array, "individuals columns"],
    pairs: Int[Array, "pairs 2"],
    coefficients: Float[Array, "pairs traits"],
) -> Float[Array, "individuals traits"]:
    """Return `sum_p coefficient_p z_c(p) z_d(p)` for every individual, block by block of pairs.

    Args:
        contrasts: statistical contrasts of the genotypes.
        pairs: two columns each.
        coefficients: one for each pair and trait.
    """
    blocks, weights = _pair_blocks(pairs, coefficients)

    def add(
        total: Float[Array, "individuals traits"], block: tuple[Array, Array]
    ) -> tuple[Float[Array, "individuals traits"], None]:
        block_pairs, block_weights = block
        products = contrasts[:, block_pairs[:, 0]] * contrasts[:, block_pairs[:, 1]]
        return total + products @ block_weights, None

    zeros = jnp.zeros((contrasts.shape[0], coefficients.shape[1]), contrasts.dtype)
    return jax.lax.scan(add, zeros, (blocks, weights))[0]


def _pair_blocks(
    pairs: Int[Array, "pairs 2"], coefficients: Float[Array, "pairs traits"]
) -> tuple[Int[Array, "blocks block 2"], Float[Array, "blocks block traits"]]:
    """Cut pairs into equal blocks; the last is filled up with pairs of weight zero."""
    size = max(min(PAIRS_AT_ONCE, pairs.shape[0]), 1)
    count = -(-pairs.shape[0] // size)
    missing = count * size - pairs.shape[0]
    padded = [jnp.pad(rows, ((0, missing), (0, 0))) for rows in (pairs, coefficients)]
    return padded[0].reshape(count, size, 2), padded[1].reshape(count, size, -1)


def _sums(arrays: tuple[Array, ...], count: int) -> JointSums:
    gram, moments, sum_squares, feature_sum, output_sum = arrays
    return JointSums(gram, moments, sum_squares, feature_sum, output_sum, count)


def _arrays(sums: JointSums) -> tuple[Array, ...]:
    return sums.gram, sums.moments, sums.sum_squares, sums.feature_sum, sums.output_sum
