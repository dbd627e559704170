"""Genotypes that a genealogy could have had: mutations thrown anew on its branches."""

import numpy as np
import tskit

from escapement_jax.genealogy.genome.genotypes import MISSING, Genotypes
from escapement_jax.genealogy.genome.rate_map import RateMap


def accessible_rate(mutation: RateMap, genotypes: Genotypes) -> RateMap:
    """Return the mutation rate over the region, 0 where bases are not accessible.

    Args:
        mutation: Mutation rate per base pair per generation; covers the region.
        genotypes: The region and its accessible intervals.
    """
    start, end = genotypes.start, genotypes.end
    mutation.require_cover(start, end, "mutation map")
    inner = mutation.edges[(mutation.edges > start) & (mutation.edges < end)]
    edges = np.unique(np.concatenate([[start, end], inner, genotypes.accessible.ravel()]))
    left = edges[:-1]
    rates = mutation.rates[np.searchsorted(mutation.edges, left, side="right") - 1]
    interval = np.searchsorted(genotypes.accessible[:, 0], left, side="right") - 1
    inside = (interval >= 0) & (left < genotypes.accessible[interval, 1])
    return RateMap(edges.astype(np.float64), np.where(inside, rates, 0.0))


def simulate_genotypes(
    tree_sequence: tskit.TreeSequence,
    rate: RateMap,
    genotypes: Genotypes,
    generator: np.random.Generator,
    *,
    genotype_error: float = 0.0,
) -> Genotypes:
    """Draw genotypes of the region given its genealogy, with the gaps and errors of the data.

    Mutations on a branch of `d` generations are Poisson with mean `d` times the rate integrated
    over the branch's stretch of genome; a base pair holds one at most. At the sites so made a
    called allele is wrong with probability `genotype_error`, and the haplotypes are missing that
    are missing at the nearest site of the data. Sites that do not segregate in what is left are
    dropped.

    Args:
        tree_sequence: Genealogy of the haplotypes, in base pairs and generations; its own sites are
            not used.
        rate: Mutation rate of accessible bases (`accessible_rate`).
        genotypes: The data.
        generator: Source of randomness.
        genotype_error: Probability that a called allele is wrong.

    Returns:
        The region of the data with other haplotypes and positions.
    """
    nodes, places = _throw_mutations(tree_sequence, rate, generator)
    positions, first = np.unique(np.floor(places).astype(np.int64), return_index=True)
    haplotypes = _alleles(tree_sequence, places[first], nodes[first])
    flipped = generator.random(haplotypes.shape) < genotype_error
    haplotypes = haplotypes ^ flipped.astype(np.int8)
    haplotypes = np.where(_missing_nearby(genotypes, positions), MISSING, haplotypes)
    kept = segregating(haplotypes)
    return Genotypes.from_arrays(
        haplotypes[kept],
        positions[kept],
        start=genotypes.start,
        end=genotypes.end,
        contig=genotypes.contig,
        ploidy=genotypes.ploidy,
        sample_names=genotypes.sample_names,
        accessible=genotypes.accessible,
    )


def segregating(haplotypes: np.ndarray) -> np.ndarray:
    """Return at which sites both alleles are seen, bool [sites]."""
    return (haplotypes == 0).any(axis=1) & (haplotypes == 1).any(axis=1)


def _throw_mutations(
    tree_sequence: tskit.TreeSequence, rate: RateMap, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the node below each mutation, and its place on the genome, ordered by place."""
    times = tree_sequence.nodes_time
    branch = times[tree_sequence.edges_parent] - times[tree_sequence.edges_child]
    low, high = (
        rate.cumulative(np.clip(ends, rate.edges[0], rate.edges[-1]))
        for ends in (tree_sequence.edges_left, tree_sequence.edges_right)
    )
    edge = np.repeat(np.arange(len(branch)), generator.poisson((high - low) * branch))
    places = _inverse_cumulative(rate, generator.uniform(low[edge], high[edge]))
    order = np.argsort(places)
    return tree_sequence.edges_child[edge[order]], places[order]


def _inverse_cumulative(rate: RateMap, events: np.ndarray) -> np.ndarray:
    """Return where the expected number of events is reached; never where the rate is 0."""
    positive = rate.rates > 0
    left, right, rates = rate.edges[:-1][positive], rate.edges[1:][positive], rate.rates[positive]
    reached = rate.cumulative(left)
    interval = np.maximum(np.searchsorted(reached, events, side="right") - 1, 0)
    places = left[interval] + (events - reached[interval]) / rates[interval]
    return np.minimum(places, np.nextafter(right[interval], -np.inf))


def _alleles(
    tree_sequence: tskit.TreeSequence, places: np.ndarray, nodes: np.ndarray
) -> np.ndarray:
    """Return which samples lie below each node at its place, int8 [sites, samples]."""
    if not len(places):
        return np.zeros((0, tree_sequence.num_samples), np.int8)
    tables = tree_sequence.dump_tables()
    tables.sites.clear()
    tables.mutations.clear()
    offsets = np.arange(len(places) + 1, dtype=np.uint32)
    states = {
        name: np.full(len(places), ord(letter), np.int8)
        for name, letter in (("ancestral_state", "0"), ("derived_state", "1"))
    }
    tables.sites.set_columns(
        position=places,
        ancestral_state=states["ancestral_state"],
        ancestral_state_offset=offsets,
    )
    tables.mutations.set_columns(
        site=np.arange(len(places), dtype=np.int32),
        node=nodes,
        derived_state=states["derived_state"],
        derived_state_offset=offsets,
    )
    return tables.tree_sequence().genotype_matrix().astype(np.int8)


def _missing_nearby(genotypes: Genotypes, positions: np.ndarray) -> np.ndarray:
    """Return who is missing at the site of the data nearest to each position."""
    sites = genotypes.positions
    right = np.clip(np.searchsorted(sites, positions), 1, len(sites) - 1) if len(sites) > 1 else 0
    left = np.maximum(right - 1, 0)
    nearer_left = positions - sites[left] < sites[right] - positions
    return genotypes.haplotypes[np.where(nearer_left, left, right)] == MISSING
