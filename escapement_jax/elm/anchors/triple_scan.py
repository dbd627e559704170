"""Every triple of loci tested on its own."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from escapement_jax.elm.anchors.pair_scan import slopes


class TripleScan(eqx.Module):
    """Marginal effects of all triples i < j < k and their standard errors."""

    triples: Int[Array, "triples 3"]
    effect: Float[Array, "traits triples"]
    stderr: Float[Array, "traits triples"]


def triple_scan(
    contrasts: Float[Array, "individuals columns"],
    residuals: Float[Array, "individuals traits"],
    column_locus: Int[np.ndarray, " columns"] | None = None,
) -> TripleScan:
    """Regress residuals on the product z_i z_j z_k of each triple by itself.

    b = sum_n r_n z_i z_j z_k / (n v_i v_j v_k), unbiased under linkage equilibrium, where the
    denominator is the expected sum of squares. One matrix product per first locus; the cost grows
    as the third power of the number of columns.

    Args:
        contrasts: columns of mean zero.
        residuals: traits after effects of lower order have been taken out.
        column_locus: locus of each column; default one column a locus.
    """
    num_individuals, num_columns = contrasts.shape
    triples = _triples(num_columns, column_locus)
    centred = residuals - jnp.mean(residuals, axis=0)[None, :]
    first, second, third = triples.T
    products = jnp.stack([_moments(contrasts, r)[first, second, third] for r in centred.T])
    variance = jnp.mean(contrasts**2, axis=0)
    spread = num_individuals * variance[first] * variance[second] * variance[third]
    totals = jnp.sum(centred**2, axis=0)
    effect, stderr = slopes(products, spread[None, :], totals[:, None], num_individuals)
    return TripleScan(triples, effect, stderr)


@jax.jit
def _moments(
    contrasts: Float[Array, "individuals columns"], residual: Float[Array, " individuals"]
) -> Float[Array, "columns columns columns"]:
    def with_first(column: Float[Array, " individuals"]) -> Float[Array, "columns columns"]:
        return (contrasts * (column * residual)[:, None]).T @ contrasts

    return lax.map(with_first, contrasts.T)


def _triples(
    num_columns: int, column_locus: Int[np.ndarray, " columns"] | None
) -> Int[Array, "triples 3"]:
    locus = np.arange(num_columns) if column_locus is None else np.asarray(column_locus)
    first, second = np.triu_indices(num_columns, 1)
    chosen = [
        np.stack([np.full(rest.size, i), np.full(rest.size, j), rest])
        for i, j in zip(first, second, strict=True)
        if (rest := np.arange(j + 1, num_columns)).size
    ]
    triples = np.concatenate(chosen, axis=1) if chosen else np.zeros((3, 0), int)
    at = locus[triples]
    apart = (at[0] != at[1]) & (at[0] != at[2]) & (at[1] != at[2])
    return jnp.asarray(triples[:, apart].T, dtype=jnp.int32)
