"""Threading passes over tiny genomes, for tests that compare them with the enumeration."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from escapement_jax.genealogy.graph.pruned_graph import PrunedGraph, beside_graph, prune, regraft
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph, remove_haplotype
from escapement_jax.genealogy.threading.backward_sampling import sample_chunk, sample_last_position
from escapement_jax.genealogy.threading.forward_filtering import entering_message, filter_chunk
from escapement_jax.genealogy.threading.sequential_pass import empty_graphs, thread_haplotypes
from escapement_jax.genealogy.threading.window_layout import WindowLayout
from tests.reference.tiny_genomes import TinyGenome

DRAWS_PER_ORDER = 6000
DRAWS = 2 * DRAWS_PER_ORDER
CAPACITY = 2
"""Records per chunk of two bins: one at every boundary."""

PAIR = TinyGenome(num_haplotypes=2, num_levels=3, num_bins=4, genotype_error=0.0, seed=1)
PAIR_WITH_ERROR = TinyGenome(2, 3, 4, 0.05, 2)
THREE = TinyGenome(3, 3, 4, 0.0, 3)
THREE_WITH_ERROR = TinyGenome(3, 3, 4, 0.05, 4)
FOUR = TinyGenome(4, 3, 4, 0.0, 5)
FOUR_WITH_ERROR = TinyGenome(4, 3, 4, 0.02, 6)
THREE_FINE = TinyGenome(3, 4, 5, 0.02, 7)
FOUR_FINE = TinyGenome(4, 4, 5, 0.02, 8)
FOUR_UNSEEN = TinyGenome(4, 3, 4, 0.0, 9, missing=1.0)
"""Without genotypes threads go everywhere, to where few are drawn by data, too."""

Graphs = list[RecombinationGraph]


def orders_of(genome: TinyGenome) -> np.ndarray:
    """The first half of the draws threads in the order of the data, the second in another."""
    straight = np.arange(genome.num_haplotypes)
    orders = np.stack([straight, np.roll(straight, 1)[::-1]])
    return np.repeat(orders, DRAWS_PER_ORDER, axis=0).astype(np.int32)


def check_evidence(exact: float, log_weights: np.ndarray) -> None:
    """Hold the mean weight of each order against log P(D), and the mean log weight below it.

    False alarms: 6e-5 per order, were the mean normal; the weights vary little.
    """
    for of_order in np.split(log_weights, 2):
        weights = np.exp(of_order - exact)
        stderr = weights.std(ddof=1) / weights.mean() / np.sqrt(weights.size)
        assert 0 < stderr < 0.05
        assert abs(np.log(weights.mean())) < 4 * stderr
        bound_stderr = of_order.std(ddof=1) / np.sqrt(of_order.size)
        assert of_order.mean() < exact + 4 * bound_stderr


@cache
def sequential_pass(
    genome: TinyGenome, chunks_per_window: int | None = None
) -> tuple[Graphs, np.ndarray]:
    """Graphs of all haplotypes and their log weights; in one window if not told otherwise."""
    num_chunks = len(genome.chunks)
    layout = WindowLayout(num_chunks, chunks_per_window or num_chunks)
    orders = jnp.asarray(orders_of(genome))
    graphs = empty_graphs(orders[:, 0], genome.num_haplotypes, genome.chunks, CAPACITY)
    log_weights = np.zeros(DRAWS)
    for index in range(1, genome.num_haplotypes):
        key = jax.random.key(100 * genome.seed + index)
        graphs, log_evidence = thread_haplotypes(
            key, graphs, genome.chunks, orders[:, index], genome.model, layout
        )
        log_weights += log_evidence
    return graphs, log_weights


def choose(graphs: Graphs, draws: np.ndarray | int) -> Graphs:
    """Some draws of a batch; a single number also drops the batch axis."""
    return [jax.tree.map(lambda leaf: leaf[draws], graph) for graph in graphs]


def every(haplotype: int, draws: int = DRAWS) -> jax.Array:
    """The same haplotype for every draw."""
    return jnp.full(draws, haplotype, jnp.int32)


def trees_per_bin(graph: RecombinationGraph) -> np.ndarray:
    """Level matrix of every draw and bin."""
    segment = np.cumsum(np.asarray(graph.moved) >= 0, axis=1)
    return np.asarray(graph.trees)[np.arange(len(segment))[:, None], segment]


enter_all = jax.jit(jax.vmap(entering_message, in_axes=(0, None)))
filter_all = jax.jit(jax.vmap(filter_chunk, in_axes=(0, None, 0, None)))
sample_last = jax.jit(jax.vmap(sample_last_position))
sample_all = jax.jit(jax.vmap(sample_chunk, in_axes=(0, 0, 0, None, 0)))
beside_all = jax.jit(jax.vmap(beside_graph, in_axes=(0, None)))
prune_all = jax.jit(jax.vmap(prune, in_axes=(0, 0, 0, 0)))
regraft_all = jax.jit(jax.vmap(regraft))
remove_all = jax.jit(jax.vmap(remove_haplotype, in_axes=(0, None)))


def thread_without_refresh(
    key: jax.Array, pruned: list[PrunedGraph], genome: TinyGenome
) -> tuple[Graphs, np.ndarray]:
    """Thread lineages, leaving the cut levels of the other graph's records as they are.

    Also returns the log evidence.
    """
    draws = pruned[0].moved.shape[0]
    message = enter_all(pruned[0], genome.model)
    filtered, log_evidence = [], np.zeros(draws)
    for graph, chunk in zip(pruned, genome.chunks, strict=True):
        chunk_filtered, message, evidence = filter_all(graph, chunk, message, genome.model)
        filtered.append(chunk_filtered)
        log_evidence += np.asarray(evidence)
    last = sample_last(jax.random.split(key, draws), message, pruned[-1])
    grown = []
    for index in reversed(range(len(pruned))):
        keys = jax.random.split(jax.random.fold_in(key, index), draws)
        path = sample_all(keys, filtered[index], pruned[index], genome.chunks[index], last)
        last = (path.entering_branch, path.entering_level)
        graph, overflow = regraft_all(pruned[index], path)
        assert not overflow.any()
        grown.append(graph)
    return grown[::-1], log_evidence
