"""Genotypes in the codings that a network reads and that a regression needs."""

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int
from numpy.typing import ArrayLike

from escapement_jax.elm.genotypes.calls import Calls, check_loci, recognise


class CodedGenotypes(eqx.Module):
    """Genotypes as a network reads them, and as orthogonal contrasts of mean zero.

    Haploid loci are -1 or +1 and have one contrast, x - mean(x). Diploid loci are read as dosage
    minus 1 and have two contrasts in NOIA's statistical formulation, additive (A), dosage - mean,
    and dominance (D), the part of heterozygosity that no straight line explains; effects are then
    average effects of substitution and dominance deviations at any genotype frequencies. Missing
    calls have the mean of their locus, so their contrasts are 0.

    Source: Alvarez-Castro & Carlborg (2007), Genetics 176, equations 11 and 12.
    """

    inputs: Float[Array, "individuals loci"]
    contrasts: Float[Array, "individuals columns"]
    column_locus: Int[Array, " columns"]
    frequencies: Float[Array, " loci"]
    column_kind: tuple[str, ...] = eqx.field(static=True)
    locus_names: tuple[str, ...] = eqx.field(static=True)
    ploidy: int = eqx.field(static=True)

    @property
    def num_individuals(self) -> int:
        """Number of individuals."""
        return self.inputs.shape[0]

    @property
    def num_loci(self) -> int:
        """Number of loci."""
        return self.inputs.shape[1]

    @property
    def num_columns(self) -> int:
        """Number of contrasts: loci, and loci with a dominance contrast once more."""
        return self.contrasts.shape[1]

    def rows(self, index: ArrayLike) -> "CodedGenotypes":
        """Keep some individuals, coded as before (frequencies and means stay)."""
        index = np.asarray(index)
        return eqx.tree_at(
            lambda coded: (coded.inputs, coded.contrasts),
            self,
            (self.inputs[index], self.contrasts[index]),
        )


def encode(
    genotypes: ArrayLike,
    *,
    locus_names: Sequence[str] | None = None,
    ploidy: int | None = None,
    dtype: DTypeLike = np.float32,
) -> CodedGenotypes:
    """Recognise the coding of genotypes, check every locus, and code them anew.

    Understood are haploids in {-1, 1} or {0, 1} and diploids in {0, 1, 2}. NaN and -9 are missing,
    and so is -1 beside {0, 1, 2}.

    Args:
        genotypes: individuals by loci.
        locus_names: one unique name per locus; default `locus_1`, `locus_2`, ...
        ploidy: 1 or 2, where the values alone do not tell, such as diploids without a 2.
        dtype: precision of the result.

    Raises:
        ValueError: fewer than two loci or individuals, a coding that is not recognised, loci
            without variation, or loci that repeat another; the message names the loci.
    """
    calls = recognise(genotypes, ploidy=ploidy)
    names = _locus_names(locus_names, calls.dosage.shape[1])
    check_loci(calls, names)
    return code_calls(calls, names, dtype=dtype)


def code_calls(calls: Calls, names: Sequence[str], *, dtype: DTypeLike) -> CodedGenotypes:
    """Code checked calls; `encode` without its checks of the loci."""
    table = contrast_table(calls)
    return CodedGenotypes(
        inputs=jnp.asarray(table.inputs, dtype=dtype),
        contrasts=jnp.asarray(table.contrasts, dtype=dtype),
        column_locus=jnp.asarray(table.column_locus, dtype=np.int32),
        frequencies=jnp.asarray((table.mean + 1) / 2, dtype=dtype),
        column_kind=table.column_kind,
        locus_names=tuple(names),
        ploidy=calls.ploidy,
    )


class ContrastTable(NamedTuple):
    """Genotypes as a network reads them and as contrasts, in double precision."""

    inputs: np.ndarray
    contrasts: np.ndarray
    mean: np.ndarray
    column_locus: np.ndarray
    column_kind: tuple[str, ...]


def contrast_table(calls: Calls) -> ContrastTable:
    """Return additive contrasts of all loci, then dominance contrasts of those that have one."""
    unit = 2.0 if calls.ploidy == 1 else 1.0
    inputs = np.where(calls.missing, 0.0, unit * calls.dosage - 1.0)
    num_loci = inputs.shape[1]
    mean = np.sum(inputs, axis=0) / np.sum(~calls.missing, axis=0)
    columns = [np.where(calls.missing, 0.0, inputs - mean)]
    loci = np.arange(num_loci)
    if calls.ploidy == 2:
        dominance = dominance_contrast(calls)
        varied = np.flatnonzero(np.ptp(dominance, axis=0) > 0)
        columns.append(dominance[:, varied])
        loci = np.concatenate([loci, varied])
    return ContrastTable(
        inputs=np.where(calls.missing, mean, inputs),
        contrasts=np.concatenate(columns, axis=1),
        mean=mean,
        column_locus=loci,
        column_kind=("A",) * num_loci + ("D",) * (loci.size - num_loci),
    )


def dominance_contrast(calls: Calls) -> np.ndarray:
    """Return NOIA's dominance contrast w_D, [individuals, loci]; zero where it has no variance.

    With genotype frequencies p_0, p_1, p_2 and D = p_0 + p_2 - (p_0 - p_2)^2,
    w_D(0) = -2 p_1 p_2 / D, w_D(1) = 4 p_0 p_2 / D, w_D(2) = -2 p_0 p_1 / D: mean zero,
    uncorrelated with dosage, and w_D(1) - (w_D(0) + w_D(2)) / 2 = 1, at any frequencies.
    """
    seen = np.sum(~calls.missing, axis=0)
    frequency = [np.sum((calls.dosage == d) & ~calls.missing, axis=0) / seen for d in range(3)]
    none, one, two = frequency
    # Two kinds of genotypes span one contrast only, and that is the additive one.
    all_there = (none > 0) & (one > 0) & (two > 0)
    scale = np.where(all_there, none + two - (none - two) ** 2, np.inf)
    values = [-2 * one * two / scale, 4 * none * two / scale, -2 * none * one / scale]
    contrast = np.select([calls.dosage == d for d in range(3)], values, 0.0)
    return np.where(calls.missing, 0.0, contrast)


def _locus_names(names: Sequence[str] | None, num_loci: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"locus_{number}" for number in range(1, num_loci + 1))
    names = tuple(str(name) for name in names)
    if len(names) != num_loci:
        raise ValueError(f"there are {len(names)} locus names for {num_loci} loci; give one each")
    repeated = sorted({name for name in names if names.count(name) > 1}) if _repeats(names) else []
    if repeated:
        raise ValueError(f"the locus names {repeated[:5]} occur more than once; make them unique")
    return names


def _repeats(names: tuple[str, ...]) -> bool:
    return len(set(names)) < len(names)
