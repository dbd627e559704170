"""The sieve that turns the variant records of any file into genotypes.

A record is dropped, and counted, for the first of these reasons that applies:

- `outside_region`: on another contig, or outside the bounds asked for;
- `inaccessible`: not in an accessible interval of the mask;
- `multiallelic`: more than one alternative allele is listed;
- `not_snp`: an allele is not a single base;
- `duplicate_position`: a site at this position was already kept;
- `not_segregating`: the chosen samples show fewer than two alleles;
- `unknown_ancestral_allele`: the annotation is absent or names neither allele.

A variant that is there but cannot be used (`multiallelic`, `not_snp`, `unknown_ancestral_allele`)
is no invariant base either: its position is taken out of the accessible bases, so that it enters
neither the likelihood nor the diversity.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from escapement_jax.genealogy.genome.genotypes import MISSING, Genotypes
from escapement_jax.io.accessibility_mask import clip_intervals, without_positions
from escapement_jax.io.regions import Region, list_contigs, require_contig
from escapement_jax.io.variant_records import VariantRecord, VariantSource, read_haplotypes

# Simulated tree sequences may code the ancestral and derived state as 0 and 1.
_ALPHABETS = (frozenset("ACGT"), frozenset("01"))
_HIDDEN_REASONS = ("multiallelic", "not_snp", "unknown_ancestral_allele")


def require_ancestral(ancestral: str | None, source: str) -> str:
    """Refuse an unsaid or unknown rule for the ancestral allele.

    Args:
        ancestral: "ref", "major" or "info:KEY".
        source: the file, for the message.

    Returns:
        The rule.

    Raises:
        ValueError: when the rule is none of the three.
    """
    if ancestral is not None:
        if ancestral in ("ref", "major") or annotation_key(ancestral):
            return ancestral
    seen = "nothing was said" if ancestral is None else f"seen {ancestral!r}"
    raise ValueError(
        f'{source}: say which allele is ancestral: "info:AA" (or another INFO key), "ref" or '
        f'"major"; {seen}'
    )


def annotation_key(ancestral: str) -> str | None:
    """Return the KEY of "info:KEY", or `None` for another rule."""
    prefix, _, key = ancestral.partition(":")
    return key if prefix == "info" and key else None


def sieve_variants(
    records: Iterable[VariantRecord],
    source: VariantSource,
    *,
    ancestral: str,
    region: Region | None = None,
    mask: Mapping[str, np.ndarray] | None = None,
) -> Genotypes:
    """Keep the usable sites of a file, polarised, and count the others by reason.

    Missing calls stay missing. Without bounds the region is `[0, contig length)` when the kept
    sites span more than half of it, and otherwise runs from the first kept site to the last.

    Args:
        records: the records in order of position.
        source: the file.
        ancestral: "ref", "major" (among the chosen samples, a tie goes to the reference allele),
            or "info:KEY" (the first field of the annotation, before any "|").
        region: the contig, or the stretch of it, to keep; `None` for a file of one contig.
        mask: accessible intervals of each contig; `None` if every base is accessible.

    Returns:
        The genotypes.

    Raises:
        ValueError: when a kept record is unphased and heterozygous, ploidy changes, positions are
            out of order, there is more than one contig and no region, the region leaves the
            contig, the mask does not cover the region, or no usable site is left. The message
            names the file and the record.
    """
    records = iter(records)
    several_allowed = region is not None
    if region is None:
        first = next(records, None)
        if first is None:
            raise ValueError(f"{source.name}: the file holds no records")
        records = chain([first], records)
        region = Region(first.contig)
    _check_region(region, source)
    accessible = None if mask is None else _accessible_on(region, mask, source)
    sieve = _Sieve(source, region, several_allowed, accessible, ancestral)
    for record in records:
        reason = sieve.offer(record)
        if reason is not None:
            sieve.dropped[reason] += 1
        if reason in _HIDDEN_REASONS:
            sieve.hidden.append(record.position)
    return sieve.genotypes()


@dataclass(frozen=True)
class _Site:
    position: int
    haplotypes: np.ndarray
    ancestral: str
    derived: str


@dataclass
class _Sieve:
    source: VariantSource
    region: Region
    several_contigs_allowed: bool
    accessible: np.ndarray | None
    ancestral: str
    last_position: int = -1
    ploidy: int | None = None
    sites: list[_Site] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    hidden: list[int] = field(default_factory=list)

    def offer(self, record: VariantRecord) -> str | None:
        """Keep the record and return `None`, or return the reason to drop it."""
        alleles = tuple(allele.upper() for allele in record.alleles)
        reason = self._reason_of_place(record) or _reason_of_alleles(alleles)
        if reason is not None:
            return reason
        if self.sites and self.sites[-1].position == record.position:
            return "duplicate_position"
        haplotypes, self.ploidy = read_haplotypes(record, self.source, self.ploidy)
        if haplotypes is None or not ((haplotypes == 0).any() and (haplotypes == 1).any()):
            return "not_segregating"
        ancestral = _ancestral_index(self.ancestral, record, alleles, haplotypes)
        if ancestral is None:
            return "unknown_ancestral_allele"
        if ancestral == 1:
            haplotypes = np.where(haplotypes == MISSING, haplotypes, 1 - haplotypes)
        self.sites.append(
            _Site(record.position, haplotypes, alleles[ancestral], alleles[1 - ancestral])
        )
        return None

    def genotypes(self) -> Genotypes:
        """Assemble what was kept."""
        if not self.sites or self.ploidy is None:
            raise ValueError(self._nothing_left())
        positions = np.array([site.position for site in self.sites], dtype=np.int64)
        start, end = _bounds(self.region, positions, self.source)
        accessible = np.array([[start, end]]) if self.accessible is None else self.accessible
        return Genotypes(
            haplotypes=np.stack([site.haplotypes for site in self.sites]),
            positions=positions,
            start=start,
            end=end,
            contig=self.region.contig,
            sample_names=self.source.sample_names,
            ploidy=self.ploidy,
            ancestral_alleles=tuple(site.ancestral for site in self.sites),
            derived_alleles=tuple(site.derived for site in self.sites),
            accessible=without_positions(
                clip_intervals(accessible, start, end), np.setdiff1d(self.hidden, positions)
            ),
            sites_dropped=dict(self.dropped),
        )

    def _reason_of_place(self, record: VariantRecord) -> str | None:
        if record.contig != self.region.contig:
            if not self.several_contigs_allowed:
                known = [*self.source.contig_lengths, self.region.contig, record.contig]
                raise ValueError(
                    f"{self.source.name}: records of more than one contig, starting with "
                    f"{self.region.contig!r} and {record.contig!r}; give a region on one of "
                    f"{list_contigs(dict.fromkeys(known))}"
                )
            return "outside_region"
        if record.position < self.last_position:
            raise ValueError(
                f"{self.source.name}: positions are out of order; record {record} follows "
                f"{record.contig}:{self.last_position + 1}; sort the file"
            )
        self.last_position = record.position
        if not self.region.contains(record.contig, record.position):
            return "outside_region"
        return None if self._is_accessible(record.position) else "inaccessible"

    def _is_accessible(self, position: int) -> bool:
        if self.accessible is None:
            return True
        interval = int(np.searchsorted(self.accessible[:, 0], position, side="right")) - 1
        return interval >= 0 and position < int(self.accessible[interval, 1])

    def _nothing_left(self) -> str:
        counts = ", ".join(f"{reason} {count}" for reason, count in self.dropped.items())
        return (
            f"{self.source.name}: no usable site is left in {self.region} for the "
            f"{len(self.source.sample_names)} chosen samples; "
            f"dropped: {counts or 'none, there is no record'}"
        )


def _check_region(region: Region, source: VariantSource) -> None:
    if source.contig_lengths:
        require_contig(region.contig, source.contig_lengths, source.name)
    length = source.contig_lengths.get(region.contig)
    if length is not None and region.end is not None and region.end > length:
        raise ValueError(
            f"{source.name}: region {region} goes beyond the end of contig {region.contig!r}, "
            f"which has {length} base pairs"
        )


def _accessible_on(
    region: Region, mask: Mapping[str, np.ndarray], source: VariantSource
) -> np.ndarray:
    name = f"accessibility mask for {source.name}"
    require_contig(region.contig, mask, name)
    accessible = mask[region.contig]
    if region.start is not None and region.end is not None:
        if not len(clip_intervals(accessible, region.start, region.end)):
            raise ValueError(f"{name}: no accessible base in region {region}")
    return accessible


def _reason_of_alleles(alleles: tuple[str, ...]) -> str | None:
    if len(alleles) > 2:
        return "multiallelic"
    if not any(alphabet.issuperset(alleles) for alphabet in _ALPHABETS):
        return "not_snp"
    return "not_segregating" if len(alleles) < 2 else None


def _ancestral_index(
    rule: str, record: VariantRecord, alleles: tuple[str, ...], haplotypes: np.ndarray
) -> int | None:
    if rule == "ref":
        return 0
    if rule == "major":
        return int(np.count_nonzero(haplotypes == 1) > np.count_nonzero(haplotypes == 0))
    annotation = (record.ancestral_annotation or "").partition("|")[0].strip().upper()
    return alleles.index(annotation) if annotation in alleles else None


def _bounds(region: Region, positions: np.ndarray, source: VariantSource) -> tuple[int, int]:
    if region.start is not None and region.end is not None:
        return region.start, region.end
    first, last = int(positions[0]), int(positions[-1])
    length = source.contig_lengths.get(region.contig)
    if length is not None and 2 * (last + 1 - first) > length:
        # A record beyond the declared length would be outside: Genotypes refuses it by name.
        return 0, length
    return first, last + 1
