"""Posterior predictive checks: do genomes made anew on the drawn genealogies look like the data?

From every draw mutations are thrown anew (`simulated_mutations`), and three statistics of the
genomes so made are laid beside those of the data: diversity along the genome, the spectrum of minor
allele counts, and linkage disequilibrium by distance. None depends on which allele is ancestral.

A check compares a whole curve `x_1..x_k` at once. With mean `m_j` and standard deviation `s_j` over
the replicates, the distance of a curve is `max_j |x_j - m_j| / s_j`. The p-value is the share of
replicates at least as distant as the data; the band that 99 % of the replicates do not leave is
`m_j +- c s_j`, with `c` the 99 % quantile of their distance. The draws have seen the data, which
makes such p-values larger than uniform ones: a small one is a warning, a large one is no proof.

References:
    Gelman, Meng and Stern (1996), Posterior predictive assessment of model fitness via realized
    discrepancies, Statistica Sinica 6:733.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from escapement_jax.genealogy.diagnostics.simulated_mutations import (
    accessible_rate,
    simulate_genotypes,
)
from escapement_jax.genealogy.diagnostics.variation_statistics import (
    linkage_by_distance,
    minor_allele_spectrum,
    windowed_diversity,
)
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.rate_map import RateMap
from escapement_jax.genealogy.posterior import Posterior

STATISTICS = {
    "diversity": windowed_diversity,
    "frequency spectrum": minor_allele_spectrum,
    "linkage disequilibrium": linkage_by_distance,
}
"""The curves that are compared, by name."""

NUM_REPLICATES = 400
NUM_WINDOWS = 20
NUM_CLASSES = 20
NUM_DISTANCES = 10
SHORTEST_DISTANCE = 100.0
BAND = 0.99
SMALLEST_PRESENCE = 0.9


@dataclass(frozen=True)
class PredictiveCheck:
    """One statistic of the data beside the same of genomes made anew.

    Attributes:
        name: What is compared, such as "diversity".
        edges: Edges of the windows, classes or distances, float64 [bins + 1].
        observed: Statistic of the data, float64 [bins]; NaN where the data have none.
        mean: Mean over replicates.
        lower: Lower end of the simultaneous 99 % band.
        upper: Upper end of the band.
        p_value: Share of the replicates at least as far from the mean curve as the data.
        num_replicates: Number of replicates.
    """

    name: str
    edges: np.ndarray
    observed: np.ndarray
    mean: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    p_value: float
    num_replicates: int

    @property
    def passed(self) -> bool:
        """Whether the data stay within the 99 % band."""
        return not ((self.observed < self.lower) | (self.observed > self.upper)).any()

    @property
    def warning(self) -> str:
        """What to tell if the check fails."""
        outside = (self.observed < self.lower) | (self.observed > self.upper)
        return (
            f"the genomes leave the 99 % band of the posterior predictive {self.name} in "
            f"{outside.sum()} of {len(outside)} places (p = {self.p_value:.3f}): the model does "
            "not explain them there; look at figures/predictive_checks.png"
        )


def predictive_checks(
    posterior: Posterior,
    mutation: RateMap,
    *,
    genotype_error: float = 0.0,
    num_replicates: int = NUM_REPLICATES,
) -> tuple[PredictiveCheck, ...]:
    """Compare the data with genomes made anew on the draws: diversity, spectrum and linkage.

    Accessible bases, missing genotypes and genotype errors of the data are those of the replicates.

    Args:
        posterior: The result of an inference.
        mutation: Mutation rate per base pair per generation.
        genotype_error: Probability that a called allele is wrong.
        num_replicates: Number of genomes made, the draws in turn.
    """
    data = posterior.genotypes
    edges = bin_edges(data)
    rate = accessible_rate(mutation, data)
    generator = np.random.default_rng([posterior.seed, 1])
    replicates = []
    for index in range(num_replicates):
        tree_sequence = posterior.tree_sequences[index % posterior.num_draws]
        genotypes = simulate_genotypes(
            tree_sequence, rate, data, generator, genotype_error=genotype_error
        )
        replicates.append(statistics(genotypes, edges))
    observed = statistics(data, edges)
    return tuple(
        compare(name, edges[name], observed[name], np.array([one[name] for one in replicates]))
        for name in STATISTICS
    )


def statistics(genotypes: Genotypes, edges: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return every curve of `STATISTICS` of some genotypes, by name.

    Args:
        genotypes: The data or a replicate.
        edges: Edges of the bins of each curve.
    """
    return {name: statistic(genotypes, edges[name]) for name, statistic in STATISTICS.items()}


def bin_edges(genotypes: Genotypes) -> dict[str, np.ndarray]:
    """Choose windows, classes and distances for a region, by the name of the curve.

    Args:
        genotypes: The data.
    """
    largest = genotypes.num_haplotypes // 2
    classes = np.arange(1, largest + 2)
    if largest > NUM_CLASSES:
        classes = np.unique(np.round(np.geomspace(1, largest + 1, NUM_CLASSES + 1)))
    # Neighbouring sites are about this far apart: shorter bins would often be empty.
    spacing = max(SHORTEST_DISTANCE, genotypes.length / max(genotypes.num_sites, 1))
    shortest = min(spacing, genotypes.length / 4)
    distances = np.geomspace(shortest, genotypes.length / 2, NUM_DISTANCES)
    return {
        "diversity": np.linspace(genotypes.start, genotypes.end, NUM_WINDOWS + 1),
        "frequency spectrum": classes - 0.5,
        "linkage disequilibrium": np.concatenate([[1.0], distances]),
    }


def compare(
    name: str, edges: np.ndarray, observed: np.ndarray, replicated: np.ndarray
) -> PredictiveCheck:
    """Lay a curve of the data beside curves of replicates.

    Bins that are empty (NaN) in the data, or in more than one replicate in ten, say nothing and
    have an infinite band; a replicate is compared in the bins that it has.

    Args:
        name: What is compared.
        edges: Edges of the bins.
        observed: Curve of the data, NaN where it has none [bins].
        replicated: Curves of the replicates [replicates, bins].
    """
    present = np.isfinite(replicated).mean(axis=0)
    known = np.isfinite(observed) & (present >= SMALLEST_PRESENCE)
    mean, width = np.full((2, len(observed)), np.nan)
    curves = np.concatenate([observed[None], replicated])[:, known]
    mean[known] = np.nanmean(curves[1:], axis=0)
    # Where all replicates agree, the data do or are as far as can be.
    spread = np.maximum(np.nanstd(curves[1:], axis=0, ddof=1), np.finfo(np.float64).tiny)
    far = np.nan_to_num(np.abs(curves - mean[known]) / spread).max(axis=1, initial=0.0)
    width[known] = np.quantile(far[1:], BAND, method="higher") * spread
    return PredictiveCheck(
        name=name,
        edges=edges,
        observed=np.where(known, observed, np.nan),
        mean=mean,
        lower=np.where(known, mean - width, -np.inf),
        upper=np.where(known, mean + width, np.inf),
        p_value=float((1 + (far[1:] >= far[0]).sum()) / len(far)),
        num_replicates=len(replicated),
    )
