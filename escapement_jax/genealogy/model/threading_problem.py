"""From genotypes and settings to the arrays and the model that threading works on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from escapement_jax.config.genealogy import InferConfig
from escapement_jax.genealogy.genome.genome_bins import (
    GenomeBins,
    GenomeChunk,
    bin_edges,
    make_bins,
    make_chunks,
)
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.rate_map import RateMap
from escapement_jax.genealogy.genome.time_grid import TimeGrid
from escapement_jax.genealogy.model.mutation_model import mutation_model
from escapement_jax.genealogy.model.threading_model import ThreadingModel, threading_model

BINS_PER_CHUNK = 512
_CAPACITY_STEP = 32


@dataclass(frozen=True)
class ThreadingProblem:
    """Everything that is fixed during an inference.

    Attributes:
        grid: time levels.
        bins: the genome in bins, on the host.
        chunks: the same in equal chunks, on the device.
        model: the law of graphs and data.
        population_size: diploid N_e that the model is told.
        capacity: initial number of records that a chunk can hold.
        warnings: what a reader of the result should know.
    """

    grid: TimeGrid
    bins: GenomeBins
    chunks: Sequence[GenomeChunk]
    model: ThreadingModel
    population_size: float
    capacity: int
    warnings: tuple[str, ...]

    @property
    def num_haplotypes(self) -> int:
        """Number of haplotypes."""
        return self.bins.genotypes.shape[1]


def expected_tree_length(num_haplotypes: int, population_size: float) -> float:
    """Expected total branch length of a tree, `4 N_e sum_{i<n} 1 / i`, generations.

    Source:
        Watterson (1975), Theoretical Population Biology 7, 256-276.
    """
    return 4 * population_size * float((1 / np.arange(1, num_haplotypes)).sum())


def threading_problem(
    genotypes: Genotypes,
    config: InferConfig,
    mutation_map: RateMap | None = None,
    recombination_map: RateMap | None = None,
    *,
    recombination_factor: float = 1.0,
) -> ThreadingProblem:
    """Set up an inference.

    Without a population size in the settings, N_e is the one that explains the diversity,
    `pi = 4 N_e mu`.

    Args:
        genotypes: the data.
        config: settings.
        mutation_map: mutation rate along the genome, in place of the one in the settings.
        recombination_map: recombination rate along the genome, likewise.
        recombination_factor: bins are fine enough, and chunks roomy enough, for this many times
            the recombination that is told.

    Raises:
        ValueError: fewer than two haplotypes, no site, no rate, a map that does not cover the
            region or does not let a site mutate, or no diversity to estimate N_e from.
    """
    if genotypes.num_haplotypes < 2:
        raise ValueError(
            f"need at least two haplotypes, got {genotypes.num_haplotypes}; "
            "a genealogy relates genomes"
        )
    if genotypes.num_sites == 0:
        raise ValueError("no site to infer from; choose a region with segregating sites")
    mutation = _rate_map(genotypes, "mutation", config.mutation_rate, mutation_map)
    recombination = _rate_map(
        genotypes, "recombination", config.recombination_rate, recombination_map
    )
    size = float(config.population_size or _size_from_diversity(genotypes, mutation))
    grid = TimeGrid.for_population_size(config.time_levels, size)
    length = expected_tree_length(genotypes.num_haplotypes, size)
    # A map of `f` times the rate splits and fills bins as a tree of `f` times the length does.
    crossed = recombination_factor * length
    bins = _checked_bins(genotypes, mutation, recombination, config.bin_width, crossed)
    errs = config.genotype_error > 0 or config.learn_genotype_error
    hazards = np.asarray(PiecewiseConstant.constant(size).level_intensities(grid), dtype=np.float64)
    return ThreadingProblem(
        grid=grid,
        bins=bins,
        chunks=make_chunks(bins, BINS_PER_CHUNK),
        model=threading_model(
            np.asarray(grid.times),
            hazards,
            genotypes.num_haplotypes,
            mutation_model(config.ancestral_misassignment, config.genotype_error),
            _unseen_length(genotypes.num_haplotypes, size) if errs else None,
        ),
        population_size=size,
        capacity=_capacity(bins, crossed),
        warnings=_warnings(bins, length),
    )


def _checked_bins(
    genotypes: Genotypes,
    mutation: RateMap,
    recombination: RateMap,
    width: int,
    expected_tree_length: float,
) -> GenomeBins:
    edges = bin_edges(
        genotypes.start,
        genotypes.end,
        genotypes.positions,
        recombination,
        width=width,
        expected_tree_length=expected_tree_length,
    )
    bins = make_bins(genotypes, edges, mutation=mutation, recombination=recombination)
    still = np.flatnonzero(bins.site_mutation <= 0)
    if still.size:
        raise ValueError(
            f"the mutation rate is 0 at site {genotypes.positions[still[0]]}, which varies; "
            "correct the mutation map or mask the site"
        )
    return bins


def _unseen_length(num_haplotypes: int, population_size: float) -> np.ndarray:
    lengths = [expected_tree_length(count, population_size) for count in range(num_haplotypes + 1)]
    return lengths[-1] - np.array(lengths)


def _rate_map(
    genotypes: Genotypes, name: str, rate: float | None, given: RateMap | None
) -> RateMap:
    if given is not None:
        given.require_cover(genotypes.start, genotypes.end, f"{name} map")
        return given
    if rate is None:
        raise ValueError(f"the {name} rate is unknown; give {name}_rate or a {name} map")
    return RateMap.constant(rate, genotypes.start, genotypes.end)


def _size_from_diversity(genotypes: Genotypes, mutation: RateMap) -> float:
    rate = mutation.mean_rate(genotypes.start, genotypes.end)
    size = genotypes.diversity() / (4 * rate) if rate > 0 else np.nan
    if not np.isfinite(size) or size <= 0:
        raise ValueError(
            f"cannot estimate N_e from a diversity of {genotypes.diversity():g} and a mutation "
            f"rate of {rate:g}; give population_size"
        )
    return float(size)


def _capacity(bins: GenomeBins, tree_length: float) -> int:
    """Records expected in the busiest chunk, with room for chance and for longer trees."""
    starts = np.arange(0, bins.num_bins, BINS_PER_CHUNK)
    crossings = np.minimum(bins.recombination * tree_length, 1.0)
    most = 1.2 * np.add.reduceat(crossings, starts).max()
    needed = most + 6 * np.sqrt(most) + 8
    return int(min(np.ceil(needed / _CAPACITY_STEP) * _CAPACITY_STEP, BINS_PER_CHUNK))


def _warnings(bins: GenomeBins, tree_length: float) -> tuple[str, ...]:
    crossings = bins.recombination * tree_length
    crowded = int((crossings > 0.5).sum())
    if not crowded:
        return ()
    return (
        f"{crowded} of {bins.num_bins} bin boundaries expect more than 0.5 recombinations; "
        "at most one is modelled at each: times near them are less certain than stated",
    )
