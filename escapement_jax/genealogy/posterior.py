"""Posterior draws of the genealogy of genomes, and what they say about times and sizes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import tskit
from jaxtyping import Float64

from escapement_jax.genealogy.dating.redating import RedatingModel, redated_histories
from escapement_jax.genealogy.dating.tree_history import TreeHistory
from escapement_jax.genealogy.demography.pair_coalescence import (
    PopulationSizeEstimate,
    estimate_population_size,
)
from escapement_jax.genealogy.diagnostics.trace import Trace
from escapement_jax.genealogy.diagnostics.verdict import Verdict
from escapement_jax.genealogy.diagnostics.weights import mean_and_standard_error
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.level_times import times_within_levels
from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from escapement_jax.genealogy.tree_sequences.graph_to_tree_sequence import (
    NodeTimes,
    history_to_tree_sequence,
    to_tree_sequence,
)
from escapement_jax.genealogy.world.world_parameters import Estimate

DEFAULT_EPOCHS = 12


@dataclass(frozen=True)
class AlleleAges:
    """Ages of derived alleles: of the oldest mutation to the derived allele at each site.

    A draw that needs a mutation above its local root does not date the site and is left out: where
    many do, the allele is older than the figures say.

    Attributes:
        positions: Positions of the sites, base pairs, int64 [sites].
        mean: Mean over draws, generations; NaN where no draw dates the site.
        lower_95: 2.5 % quantile over draws.
        upper_95: 97.5 % quantile over draws.
        share_dated: Share of the draws that date the site.
    """

    positions: np.ndarray
    mean: np.ndarray
    lower_95: np.ndarray
    upper_95: np.ndarray
    share_dated: np.ndarray


@dataclass(frozen=True)
class Posterior:
    """Draws of the ancestral recombination graph given the genotypes.

    Attributes:
        draws: The draws.
        bin_edges: Edges of the genome bins shared by all draws, base pairs, float64 [bins + 1].
        time_grid_edges: Lower edges of the time levels, generations, float64 [levels].
        time_grid_times: Representative times of the levels, generations, float64 [levels].
        genotypes: The haplotypes that the draws explain.
        log_weights: log Z of every threading of the pass, float64 [chains, haplotypes - 1].
        bound_correction: what to add to their sum for a bound on `log P(D)`, float64 [chains];
            0 by default.
        population_size_prior: Diploid N_e that the model was told.
        settings: Settings of the run, JSON values, for provenance; ``node_times`` and ``epochs``
            are read here.
        seed: Seed of everything that this class draws.
        size_estimate: N_e(t) as it was learned; None to read it off the draws.
        learned: Parameters of the world that were learned along the sweeps, by name.
        redating: What continuous times are drawn under, for node times "redated".
        seconds: Wall time by stage, such as ``compile`` and ``run``.
        threading_seconds: Wall time of every threading of the pass, or empty.
        trace: The log joint density and traced coalescence times after the pass and after every
            Gibbs sweep; empty without sweeps.
        verdict: Whether the draws may be taken for draws from the posterior.
        warnings: What else a reader of the result should know.
    """

    draws: tuple[GraphDraw, ...]
    bin_edges: np.ndarray
    time_grid_edges: np.ndarray
    time_grid_times: np.ndarray
    genotypes: Genotypes
    log_weights: np.ndarray
    population_size_prior: float
    settings: Mapping[str, object]
    seed: int
    bound_correction: np.ndarray | None = None
    size_estimate: PopulationSizeEstimate | None = None
    learned: Mapping[str, Estimate] = field(default_factory=dict)
    redating: RedatingModel | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    threading_seconds: tuple[float, ...] = ()
    trace: Trace = field(default_factory=Trace)
    verdict: Verdict = Verdict(converged=True)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        threadings = self.genotypes.num_haplotypes - 1
        if self.log_weights.ndim != 2 or self.log_weights.shape[1] != threadings:
            raise ValueError(
                f"log_weights has shape {self.log_weights.shape}; give one for each chain and each "
                f"of {threadings} threadings"
            )

    @property
    def num_draws(self) -> int:
        """Number of draws."""
        return len(self.draws)

    @property
    def log_bounds(self) -> Float64[np.ndarray, " chains"]:
        """Log weight of the first pass of every chain, whose mean is a bound on `log P(D)`."""
        correction = 0.0 if self.bound_correction is None else self.bound_correction
        return self.log_weights.sum(axis=1) + correction

    @property
    def elbo(self) -> float:
        """Evidence lower bound, the mean over chains of ``sum_i log Z_i``, in nats."""
        return mean_and_standard_error(self.log_bounds)[0]

    @property
    def elbo_stderr(self) -> float:
        """Standard error of the evidence lower bound; NaN for a single chain."""
        return mean_and_standard_error(self.log_bounds)[1]

    def tree_sequence(
        self, draw: int, *, node_times: NodeTimes | None = None
    ) -> tskit.TreeSequence:
        """Return one draw as a tree sequence; the same call gives the same times.

        Args:
            draw: Index of the draw.
            node_times: "uniform", "level" (see ``to_tree_sequence``) or "redated" (see
                ``histories``); by default as in the settings, or "uniform".

        Raises:
            IndexError: If there is no such draw.
        """
        node_times, index = node_times or self._node_times, range(self.num_draws)[draw]
        seed, provenance = self.seed + index, {**self.settings, "draw": index}
        if node_times == "redated":
            return history_to_tree_sequence(
                self.histories[index],
                self.bin_edges,
                self.genotypes,
                seed=seed,
                provenance=provenance,
            )
        return to_tree_sequence(
            self.draws[index],
            self.bin_edges,
            self.time_grid_edges,
            self.time_grid_times,
            self.genotypes,
            node_times=node_times,
            seed=seed,
            provenance=provenance,
        )

    @property
    def _node_times(self) -> NodeTimes:
        told = self.settings.get("node_times")
        return told if told in ("level", "redated") else "uniform"

    @cached_property
    def histories(self) -> tuple[TreeHistory, ...]:
        """All draws as binary trees in continuous time (see ``redated_histories``).

        Raises:
            ValueError: If the posterior does not know what to draw times under.
        """
        if self.redating is None:
            raise ValueError("redated times need the rates of the run; give redating")
        return redated_histories(
            self.draws, self.time_grid_edges, self.time_grid_times, self.redating, seed=self.seed
        )

    @cached_property
    def tree_sequences(self) -> tuple[tskit.TreeSequence, ...]:
        """All draws as tree sequences, kept in memory once made."""
        return tuple(self.tree_sequence(draw) for draw in range(self.num_draws))

    def pairwise_tmrca(
        self, positions: np.ndarray, *, pairs: np.ndarray | None = None
    ) -> Float64[np.ndarray, "draws pairs positions"]:
        """Return times to the most recent common ancestor of pairs of haplotypes.

        With node times "redated" they are those of ``tree_sequence``. Otherwise they are drawn
        inside their levels, once for each draw, pair and stretch of genome on which the pair's
        level stays, and agree in law and level, but not in value, with ``tree_sequence``, whose
        nodes several pairs share.

        Args:
            positions: Base pairs inside the region.
            pairs: Haplotype indices [pairs, 2]; by default every i < j in row order.

        Returns:
            Times in generations.

        Raises:
            ValueError: If a position is outside the region or a pair is no pair of haplotypes.
        """
        positions = np.asarray(positions, np.float64)
        all_pairs = np.stack(np.triu_indices(self.genotypes.num_haplotypes, 1), axis=1)
        pairs = all_pairs if pairs is None else np.asarray(pairs)
        self._check_positions(positions)
        self._check_pairs(pairs)
        bins = np.searchsorted(self.bin_edges, positions, side="right") - 1
        if self._node_times == "redated":
            return np.stack([history.pairwise_tmrca(bins, pairs) for history in self.histories])
        low, high = pairs.min(axis=1), pairs.max(axis=1)
        # Row of each pair among all pairs, so that the times do not depend on which are asked for.
        rows = low * (2 * self.genotypes.num_haplotypes - low - 1) // 2 + high - low - 1
        tmrca = np.empty((self.num_draws, len(pairs), len(positions)))
        for index, draw in enumerate(self.draws):
            generator = np.random.default_rng([self.seed, index])
            uniforms = generator.random((draw.num_segments, len(all_pairs)))[:, rows]
            levels = draw.trees[:, low, high]
            run_starts = _run_starts(levels)[draw.segment_of_bin(bins)]
            columns = np.arange(len(pairs))[None, :]
            tmrca[index] = times_within_levels(
                levels[run_starts, columns],
                uniforms[run_starts, columns],
                self.time_grid_edges,
                self.time_grid_times,
            ).T
        return tmrca

    def allele_ages(self) -> AlleleAges:
        """Return the age of the derived allele at every site, from the tree sequences of all draws.

        Ages are the times of mutations, uniform on their branch.
        """
        ages = np.stack([_oldest_mutations(draw) for draw in self.tree_sequences])
        share_dated = np.isfinite(ages).mean(axis=0)
        dated = share_dated > 0
        mean, lower, upper = np.full((3, self.genotypes.num_sites), np.nan)
        mean[dated] = np.nanmean(ages[:, dated], axis=0)
        lower[dated], upper[dated] = np.nanquantile(ages[:, dated], [0.025, 0.975], axis=0)
        return AlleleAges(self.genotypes.positions, mean, lower, upper, share_dated)

    @cached_property
    def population_size(self) -> PopulationSizeEstimate:
        """Diploid population size through time.

        As it was learned; else from the rates of pair coalescence in the draws, which were then
        made under one constant size.
        """
        if self.size_estimate is not None:
            return self.size_estimate
        epochs = self.settings.get("epochs")
        return estimate_population_size(
            self.tree_sequences,
            self._epoch_edges(epochs if isinstance(epochs, int) else DEFAULT_EPOCHS),
            prior_size=self.population_size_prior,
            seed=self.seed,
        )

    def _epoch_edges(self, num_epochs: int) -> np.ndarray:
        """Left edges of epochs of about equally many levels; the last level never stands alone."""
        last = len(self.time_grid_edges) - 1
        first_levels = np.linspace(0, last, min(num_epochs, last), endpoint=False).astype(int)
        return self.time_grid_edges[first_levels]

    def _check_positions(self, positions: np.ndarray) -> None:
        outside = (positions < self.genotypes.start) | (positions >= self.genotypes.end)
        if outside.any():
            raise ValueError(
                f"position {positions[outside][0]} is outside the region "
                f"[{self.genotypes.start}, {self.genotypes.end})"
            )

    def _check_pairs(self, pairs: np.ndarray) -> None:
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise ValueError(f"pairs has shape {pairs.shape}; give [pairs, 2]")
        count = self.genotypes.num_haplotypes
        wrong = (
            (pairs < 0).any(axis=1) | (pairs >= count).any(axis=1) | (pairs[:, 0] == pairs[:, 1])
        )
        if wrong.any():
            raise ValueError(
                f"pair {pairs[wrong][0].tolist()} does not name two of the {count} haplotypes "
                f"(0 to {count - 1})"
            )


def _run_starts(levels: np.ndarray) -> np.ndarray:
    """Return, for each segment and pair, where the run of its level began."""
    index = np.arange(len(levels))[:, None]
    changed = np.ones(levels.shape, bool)
    changed[1:] = levels[1:] != levels[:-1]
    return np.maximum.accumulate(np.where(changed, index, 0), axis=0)


def _oldest_mutations(tree_sequence: tskit.TreeSequence) -> np.ndarray:
    """Return the time of the oldest derived mutation of each site; NaN if it is unknown."""
    mutations = tree_sequence.tables.mutations
    ancestral = [site.ancestral_state for site in tree_sequence.sites()]
    used = ~tskit.is_unknown_time(mutations.time)
    used &= [row.derived_state != ancestral[row.site] for row in mutations]
    ages = np.full(tree_sequence.num_sites, -np.inf)
    np.maximum.at(ages, mutations.site[used], mutations.time[used])
    return np.where(np.isfinite(ages), ages, np.nan)
