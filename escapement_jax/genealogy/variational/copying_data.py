"""The data and rates of a genome from which a copying model of any population size is built."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.genealogy.copying.copying_model import CopyingModel, copying_model
from escapement_jax.genealogy.copying.copying_tables import PairCounts
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.rate_map import RateMap
from escapement_jax.genealogy.genome.time_grid import TimeGrid


class CopyingData(eqx.Module):
    """Bins of a genome, in the sequential order of haplotypes.

    Attributes:
        counts: what pairs show in each bin.
        mutation_rate: allele changes per base pair and generation in each bin.
        recombination_distance: expected recombinations per generation on the way into each bin.
        genotype_error: probability that a called allele is the other one.
    """

    counts: PairCounts
    mutation_rate: Float[Array, "*windows bins"]
    recombination_distance: Float[Array, "*windows bins"]
    genotype_error: float = eqx.field(static=True, default=0.0)

    @classmethod
    def from_genotypes(
        cls,
        genotypes: Genotypes,
        edges: np.ndarray,
        *,
        mutation: RateMap,
        recombination: RateMap,
        genotype_error: float = 0.0,
    ) -> "CopyingData":
        """Count what pairs show in bins, which may hold several sites.

        Args:
            genotypes: the data; bases that are not accessible say nothing.
            edges: of the bins, base pairs, from the region's start to its end.
            mutation: rate along the region, positive.
            recombination: rate along the region.
            genotype_error: probability that a called allele is the other one.
        """
        site_bin = np.searchsorted(edges, genotypes.positions, side="right") - 1
        bases = np.zeros(len(edges) - 1)
        for left, right in genotypes.accessible:
            bases += np.diff(np.clip(edges, left, right))
        np.subtract.at(bases, site_bin, 1.0)
        middles = (edges[:-1] + edges[1:]) / 2
        crossed = np.diff(recombination.cumulative(middles), prepend=0.0)
        crossed[0] = 0.0
        rate = np.diff(mutation.cumulative(edges)) / np.diff(edges)
        return cls(
            counts=PairCounts.from_haplotypes(
                genotypes.haplotypes, site_bin, np.maximum(bases, 0.0)
            ),
            mutation_rate=jnp.asarray(rate, dtype=float),
            recombination_distance=jnp.asarray(crossed, dtype=float),
            genotype_error=genotype_error,
        )

    def model(self, population_size: PiecewiseConstant, grid: TimeGrid) -> CopyingModel:
        """Build the copying model; differentiable in the population sizes."""
        return copying_model(
            self.counts.observed.shape[-1],
            population_size,
            grid,
            mutation_rate=self.mutation_rate,
            recombination_distance=self.recombination_distance,
            genotype_error=self.genotype_error,
        )

    def part(self, start: int, size: int) -> "CopyingData":
        """Return consecutive bins; those beyond the end hold no data and no recombination."""

        def cut(values: Array, fill: float = 0.0) -> Array:
            here = values[start : start + size]
            widths = [(0, size - here.shape[0])] + [(0, 0)] * (here.ndim - 1)
            return jnp.pad(here, widths, constant_values=fill)

        rate = cut(self.mutation_rate, float(np.asarray(self.mutation_rate).mean()))
        counts = jax.tree.map(cut, self.counts)
        crossed = cut(self.recombination_distance)
        return CopyingData(counts, rate, crossed, self.genotype_error)
