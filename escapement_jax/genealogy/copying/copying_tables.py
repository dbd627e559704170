"""Laws of the copying model: when a haplotype joins its relatives, and what a pair shows there.

One more haplotype is attached to `k` others, its *trunk*, along which time runs back. In the static
trunk all `k` lineages reach back for ever (Paul, Steinruecken & Song 2011, Genetics 187:1115); in
the wedding-cake trunk they coalesce among themselves and only their expected number is left to join
(Sheehan, Harris & Song 2013, Genetics 194:647).
"""

import functools
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.time_grid import TimeGrid
from escapement_jax.genealogy.model.mutation_model import change_probability

Trunk = Literal["static", "wedding_cake"]

# Gauss-Legendre nodes per level for the height of a recombination. On the default grid of 24 levels
# the law is then off by rounding (wedding cake), 5e-4 (static trunk of 39 lineages), or 1e-4 where
# a tenfold change of size falls inside a level.
_NODES_PER_LEVEL = 8


class PairCounts(eqx.Module):
    """What every haplotype shows beside every other one in each genome bin.

    Attributes:
        differences: number of sites of the bin at which both are observed and differ.
        compared: number of sites of the bin at which both are observed.
        observed: number of sites of the bin at which the haplotype itself is observed.
        invariant_bases: accessible base pairs of the bin that are not sites and show no variation.
    """

    differences: Float[Array, "bins haplotypes haplotypes"]
    compared: Float[Array, "bins haplotypes haplotypes"]
    observed: Float[Array, "bins haplotypes"]
    invariant_bases: Float[Array, " bins"]

    @classmethod
    def from_haplotypes(
        cls, haplotypes: np.ndarray, site_bin: np.ndarray, invariant_bases: np.ndarray
    ) -> "PairCounts":
        """Count the differences of all pairs in each bin.

        Args:
            haplotypes: alleles [sites, haplotypes]: 0 ancestral, 1 derived, -1 missing.
            site_bin: bin of each site, never decreasing.
            invariant_bases: accessible base pairs without variation [bins].

        Returns:
            The counts, in the default floating-point type.

        Raises:
            ValueError: `site_bin` decreases or leaves the bins.
        """
        counts = pair_differences(haplotypes, site_bin, len(invariant_bases))
        return cls(
            *(jnp.asarray(count, dtype=float) for count in counts),
            invariant_bases=jnp.asarray(invariant_bases, dtype=float),
        )


class BinLaws(eqx.Module):
    """Per-bin probabilities at each time level.

    Attributes:
        recombination: probability `b_t` that the copying ends on the way into the bin.
        log_differ: log probability that a pair is seen to differ at a site.
        log_agree: log probability that a pair is seen to agree at a site.
        log_unchanged: log probability that a base pair without variation is the same in a pair.
    """

    recombination: Float[Array, "bins levels"]
    log_differ: Float[Array, "bins levels"]
    log_agree: Float[Array, "bins levels"]
    log_unchanged: Float[Array, "bins levels"]


