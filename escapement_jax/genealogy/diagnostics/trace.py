"""What is written down after every sweep: the joint density and a few coalescence times."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Int8

from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.threading_problem import ThreadingProblem
from escapement_jax.genealogy.threading.sequential_pass import graph_log_density

NUM_POSITIONS = 16
NUM_PAIRS = 20


@dataclass(frozen=True)
class TracePlaces:
    """Where coalescence times are traced: some bins of the genome, some pairs of haplotypes.

    Attributes:
        bins: Genome bins, evenly spaced, int32 [positions].
        pairs: Haplotype indices, distinct pairs, int32 [pairs, 2].
    """

    bins: np.ndarray
    pairs: np.ndarray

    @classmethod
    def spread(cls, num_bins: int, num_haplotypes: int) -> "TracePlaces":
        """Choose at most `NUM_POSITIONS` bins and `NUM_PAIRS` pairs, the same for every run.

        Args:
            num_bins: Bins of the genome.
            num_haplotypes: Haplotypes, at least two.
        """
        count = min(NUM_POSITIONS, num_bins)
        bins = ((np.arange(count) + 0.5) * num_bins / count).astype(np.int32)
        pairs = np.stack(np.triu_indices(num_haplotypes, 1), axis=1).astype(np.int32)
        order = np.random.default_rng(0).permutation(len(pairs))
        return cls(bins, pairs[np.sort(order[:NUM_PAIRS])])


@dataclass(frozen=True)
class Trace:
    """State of every chain after the pass and after every sweep.

    Attributes:
        log_density: `log p(D, G)` in nats, float64 [steps, chains].
        log_tmrca: Log of the representative time (generations) at which the traced pairs coalesce
            at the traced positions, float64 [steps, chains, positions, pairs].
        positions: Middles of the traced bins, base pairs, float64 [positions].
        pairs: Traced haplotypes, int32 [pairs, 2].
    """

    log_density: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    log_tmrca: np.ndarray = field(default_factory=lambda: np.empty((0, 0, 0, 0)))
    positions: np.ndarray = field(default_factory=lambda: np.empty(0))
    pairs: np.ndarray = field(default_factory=lambda: np.empty((0, 2), np.int32))

    @property
    def num_sweeps(self) -> int:
        """Number of sweeps after the pass."""
        return max(len(self.log_density) - 1, 0)


def tmrca_levels(
    graphs: Sequence[RecombinationGraph], places: TracePlaces
) -> Int8[np.ndarray, "draws positions pairs"]:
    """Return the levels at which the traced pairs coalesce at the traced bins.

    Args:
        graphs: One batch of graphs per chunk, all haplotypes present.
        places: Where to look.
    """
    bins_per_chunk = graphs[0].moved.shape[-1]
    pairs = jnp.asarray(places.pairs)
    levels = [
        _levels_at(graphs[chunk], jnp.asarray(bin_, jnp.int32), pairs)
        for chunk, bin_ in zip(*np.divmod(places.bins, bins_per_chunk), strict=True)
    ]
    return np.stack(jax.device_get(levels), axis=1)


def _levels(
    graph: RecombinationGraph, bin_: Int[Array, ""], pairs: Int[Array, "pairs 2"]
) -> Int8[Array, " pairs"]:
    """Levels of pairs in the tree of one bin of one draw."""
    return graph.trees[graph.segment[bin_]][pairs[:, 0], pairs[:, 1]]


_levels_at = jax.jit(jax.vmap(_levels, in_axes=(0, None, None)))


class TraceRecorder:
    """Writes down the state of the chains: call `record` after the pass and after every sweep.

    Attributes:
        log_densities: What was recorded, one row per call, float64 [chains].
        levels: The same, int8 [chains, positions, pairs].
    """

    def __init__(self, problem: ThreadingProblem) -> None:
        self._problem = problem
        self._places = TracePlaces.spread(problem.bins.num_bins, problem.num_haplotypes)
        self.log_densities: list[np.ndarray] = []
        self.levels: list[np.ndarray] = []

    def record(
        self, graphs: Sequence[RecombinationGraph], law: ThreadingProblem | None = None
    ) -> None:
        """Note the state of every chain.

        Args:
            graphs: One batch of graphs per chunk, all haplotypes present.
            law: The problem with the parameters of the moment; by default as it was told.
        """
        problem = law or self._problem
        self.log_densities.append(graph_log_density(graphs, problem.chunks, problem.model))
        self.levels.append(tmrca_levels(graphs, self._places))

    def trace(self) -> Trace:
        """Return what was recorded; an empty trace if nothing was."""
        if not self.levels:
            return Trace()
        places, edges = self._places, self._problem.bins.edges
        times = np.asarray(self._problem.grid.times, dtype=np.float64)
        return Trace(
            log_density=np.stack(self.log_densities),
            log_tmrca=np.log(times)[np.stack(self.levels)],
            positions=(edges[places.bins] + edges[places.bins + 1]) / 2,
            pairs=places.pairs,
        )
