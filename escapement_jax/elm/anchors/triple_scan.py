"""Every triple of loci tested on its own."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from escapement_jax.elm.anchors.pair_scan import slopes
from escapement_jax.elm.anchors.spike_slab import spike_and_slab


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


class JointTriples(eqx.Module):
    """The strongest triples of each trait, by their place in the scan, fitted together."""

    place: Int[Array, "traits kept"]
    mean: Float[Array, "traits kept"]
    inclusion_probability: Float[Array, "traits kept"]


def fit_strongest_triples(
    contrasts: Float[Array, "individuals columns"],
    phenotypes: Float[Array, "individuals traits"],
    scan: TripleScan,
    keep: int = 256,
) -> JointTriples:
    """Fit the strongest triples of each trait together with all single contrasts.

    What other triples explain is noise to a scan; a spike-and-slab regression on the strongest
    takes it away. Its prior counts all triples that were scanned, so screening them on the same
    data does not make effects look common.

    Args:
        contrasts: columns of mean zero.
        phenotypes: trait values.
        scan: the scan of all triples, on the same individuals.
        keep: triples to fit for each trait.
    """
    strength = jnp.abs(scan.effect) / scan.stderr
    _, place = lax.top_k(strength, min(keep, scan.triples.shape[0]))
    fits = [
        _joint_fit(contrasts, trait, scan.triples[chosen], scan.triples.shape[0])
        for trait, chosen in zip(phenotypes.T, place, strict=True)
    ]
    mean, probability = (jnp.stack(rows) for rows in zip(*fits, strict=True))
    return JointTriples(place, mean, probability)


@partial(jax.jit, static_argnames="num_candidates")
def _joint_fit(
    contrasts: Float[Array, "individuals columns"],
    trait: Float[Array, " individuals"],
    triples: Int[Array, "kept 3"],
    num_candidates: int,
) -> tuple[Float[Array, " kept"], Float[Array, " kept"]]:
    columns = contrasts.shape[1]
    products = triple_products(contrasts, triples)
    features = jnp.concatenate([contrasts, products], axis=1)
    features = features - jnp.mean(features, axis=0)[None, :]
    centred = trait - jnp.mean(trait)
    fit = spike_and_slab(
        features.T @ features,
        (features.T @ centred)[:, None],
        jnp.sum(centred**2)[None],
        contrasts.shape[0],
        (jnp.arange(features.shape[1]) >= columns).astype(jnp.int32),
        (columns, num_candidates),
    )
    return fit.mean[columns:, 0], fit.inclusion_probability[columns:, 0]


def triple_products(
    contrasts: Float[Array, "individuals columns"], triples: Int[Array, "kept 3"]
) -> Float[Array, "individuals kept"]:
    """Return z_i z_j z_k of each triple.

    Args:
        contrasts: columns of mean zero.
        triples: columns of each triple.
    """
    first, second, third = triples.T
    return contrasts[:, first] * contrasts[:, second] * contrasts[:, third]


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
