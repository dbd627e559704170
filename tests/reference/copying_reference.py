"""The copying model of one haplotype spelled out slowly: matrices and sums over paths."""

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.integrate


@dataclass(frozen=True)
class Mosaic:
    """The chain of one haplotype over the states (parent, level), parents outermost."""

    parent_prior: np.ndarray  # [parents]
    entry: np.ndarray  # [levels]
    reattachment: np.ndarray  # [levels, levels]
    recombination: np.ndarray  # [bins, levels]
    emission: np.ndarray  # [bins, parents, levels]

    @property
    def num_bins(self) -> int:
        return self.emission.shape[0]

    def initial(self) -> np.ndarray:
        return np.outer(self.parent_prior, self.entry).ravel()

    def transition(self, bin_index: int) -> np.ndarray:
        """Matrix of the move into a bin."""
        ends = np.tile(self.recombination[bin_index], len(self.parent_prior))
        landing = [
            np.outer(self.parent_prior, self.reattachment[level]).ravel()
            for _ in self.parent_prior
            for level in range(len(self.entry))
        ]
        return np.diag(1 - ends) + ends[:, None] * np.array(landing)

    def emissions(self) -> np.ndarray:
        return self.emission.reshape(self.num_bins, -1)


def log_evidence_by_matrices(mosaic: Mosaic) -> float:
    weights = mosaic.initial() * mosaic.emissions()[0]
    for bin_index in range(1, mosaic.num_bins):
        weights = weights @ mosaic.transition(bin_index) * mosaic.emissions()[bin_index]
    return float(np.log(weights.sum()))


def path_weights(mosaic: Mosaic) -> dict[tuple[int, ...], float]:
    """Joint probability of the data and of every path of states."""
    emissions = mosaic.emissions()
    transitions = [mosaic.transition(bin_index) for bin_index in range(mosaic.num_bins)]
    weights = {}
    for path in itertools.product(range(emissions.shape[1]), repeat=mosaic.num_bins):
        weight = mosaic.initial()[path[0]] * emissions[0, path[0]]
        for k in range(1, mosaic.num_bins):
            weight *= transitions[k][path[k - 1], path[k]] * emissions[k, path[k]]
        weights[path] = float(weight)
    return weights


def marginals_by_paths(mosaic: Mosaic) -> np.ndarray:
    """Posterior of every state in each bin [bins, parents, levels]."""
    weights = path_weights(mosaic)
    marginals = np.zeros_like(mosaic.emissions())
    for path, weight in weights.items():
        marginals[np.arange(mosaic.num_bins), path] += weight
    return (marginals / sum(weights.values())).reshape(mosaic.emission.shape)


def emission_by_sites(
    haplotypes: np.ndarray,
    site_bin: np.ndarray,
    invariant_bases: np.ndarray,
    times: np.ndarray,
    mutation_rate: np.ndarray,
    genotype_error: float,
    haplotype: int,
) -> np.ndarray:
    """Probability of a haplotype's alleles beside each parent, site by site."""
    num_bins, num_haplotypes = len(invariant_bases), haplotypes.shape[1]
    emission = np.empty((num_bins, num_haplotypes, len(times)))
    for b, j, k in np.ndindex(*emission.shape):
        changed = (1 - np.exp(-4 * mutation_rate[b] * times[k])) / 2
        misread = 2 * genotype_error * (1 - genotype_error)
        differ = changed * (1 - misread) + (1 - changed) * misread
        emission[b, j, k] = (1 - changed) ** invariant_bases[b]
        for site in np.flatnonzero(site_bin == b):
            own, parent = haplotypes[site, haplotype], haplotypes[site, j]
            if own >= 0:
                known = differ if own != parent else 1 - differ
                emission[b, j, k] *= known if parent >= 0 else 0.5
    return emission


def survival_by_quadrature(hazard, time: float, breakpoints: np.ndarray) -> float:
    """`exp(-int_0^time hazard)` by adaptive quadrature, told where the hazard jumps."""
    stops = np.unique(np.append(breakpoints[breakpoints < time], [0.0, time]))
    pieces = itertools.pairwise(stops)
    return float(np.exp(-sum(scipy.integrate.quad(hazard, a, b)[0] for a, b in pieces)))


def reattachment_by_quadrature(survival, edges: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Law of the level after a recombination at a uniform height, from the survival function."""
    levels = len(edges)
    upper = np.append(edges[1:], np.inf)
    law = np.empty((levels, levels))
    for a, b in np.ndindex(levels, levels):

        def lands(u: float, b: int = b) -> float:
            later = survival(max(upper[b], u)) if np.isfinite(upper[b]) else 0.0
            return (survival(max(edges[b], u)) - later) / survival(u)

        stops = np.append(edges[edges < times[a]], times[a])
        pieces = itertools.pairwise(stops)
        law[a, b] = sum(scipy.integrate.quad(lands, p, q)[0] for p, q in pieces) / times[a]
    return law
