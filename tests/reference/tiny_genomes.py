"""Tiny genomes, told to the package and to the enumeration oracle alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from escapement_jax.genealogy.genome.genome_bins import GenomeBins, GenomeChunk, make_chunks
from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.mutation_model import mutation_model
from escapement_jax.genealogy.model.threading_model import ThreadingModel, threading_model
from tests.reference.enumerated_graphs import (
    EnumeratedData,
    EnumeratedModel,
    Tree,
    level_matrix,
)

TIMES = np.array([0.25, 0.9, 1.8, 3.0]) * 1e4
EDGES = np.array([0.0, 0.5, 1.3, 2.5]) * 1e4
SIZES = np.array([1e4, 5e3, 2e4, 1e4])
DERIVED_ROOT = 0.2


@dataclass(frozen=True, eq=False)
class TinyGenome:
    """Random data on a few bins, with rates of their own, one bin without a site.

    One boundary recombines so much that the cap on its probability is reached.
    """

    num_haplotypes: int
    num_levels: int
    num_bins: int
    genotype_error: float
    seed: int
    missing: float = 0.2

    @cached_property
    def oracle(self) -> EnumeratedModel:
        """All trees on the grid."""
        grid = [values[: self.num_levels] for values in (TIMES, EDGES, SIZES)]
        return EnumeratedModel(
            self.num_haplotypes,
            *grid,
            root_derived_probability=DERIVED_ROOT,
            genotype_error=self.genotype_error,
        )

    @cached_property
    def bins(self) -> GenomeBins:
        """The data as the package sees them."""
        rng = np.random.default_rng(self.seed)
        recombination = rng.uniform(2e-6, 2e-5, self.num_bins)
        recombination[0], recombination[2] = 0.0, 1e-4
        site_bin = np.delete(np.arange(self.num_bins), 1)
        shape = (site_bin.size, self.num_haplotypes)
        genotypes = rng.integers(0, 2, shape)
        genotypes[rng.random(shape) < self.missing] = -1
        return GenomeBins(
            edges=np.arange(self.num_bins + 1.0),
            recombination=recombination,
            invariant_mutation=rng.uniform(0, 4e-5, self.num_bins),
            site_bin=site_bin,
            site_mutation=rng.uniform(0.5e-5, 2e-5, site_bin.size),
            genotypes=genotypes.astype(np.int8),
        )

    @cached_property
    def data(self) -> EnumeratedData:
        """The data as the oracle sees them."""
        bins = self.bins
        return EnumeratedData(
            invariant_rate=bins.invariant_mutation,
            recombination=bins.recombination,
            haplotypes=bins.genotypes,
            site_bin=bins.site_bin,
            site_mutation_rate=bins.site_mutation,
        )

    @cached_property
    def chunks(self) -> list[GenomeChunk]:
        """The genome in chunks of two bins."""
        return list(make_chunks(self.bins, 2))

    @cached_property
    def model(self) -> ThreadingModel:
        """The law as the package states it."""
        edges, sizes = EDGES[: self.num_levels], SIZES[: self.num_levels]
        intensities = np.append(np.diff(edges) / (2 * sizes[:-1]), np.inf)
        mutation = mutation_model(DERIVED_ROOT, self.genotype_error)
        return threading_model(TIMES[: self.num_levels], intensities, self.num_haplotypes, mutation)

    @cached_property
    def tree_numbers(self) -> dict[bytes, int]:
        """Number in the oracle of every tree, by its level matrix."""
        return {level_matrix(tree).tobytes(): i for i, tree in enumerate(self.oracle.trees)}


def block(tree: Tree, level: int, member: int) -> frozenset[int]:
    """The lineage of a haplotype that enters a level."""
    return next(block for block in tree[level] if member in block)


def tree_per_bin(draw: GraphDraw, num_bins: int) -> np.ndarray:
    """Level matrix of every bin."""
    return draw.trees[draw.segment_of_bin(np.arange(num_bins))]


def chunked_graphs(
    draws: Sequence[GraphDraw],
    present: np.ndarray,
    num_bins: int,
    bins_per_chunk: int,
    capacity: int,
) -> list[RecombinationGraph]:
    """Cut draws into batches of graphs, one per chunk of bins: what `graph_draws` undoes."""
    present = jnp.asarray(present)
    cut = [_chunks_of(draw, present, num_bins, bins_per_chunk, capacity) for draw in draws]
    return [
        jax.tree.map(lambda *leaves: jnp.stack(leaves), *batch) for batch in zip(*cut, strict=True)
    ]


def _chunks_of(
    draw: GraphDraw, present: jax.Array, num_bins: int, bins_per_chunk: int, capacity: int
) -> list[RecombinationGraph]:
    starts = np.arange(0, num_bins, bins_per_chunk)
    moved = np.full(starts.size * bins_per_chunk, -1, np.int32)
    cut_level = np.zeros_like(moved)
    moved[draw.first_bin[1:]] = draw.moved[1:]
    cut_level[draw.first_bin[1:]] = draw.cut_level[1:]
    chunks = []
    for start in starts:
        stop = start + bins_per_chunk
        entering, last = draw.segment_of_bin(np.array([max(start - 1, 0), stop - 1]))
        segments = np.minimum(entering + np.arange(capacity + 1), last)
        chunks.append(
            RecombinationGraph(
                trees=jnp.asarray(draw.trees[segments]),
                moved=jnp.asarray(moved[start:stop]),
                cut_level=jnp.asarray(cut_level[start:stop]),
                present=present,
            )
        )
    return chunks
