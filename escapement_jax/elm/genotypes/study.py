"""Genotypes and phenotypes of the same individuals, and the truth where it is known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from escapement_jax.elm.genotypes.calls import duplicated_loci, monomorphic_loci, recognise
from escapement_jax.elm.genotypes.coding import CodedGenotypes, encode
from escapement_jax.elm.genotypes.linkage import tag_loci


@dataclass(frozen=True, eq=False)
class Truth:
    """The effects behind simulated phenotypes, on contrasts of mean zero.

    Attributes:
        additive: additive, then dominance effects, [traits, columns].
        interaction_trait: trait of each interaction.
        interaction_columns: columns of each interaction, [interactions, order]; two or more.
        interaction_effect: coefficient of the product of those contrasts.
    """

    additive: Float[np.ndarray, "traits columns"]
    interaction_trait: Int[np.ndarray, " interactions"]
    interaction_columns: Int[np.ndarray, "interactions order"]
    interaction_effect: Float[np.ndarray, " interactions"]

    def scaled(self, factors: Float[np.ndarray, " traits"]) -> "Truth":
        """Return the effects after every trait has been multiplied by a factor."""
        return replace(
            self,
            additive=self.additive * factors[:, None],
            interaction_effect=self.interaction_effect * factors[self.interaction_trait],
        )

    def pair_effects(self, pairs: Int[np.ndarray, "pairs 2"]) -> Float[np.ndarray, "traits pairs"]:
        """Return the true effect of each pair of columns on each trait, zero for most.

        Args:
            pairs: columns of each pair, in either order.
        """
        effects = np.zeros((self.additive.shape[0], len(pairs)))
        if self.interaction_columns.shape[1] != 2:
            return effects
        ordered = np.sort(np.asarray(pairs), axis=1)
        place = {pair: number for number, pair in enumerate(map(tuple, ordered.tolist()))}
        rows = zip(
            self.interaction_trait.tolist(),
            np.sort(self.interaction_columns, axis=1).tolist(),
            self.interaction_effect.tolist(),
            strict=True,
        )
        for trait, (first, second), effect in rows:
            if (first, second) in place:
                effects[trait, place[first, second]] = effect
        return effects


@dataclass(frozen=True, eq=False)
class Study:
    """Genotypes and phenotypes in the same order of individuals.

    Attributes:
        genotypes: individuals by loci, in any coding that `encode` recognises; NaN is missing.
        phenotypes: individuals by traits.
        individual_names: one per individual.
        locus_names: one per locus.
        trait_names: one per trait.
        ploidy: where the file says it; else it is told by the values.
        truth: the effects behind simulated phenotypes.

    Raises:
        ValueError: genotypes, phenotypes and names do not match in number.
    """

    # The dimensions are named apart: `__post_init__` compares them, with a better message.
    genotypes: Float[np.ndarray, "genotyped loci"]
    phenotypes: Float[np.ndarray, "phenotyped traits"]
    individual_names: tuple[str, ...]
    locus_names: tuple[str, ...]
    trait_names: tuple[str, ...]
    ploidy: int | None = None
    truth: Truth | None = None

    def __post_init__(self) -> None:
        """Check the numbers of individuals, loci and traits."""
        individuals, loci = self.genotypes.shape
        for what, seen, expected in (
            ("phenotyped individuals", self.phenotypes.shape[0], individuals),
            ("names of individuals", len(self.individual_names), individuals),
            ("locus names", len(self.locus_names), loci),
            ("trait names", len(self.trait_names), self.phenotypes.shape[1]),
        ):
            if seen != expected:
                raise ValueError(
                    f"there are {seen} {what}, but the genotypes need {expected}; "
                    "give one for each, in the same order"
                )

    @classmethod
    def from_arrays(
        cls,
        genotypes: ArrayLike,
        phenotypes: ArrayLike,
        *,
        individual_names: Sequence[str] | None = None,
        locus_names: Sequence[str] | None = None,
        trait_names: Sequence[str] | None = None,
        ploidy: int | None = None,
        truth: Truth | None = None,
    ) -> "Study":
        """Build a study, with default names for everything that has none.

        Args:
            genotypes: individuals by loci.
            phenotypes: individuals by traits, or one value for each individual.
            individual_names: default `individual_1`, ...
            locus_names: default `locus_1`, ...
            trait_names: default `trait_1`, ...
            ploidy: 1 or 2, where the values alone do not tell.
            truth: the effects behind simulated phenotypes.

        Raises:
            ValueError: not tables of numbers, or the numbers of rows or names do not match.
        """
        genotypes, phenotypes = _table(genotypes, "genotypes"), _table(phenotypes, "phenotypes")
        numbers = (genotypes.shape[0], genotypes.shape[1], phenotypes.shape[1])
        given = (individual_names, locus_names, trait_names)
        kinds = ("individual", "locus", "trait")
        individuals, loci, traits = (
            tuple(f"{kind}_{i}" for i in range(1, number + 1))
            if names is None
            else tuple(str(name) for name in names)
            for number, names, kind in zip(numbers, given, kinds, strict=True)
        )
        return cls(genotypes, phenotypes, individuals, loci, traits, ploidy, truth)

    def coded(self, dtype: type = np.float32) -> CodedGenotypes:
        """Code the genotypes for networks and regressions; see `encode`."""
        return encode(self.genotypes, locus_names=self.locus_names, ploidy=self.ploidy, dtype=dtype)

    def with_loci(self, loci: Int[np.ndarray, " kept"]) -> "Study":
        """Keep some loci; a known truth is given up, since it spoke of all of them."""
        complete = len(loci) == len(self.locus_names)
        return replace(
            self,
            genotypes=self.genotypes[:, loci],
            locus_names=tuple(self.locus_names[locus] for locus in loci),
            truth=self.truth if complete else None,
        )

    def usable(self, prune_r2: float | None = None) -> tuple["Study", dict[str, int]]:
        """Leave out loci that do not vary, repeat another, or are tagged by another.

        Args:
            prune_r2: squared correlation above which the later of two loci is left out.

        Returns:
            The study of the other loci, and the number left out by reason.
        """
        calls = recognise(self.genotypes, ploidy=self.ploidy)
        constant = monomorphic_loci(calls)
        repeated = np.array(sorted(duplicated_loci(calls)), dtype=int)
        kept = np.setdiff1d(np.arange(len(self.locus_names)), np.union1d(constant, repeated))
        dropped = {
            "monomorphic": constant.size,
            "duplicated": np.setdiff1d(repeated, constant).size,
        }
        if prune_r2 is not None:
            values = np.where(calls.missing, np.nan, calls.dosage.astype(float))[:, kept]
            tags = tag_loci(values, prune_r2)
            dropped["tagged"] = kept.size - tags.size
            kept = kept[tags]
        return self.with_loci(kept), {reason: count for reason, count in dropped.items() if count}


def _table(values: ArrayLike, what: str) -> np.ndarray:
    try:
        table = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"the {what} are not numbers; give a table of numbers") from None
    table = table[:, None] if table.ndim == 1 and what == "phenotypes" else table
    if table.ndim != 2:
        raise ValueError(f"the {what} have the shape {table.shape}; give a table with two axes")
    return table
