"""Variance of the phenotype by kind of effect."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from escapement_jax.elm.effects import VarianceComponents

LARGEST_DENSE = 2048

MAIN = {"A": "additive", "D": "dominance"}
NAMES = {"AA": "additive x additive", "AD": "additive x dominance", "DD": "dominance x dominance"}


def variance_components(
    additive: Float[Array, "traits columns"],
    epistatic: Float[Array, "traits pairs"],
    pairs: Int[Array, "pairs 2"],
    column_kind: tuple[str, ...],
    contrasts: Float[Array, "individuals columns"],
    linkage: Float[Array, "columns columns"],
    noise: Float[Array, " traits"],
    *,
    shrunken: bool,
) -> VarianceComponents:
    """Return the variance of additive, dominance and epistatic parts, and what no part explains.

        V_A  = alpha' S alpha - m s^2 / n        V_AA = tr(B C B C) / 2 - m s^2 / n

    over the `m` effects of a kind: the square of an unbiased estimate is too large by its error
    variance, which is taken off (a component can come out negative). `S` is the covariance of the
    contrasts in the sample and `C` that without chance correlations. Without linkage the latter
    is `sum V_c V_d b_cd^2`; else it takes products of loci to be as correlated as the loci are,
    `C (x) C`. The residual is the held-out one, `s^2`. In a sample the parts are correlated by
    chance, so they add up to the phenotypic variance only roughly.

    Args:
        additive: additive and dominance effects, unshrunken.
        epistatic: interactions, unshrunken unless `shrunken`.
        pairs: two columns each.
        column_kind: "A" or "D".
        contrasts: of the individuals behind the estimates.
        linkage: `C`, see `linkage_covariance`.
        noise: `s^2`, variance of the held-out residuals.
        shrunken: whether interactions are posterior means, of which nothing is to be taken off.
    """
    kinds = np.asarray(column_kind)
    individuals = contrasts.shape[0]
    names, variances, errors = [], [], []

    def append(name: str, variance: Float[Array, " traits"], count: int, *, exact: bool) -> None:
        corrected = variance if exact else variance - count * noise / individuals
        spread = 2 * count * (noise / individuals) ** 2
        names.append(name)
        variances.append(corrected)
        errors.append(jnp.sqrt(spread + 4 * jnp.maximum(corrected, 0.0) * noise / individuals))

    for kind, name in MAIN.items():
        chosen = np.flatnonzero(kinds == kind)
        if chosen.size:
            part = contrasts[:, chosen] @ additive[:, chosen].T
            append(name, jnp.var(part, axis=0), chosen.size, exact=False)
    pair_kinds = np.asarray(["".join(sorted(kinds[pair])) for pair in np.asarray(pairs)])
    for kind, name in NAMES.items():
        chosen = np.flatnonzero(pair_kinds == kind)
        if chosen.size:
            variance = _pair_variance(epistatic[:, chosen], pairs[chosen], linkage)
            append(name, variance, chosen.size, exact=shrunken)
    variances.append(noise)
    errors.append(noise * (2 / individuals) ** 0.5)
    return VarianceComponents(
        jnp.stack(variances, axis=1), jnp.stack(errors, axis=1), (*names, "residual")
    )


def _pair_variance(
    effects: Float[Array, "traits pairs"],
    pairs: Int[Array, "pairs 2"],
    covariance: Float[Array, "columns columns"],
) -> Float[Array, " traits"]:
    columns = covariance.shape[0]
    variance = jnp.diagonal(covariance)
    first, second = pairs[:, 0], pairs[:, 1]
    linked = bool(jnp.any(covariance != jnp.diag(variance)))
    if not linked or columns > LARGEST_DENSE:
        return effects**2 @ (variance[first] * variance[second])

    def one(effect: Float[Array, " pairs"]) -> Float[Array, ""]:
        half = jnp.zeros((columns, columns), effect.dtype).at[first, second].set(effect)
        product = (half + half.T) @ covariance
        return jnp.sum(product * product.T) / 2

    return jnp.stack([one(effect) for effect in effects])