def pair_differences(
    haplotypes: np.ndarray, site_bin: np.ndarray, num_bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, in each bin, the sites at which each pair differs, is comparable, and is observed.

    Args:
        haplotypes: alleles [sites, haplotypes]: 0 ancestral, 1 derived, -1 missing.
        site_bin: bin of each site, never decreasing.
        num_bins: number of bins.

    Returns:
        `differences` and `compared` [bins, haplotypes, haplotypes], `observed` [bins, haplotypes].

    Raises:
        ValueError: `site_bin` decreases or leaves the bins.
    """
    if np.any(np.diff(site_bin) < 0):
        site = int(np.argmax(np.diff(site_bin) < 0)) + 1
        raise ValueError(f"site_bin must never decrease, but does at site {site}; sort the sites")
    if len(site_bin) and (site_bin[0] < 0 or site_bin[-1] >= num_bins):
        raise ValueError(
            f"site_bin spans {site_bin[0]} to {site_bin[-1]}, outside the {num_bins} bins"
        )
    num_haplotypes = haplotypes.shape[1]
    differences = np.zeros((num_bins, num_haplotypes, num_haplotypes), np.float32)
    compared = np.zeros_like(differences)
    observed = np.zeros((num_bins, num_haplotypes), np.float32)
    first_site = np.searchsorted(site_bin, np.arange(num_bins + 1))
    for bin_index in np.unique(site_bin):
        here = haplotypes[first_site[bin_index] : first_site[bin_index + 1]]
        derived, ancestral = (here == 1).astype(np.float32), (here == 0).astype(np.float32)
        known = derived + ancestral
        opposite = derived.T @ ancestral
        differences[bin_index] = opposite + opposite.T
        compared[bin_index] = known.T @ known
        observed[bin_index] = known.sum(axis=0)
    return differences, compared, observed


def log_survival(
    intensity: Float[Array, "*shape"], trunk_lineages: Float[Array, ""], trunk: Trunk
) -> Float[Array, "*shape"]:
    """Log probability that the added lineage has not yet joined a trunk of `k` lineages.

    With `x = int_0^t ds / (2 N(s))`: static, `-k x`; wedding cake, where the expected number left
    is `1 / (1 - (1 - 1/k) exp(-x/2))`, `-x - 2 log(1 + (k - 1)(1 - exp(-x/2)))`.

    Args:
        intensity: coalescent intensity `x` of a pair.
        trunk_lineages: number `k` of lineages at present.
        trunk: "static" or "wedding_cake".

    Returns:
        The logarithms.
    """
    if trunk == "static":
        return -trunk_lineages * intensity
    return -intensity - 2.0 * jnp.log1p((1.0 - trunk_lineages) * jnp.expm1(-0.5 * intensity))


def entry_law(
    population_size: PiecewiseConstant,
    grid: TimeGrid,
    trunk_lineages: Float[Array, ""],
    trunk: Trunk,
) -> Float[Array, " levels"]:
    """Probability that the added lineage joins the trunk in each level: `S(e_k) - S(e_{k+1})`."""
    log_edges = log_survival(
        population_size.coalescent_intensity(grid.edges), trunk_lineages, trunk
    )
    return jnp.exp(log_edges) * -jnp.expm1(_next_edge(log_edges) - log_edges)


def reattachment_law(
    population_size: PiecewiseConstant,
    grid: TimeGrid,
    trunk_lineages: Float[Array, ""],
    trunk: Trunk,
) -> Float[Array, "levels levels"]:
    """Probability of each new level after a recombination, for each level before it.

    The recombination falls at a uniform height `u` in `(0, t)`, and the lineage joins the trunk
    anew above it (McVean & Cardin 2005):
    `M(t, k) = (1/t) int_0^t (S(max(e_k, u)) - S(max(e_{k+1}, u))) / S(u) du`. The integral over `u`
    is a Gauss-Legendre rule within each level; every node's law sums to one, and so does each row.

    Args:
        population_size: diploid size through time.
        grid: time levels; `t` is the representative time of a level.
        trunk_lineages: number of lineages of the trunk at present.
        trunk: "static" or "wedding_cake".

    Returns:
        The matrix, rows by the level before.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_NODES_PER_LEVEL)
    fractions = jnp.asarray((nodes + 1.0) / 2.0, grid.edges.dtype)
    shares = jnp.asarray(weights / 2.0, grid.edges.dtype)

    def log_apart(time: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        intensity = population_size.coalescent_intensity(time)
        return log_survival(intensity, trunk_lineages, trunk)

    lower = log_apart(grid.edges)[None, None, :]
    upper = _next_edge(log_apart(grid.edges))[None, None, :]

    def integral(
        start: Float[Array, " segments"], end: Float[Array, " segments"]
    ) -> Float[Array, "segments levels"]:
        heights = start[:, None] + (end - start)[:, None] * fractions[None, :]
        here = log_apart(heights)[:, :, None]
        # The survival falls with time, so its value at the later of two times is the smaller one.
        log_start, log_end = jnp.minimum(lower, here), jnp.minimum(upper, here)
        law = jnp.exp(log_start - here) * -jnp.expm1(log_end - log_start)
        return jnp.einsum("s,g,sgl->sl", end - start, shares, law)

    whole_levels = jnp.cumsum(integral(grid.edges[:-1], grid.edges[1:]), axis=0)
    levels_below = jnp.concatenate([jnp.zeros_like(whole_levels[:1]), whole_levels])
    return (levels_below + integral(grid.edges, grid.times)) / grid.times[:, None]


def difference_probability(
    scaled_time: Float[Array, "*shape"], genotype_error: float | Float[Array, ""]
) -> Float[Array, "*shape"]:
    """Probability that two haplotypes which join at `t` are seen to differ at a site.

    With `m = (1 - exp(-4 mu t)) / 2`, the two-state symmetric law over the `2 t` generations that
    part them, and a pair misread with probability `w = 2 e (1 - e)`: `m (1 - w) + (1 - m) w`.

    Args:
        scaled_time: `mu t`, the expected number of mutations on one side.
        genotype_error: probability `e` that a called allele is the other one.

    Returns:
        The probabilities, at most one half.
    """
    changed = change_probability(2.0 * scaled_time)
    misread = 2.0 * genotype_error * (1.0 - genotype_error)
    return changed * (1.0 - misread) + (1.0 - changed) * misread


@functools.partial(jax.jit, static_argnames="trunk")
def trunk_laws(
    population_size: PiecewiseConstant,
    grid: TimeGrid,
    trunk_lineages: Float[Array, " haplotypes"],
    *,
    trunk: Trunk,
) -> tuple[Float[Array, "haplotypes levels"], Float[Array, "haplotypes levels levels"]]:
    """`entry_law` and `reattachment_law` of every haplotype, each with a trunk of its own size."""

    def laws(lineages: Float[Array, ""]) -> tuple[Array, Array]:
        arguments = (population_size, grid, lineages, trunk)
        return entry_law(*arguments), reattachment_law(*arguments)

    return jax.vmap(laws)(trunk_lineages)


@jax.jit
def bin_laws(
    grid: TimeGrid,
    mutation_rate: Float[Array, " bins"],
    recombination_distance: Float[Array, " bins"],
    genotype_error: float | Float[Array, ""],
) -> BinLaws:
    """Tabulate each bin's recombination and mutation probabilities at the times of the levels.

    Args:
        grid: time levels.
        mutation_rate: allele changes per base pair per generation in each bin.
        recombination_distance: expected recombinations per generation on the way into each bin;
            the first entry is ignored.
        genotype_error: probability that a called allele at a site is the other one.

    Returns:
        The tables.
    """
    times = grid.times[None, :]
    scaled_times = mutation_rate[:, None] * times
    differ = difference_probability(scaled_times, genotype_error)
    # Nothing ends on the way into the first bin: the state before it is the entry law itself.
    crossed = recombination_distance.at[0].set(0.0)[:, None]
    return BinLaws(
        recombination=-jnp.expm1(-2.0 * crossed * times),
        log_differ=jnp.log(differ),
        log_agree=jnp.log1p(-differ),
        log_unchanged=jnp.log1p(-change_probability(2.0 * scaled_times)),
    )


def _next_edge(log_edges: Float[Array, " levels"]) -> Float[Array, " levels"]:
    """Log survival at the upper edge of each level; nothing survives the open one."""
    return jnp.concatenate([log_edges[1:], jnp.full(1, -jnp.inf, log_edges.dtype)])
