"""Phenotypes, checked and standardised."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike, DTypeLike


class Phenotypes(eqx.Module):
    """Traits with mean zero and variance one, and how to undo that."""

    values: Float[Array, "individuals traits"]
    mean: Float[Array, " traits"]
    scale: Float[Array, " traits"]
    names: tuple[str, ...] = eqx.field(static=True)


def check_phenotypes(
    phenotypes: ArrayLike,
    num_individuals: int,
    *,
    names: Sequence[str] | None = None,
    dtype: DTypeLike,
) -> Phenotypes:
    """Check phenotypes and standardise every trait.

    Args:
        phenotypes: individuals by traits, or one trait.
        num_individuals: number of genotyped individuals.
        names: one unique name per trait; default `trait_1`, `trait_2`, ...
        dtype: precision of the result.

    Raises:
        ValueError: the individuals do not match the genotypes, a value is missing or infinite, or
            a trait does not vary; the message names the trait and the individuals.
    """
    values = np.asarray(phenotypes, dtype=float)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or values.shape[1] == 0:
        raise ValueError(
            f"phenotypes have the shape {np.shape(phenotypes)}; give individuals by traits"
        )
    if values.shape[0] != num_individuals:
        raise ValueError(
            f"there are {num_individuals} genotypes, but {values.shape[0]} phenotypes; "
            "give one row for each individual, in the same order"
        )
    names = _trait_names(names, values.shape[1])
    _check_finite(values, names)
    scale = values.std(axis=0)
    constant = [name for name, spread in zip(names, scale, strict=True) if not spread > 0]
    if constant:
        raise ValueError(
            f"the trait {constant[0]} is the same in every individual ({len(constant)} such "
            "traits); leave it out"
        )
    mean = values.mean(axis=0)
    standard, mean, scale = (
        jnp.asarray(np.asarray(array, dtype)) for array in ((values - mean) / scale, mean, scale)
    )
    return Phenotypes(standard, mean, scale, names)


def _trait_names(names: Sequence[str] | None, traits: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"trait_{number}" for number in range(1, traits + 1))
    if len(names) != traits or len(set(names)) != traits:
        raise ValueError(
            f"the trait names are {list(names)[:5]} for {traits} traits; give one unique name each"
        )
    return tuple(str(name) for name in names)


def _check_finite(values: np.ndarray, names: Sequence[str]) -> None:
    for name, trait in zip(names, values.T, strict=True):
        absent = np.flatnonzero(~np.isfinite(trait))
        if absent.size:
            listed = ", ".join(str(row + 1) for row in absent[:5])
            raise ValueError(
                f"the trait {name} is missing or infinite in {absent.size} individuals (rows "
                f"{listed}{', ...' if absent.size > 5 else ''}); leave them out, or impute them"
            )
