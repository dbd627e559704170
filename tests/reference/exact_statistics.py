"""A few statistics of graphs of tiny genomes, and their exact posterior expectations."""

import numpy as np

from escapement_jax.genealogy.threading.sequential_pass import graph_log_density
from tests.reference.tiny_genomes import TinyGenome
from tests.reference.tiny_threading import DRAWS, Graphs, choose, sequential_pass, trees_per_bin


def posterior_draws(
    genome: TinyGenome, chunks_per_window: int | None = None
) -> tuple[Graphs, float]:
    """Draws of a pass, resampled by their weights, and the effective number of them."""
    graphs, log_weights = sequential_pass(genome, chunks_per_window)
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    chosen = np.random.default_rng(1).choice(DRAWS, DRAWS, p=weights)
    return choose(graphs, chosen), 1 / (weights**2).sum()


def posterior_marginals(genome: TinyGenome) -> tuple[np.ndarray, float]:
    """Exact posterior of the tree of every bin, and the expected number of records."""
    oracle, emission = genome.oracle, genome.oracle.emissions(genome.data)
    rates = genome.bins.recombination
    forward, backward = [oracle.prior * emission[0]], [np.ones(len(oracle.trees))]
    for here in range(1, genome.num_bins):
        forward.append((forward[-1] @ oracle.transition_matrix(rates[here])) * emission[here])
    for here in reversed(range(1, genome.num_bins)):
        backward.append(oracle.transition_matrix(rates[here]) @ (emission[here] * backward[-1]))
    backward = backward[::-1]
    evidence = forward[-1].sum()
    records = 0.0
    for here in range(1, genome.num_bins):
        rate = np.minimum(rates[here], 0.95 / oracle.lengths)
        jump = rate[:, None] * oracle.jump_density
        records += forward[here - 1] @ jump @ (emission[here] * backward[here]) / evidence
    return np.stack(forward) * np.stack(backward) / evidence, float(records)


def statistics(graphs: Graphs, genome: TinyGenome) -> np.ndarray:
    """Two pair levels, the number of records and the log density of every draw."""
    last = genome.num_haplotypes - 1
    records = sum((np.asarray(graph.moved) >= 0).sum(1) for graph in graphs)
    density = graph_log_density(graphs, genome.chunks, genome.model)
    early, late = trees_per_bin(graphs[0])[:, 1, 0, 1], trees_per_bin(graphs[-1])[:, 0, 0, last]
    return np.stack([early, late, records, density])


def exact_statistics(genome: TinyGenome) -> np.ndarray:
    """Posterior expectation of the first three statistics."""
    marginals, records = posterior_marginals(genome)
    levels = {i: np.frombuffer(m, np.int8) for m, i in genome.tree_numbers.items()}
    matrices = np.stack([levels[i] for i in range(len(levels))])
    first_of_last_chunk = 2 * (len(genome.chunks) - 1)
    early = marginals[1] @ matrices[:, 1]
    late = marginals[first_of_last_chunk] @ matrices[:, genome.num_haplotypes - 1]
    return np.array([early, late, records])


def check_unchanged(before: np.ndarray, after: np.ndarray, exact: np.ndarray, effective: float):
    """Hold statistics of draws before and after steps against each other and the posterior.

    False alarms: 6e-5 per statistic.
    """
    stderr = after.std(1, ddof=1) / np.sqrt(effective / 2)
    assert (np.abs(after.mean(1) - before.mean(1)) < 4 * np.sqrt(2) * stderr).all()
    assert (np.abs(before.mean(1)[:3] - exact) < 4 * stderr[:3]).all()
    assert (np.abs(after.mean(1)[:3] - exact) < 4 * stderr[:3]).all()
