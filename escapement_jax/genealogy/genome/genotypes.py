"""Phased haplotypes at biallelic sites of one genomic region."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

MISSING = -1


@dataclass(frozen=True, eq=False)
class Genotypes:
    """Phased, polarised haplotypes at the biallelic sites of one region of a genome.

    Coordinates are base pairs, counted from 0; intervals are half-open.

    Attributes:
        haplotypes: allele of every haplotype at every site, int8 [sites, haplotypes]: 0 ancestral,
            1 derived, -1 missing.
        positions: int64 [sites], strictly increasing, inside `[start, end)`.
        start: first base pair of the region.
        end: one past the last base pair of the region.
        contig: name of the chromosome or contig.
        sample_names: one unique name per individual, in input order.
        ploidy: haplotypes per individual; haplotype `h` belongs to individual `h // ploidy`.
        ancestral_alleles: the allele coded 0, one per site.
        derived_alleles: the allele coded 1, one per site.
        accessible: intervals whose bases could be called, int64 [intervals, 2], sorted, disjoint
            and inside the region; every site lies in one of them.
        sites_dropped: how many sites of the input were left out, by reason.

    Raises:
        ValueError: when a field breaks one of these rules; the message names the first offender.
    """

    haplotypes: np.ndarray
    positions: np.ndarray
    start: int
    end: int
    contig: str
    sample_names: tuple[str, ...]
    ploidy: int
    ancestral_alleles: tuple[str, ...]
    derived_alleles: tuple[str, ...]
    accessible: np.ndarray
    sites_dropped: Mapping[str, int]

    def __post_init__(self) -> None:
        """Check every field against the others."""
        _check_region(self.start, self.end)
        _check_shapes(self)
        _check_samples(self)
        _check_positions(self.positions, self.start, self.end)
        _check_accessible(self.accessible, self.start, self.end)
        _check_sites(self)

    @classmethod
    def from_arrays(
        cls,
        haplotypes: np.ndarray,
        positions: np.ndarray,
        *,
        start: int,
        end: int,
        contig: str = "1",
        sample_names: Sequence[str] | None = None,
        ploidy: int = 1,
        ancestral_alleles: Sequence[str] | None = None,
        derived_alleles: Sequence[str] | None = None,
        accessible: np.ndarray | None = None,
        sites_dropped: Mapping[str, int] | None = None,
    ) -> "Genotypes":
        """Build genotypes from arrays, with a default for everything that has a natural one.

        Args:
            haplotypes: sites by haplotypes, values 0 ancestral, 1 derived, -1 missing.
            positions: whole base pairs, one per site, strictly increasing.
            start: first base pair of the region.
            end: one past the last base pair of the region.
            contig: name of the chromosome or contig.
            sample_names: one per individual; default `sample_0`, `sample_1`, ...
            ploidy: haplotypes per individual.
            ancestral_alleles: one per site; default "0".
            derived_alleles: one per site; default "1".
            accessible: intervals of callable bases; default the whole region.
            sites_dropped: counts of sites left out, by reason; default none.

        Returns:
            The checked genotypes.

        Raises:
            ValueError: when the arrays are not whole numbers or break a rule of `Genotypes`.
        """
        haplotypes = _whole_numbers(haplotypes, "haplotypes")
        positions = _whole_numbers(positions, "positions")
        if haplotypes.ndim != 2:
            raise ValueError(
                f"haplotypes must be sites x haplotypes, seen shape {haplotypes.shape}"
            )
        num_sites, num_haplotypes = haplotypes.shape
        if sample_names is None:
            sample_names = [f"sample_{i}" for i in range(num_haplotypes // max(ploidy, 1))]
        accessible = np.array([[start, end]]) if accessible is None else accessible
        return cls(
            haplotypes=haplotypes.astype(np.int8),
            positions=positions.astype(np.int64),
            start=int(start),
            end=int(end),
            contig=contig,
            sample_names=tuple(sample_names),
            ploidy=int(ploidy),
            ancestral_alleles=_one_per_site(ancestral_alleles, "0", num_sites),
            derived_alleles=_one_per_site(derived_alleles, "1", num_sites),
            accessible=_whole_numbers(accessible, "accessible").astype(np.int64),
            sites_dropped=dict(sites_dropped or {}),
        )

    @property
    def num_sites(self) -> int:
        """Number of sites."""
        return self.haplotypes.shape[0]

    @property
    def num_haplotypes(self) -> int:
        """Number of haplotypes."""
        return self.haplotypes.shape[1]

    @property
    def length(self) -> int:
        """Length of the region in base pairs."""
        return self.end - self.start

    @property
    def accessible_length(self) -> int:
        """Number of base pairs in the accessible intervals."""
        return int(np.sum(self.accessible[:, 1] - self.accessible[:, 0]))

    def diversity(self) -> float:
        """Mean number of differences between two haplotypes, per accessible base pair.

        With `a` ancestral and `d` derived alleles seen at a site, its share is
        `a d / ((a + d)(a + d - 1) / 2)`: only pairs seen in both haplotypes count, and a site seen
        in fewer than two haplotypes contributes nothing (Nei and Li 1979).

        Returns:
            Differences per base pair.

        Raises:
            ValueError: when there are fewer than two haplotypes.
        """
        if self.num_haplotypes < 2:
            raise ValueError("diversity needs at least two haplotypes, seen 1")
        ancestral = np.count_nonzero(self.haplotypes == 0, axis=1)
        derived = np.count_nonzero(self.haplotypes == 1, axis=1)
        seen = ancestral + derived
        pairs = np.maximum(seen * (seen - 1) / 2, 1)
        return float(np.sum(ancestral * derived / pairs) / self.accessible_length)

    def subset(self, haplotype_indices: Sequence[int] | np.ndarray) -> "Genotypes":
        """Keep the chosen haplotypes, in the order given; every site stays.

        Whole individuals keep their names and ploidy. Otherwise every haplotype becomes an
        individual of its own, named `name.k` for the `k`-th haplotype of `name`.

        Args:
            haplotype_indices: distinct indices into the haplotypes.

        Returns:
            The genotypes of the chosen haplotypes.

        Raises:
            ValueError: when an index is out of range or repeated, or none is given.
        """
        indices = np.asarray(haplotype_indices, dtype=np.int64)
        outside = (indices < 0) | (indices >= self.num_haplotypes)
        if indices.size == 0 or outside.any() or np.unique(indices).size < indices.size:
            raise ValueError(
                f"haplotype_indices must be distinct and from 0 to {self.num_haplotypes - 1}, "
                f"at least one of them; seen {indices.tolist()}"
            )
        individuals = _whole_individuals(indices, self.ploidy)
        if individuals is None:
            owners = [(self.sample_names[h // self.ploidy], h % self.ploidy) for h in indices]
            names, ploidy = tuple(f"{name}.{k}" for name, k in owners), 1
        else:
            names, ploidy = tuple(self.sample_names[i] for i in individuals), self.ploidy
        return replace(
            self, haplotypes=self.haplotypes[:, indices], sample_names=names, ploidy=ploidy
        )


def _whole_numbers(values: np.ndarray, name: str) -> np.ndarray:
    values = np.asarray(values)
    if values.size and not np.array_equal(values, np.floor(values)):
        raise ValueError(f"{name} must be whole numbers; round them before building Genotypes")
    return values


def _one_per_site(alleles: Sequence[str] | None, default: str, num_sites: int) -> tuple[str, ...]:
    return (default,) * num_sites if alleles is None else tuple(alleles)


def _whole_individuals(indices: np.ndarray, ploidy: int) -> np.ndarray | None:
    if indices.size % ploidy:
        return None
    grouped = indices.reshape(-1, ploidy)
    individuals = grouped[:, 0] // ploidy
    expected = individuals[:, None] * ploidy + np.arange(ploidy)[None, :]
    return individuals if np.array_equal(grouped, expected) else None


def _check_region(start: int, end: int) -> None:
    if not 0 <= start < end:
        raise ValueError(f"the region must have 0 <= start < end, seen start {start}, end {end}")


def _check_shapes(genotypes: Genotypes) -> None:
    haplotypes, positions = genotypes.haplotypes, genotypes.positions
    if haplotypes.ndim != 2 or haplotypes.dtype != np.int8:
        raise ValueError(
            "haplotypes must be an int8 array, sites x haplotypes; "
            f"seen {haplotypes.dtype} of shape {haplotypes.shape}"
        )
    if positions.shape != haplotypes.shape[:1] or positions.dtype != np.int64:
        raise ValueError(
            f"positions must be an int64 array of {haplotypes.shape[0]} sites; "
            f"seen {positions.dtype} of shape {positions.shape}"
        )
    for name in ("ancestral_alleles", "derived_alleles"):
        if len(getattr(genotypes, name)) != haplotypes.shape[0]:
            raise ValueError(
                f"{name} must name one allele for each of {haplotypes.shape[0]} sites; "
                f"seen {len(getattr(genotypes, name))}"
            )


def _check_samples(genotypes: Genotypes) -> None:
    names, ploidy = genotypes.sample_names, genotypes.ploidy
    if ploidy < 1:
        raise ValueError(f"ploidy must be at least 1, seen {ploidy}")
    if not names or len(names) * ploidy != genotypes.haplotypes.shape[1]:
        raise ValueError(
            f"{len(names)} individuals of ploidy {ploidy} have {len(names) * ploidy} haplotypes; "
            f"seen {genotypes.haplotypes.shape[1]}"
        )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(f"sample names must be unique; {repeated[0]!r} is repeated")


def _check_positions(positions: np.ndarray, start: int, end: int) -> None:
    outside = np.flatnonzero((positions < start) | (positions >= end))
    if outside.size:
        site = outside[0]
        raise ValueError(f"site {site} at {positions[site]} is outside the region [{start}, {end})")
    unordered = np.flatnonzero(np.diff(positions) <= 0)
    if unordered.size:
        site = unordered[0] + 1
        raise ValueError(
            f"positions must be strictly increasing; site {site} at {positions[site]} "
            f"follows {positions[site - 1]}"
        )


def _check_accessible(accessible: np.ndarray, start: int, end: int) -> None:
    if accessible.ndim != 2 or accessible.shape[1] != 2 or accessible.dtype != np.int64:
        raise ValueError(
            "accessible must be an int64 array, intervals x 2; "
            f"seen {accessible.dtype} of shape {accessible.shape}"
        )
    if not len(accessible):
        raise ValueError("accessible must hold at least one interval")
    left, right = accessible[:, 0], accessible[:, 1]
    previous = np.concatenate([[start], right[:-1]])
    wrong = np.flatnonzero((left >= right) | (left < previous) | (right > end))
    if wrong.size:
        raise ValueError(
            f"accessible intervals must be sorted, disjoint and inside [{start}, {end}); "
            f"seen {accessible[wrong[0]].tolist()} as interval {wrong[0]}"
        )


def _check_sites(genotypes: Genotypes) -> None:
    haplotypes, positions = genotypes.haplotypes, genotypes.positions
    wrong = np.flatnonzero(np.any((haplotypes < MISSING) | (haplotypes > 1), axis=1))
    if wrong.size:
        raise ValueError(
            f"alleles must be 0 ancestral, 1 derived or -1 missing; "
            f"site {wrong[0]} at {positions[wrong[0]]} holds {np.unique(haplotypes[wrong[0]])}"
        )
    interval = np.searchsorted(genotypes.accessible[:, 0], positions, side="right") - 1
    inside = (interval >= 0) & (positions < genotypes.accessible[interval, 1])
    if not inside.all():
        site = np.flatnonzero(~inside)[0]
        raise ValueError(
            f"site {site} at {positions[site]} is not in an accessible interval; drop it"
        )
    alleles = zip(genotypes.ancestral_alleles, genotypes.derived_alleles, strict=True)
    for site, (ancestral, derived) in enumerate(alleles):
        if ancestral == derived:
            raise ValueError(
                f"site {site} at {positions[site]} has {ancestral!r} "
                "as its ancestral and as its derived allele"
            )
