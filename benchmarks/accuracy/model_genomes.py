"""Genomes drawn from the threading model itself: trees on levels, records, sites.

A plain forward simulation along the genome, independent of the threading code but for the
transition probabilities of Kingman's death process.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.coalescent import death_process
from escapement_jax.genealogy.model.threading_model import LARGEST_RECOMBINATION_PROBABILITY
from escapement_jax.genealogy.model.threading_problem import ThreadingProblem


@dataclass(frozen=True)
class ModelLaw:
    """What genomes are drawn from.

    Attributes:
        num_haplotypes: sample size.
        times: representative time of every level, generations.
        death: transition probabilities of the number of lineages within every level.
        bin_width: base pairs; every bin has at most one site.
        recombination: expected recombinations per generation between neighbouring bins.
        mutation: mutations per generation in a bin.
    """

    num_haplotypes: int
    times: np.ndarray
    death: np.ndarray
    bin_width: int
    recombination: float
    mutation: float

    @classmethod
    def of(
        cls,
        num_haplotypes: int,
        times: np.ndarray,
        intensities: np.ndarray,
        *,
        bin_width: int,
        recombination_rate: float,
        mutation_rate: float,
    ) -> "ModelLaw":
        """Build the law from rates per base pair and generation."""
        death = np.stack([death_process(num_haplotypes + 1, c) for c in intensities])
        rates = (bin_width * recombination_rate, bin_width * mutation_rate)
        return cls(num_haplotypes, np.asarray(times), death, bin_width, *rates)


@dataclass(frozen=True)
class ModelGenome:
    """A graph and its genotypes, bin by bin.

    Attributes:
        trees: level matrix of every segment.
        moved: a haplotype below the lineage cut at the boundary that opens each bin, -1 for none.
        cut_level: level of the cut.
        genotypes: phased haplotypes with a site in the middle of every bin that has one.
    """

    trees: np.ndarray
    moved: np.ndarray
    cut_level: np.ndarray
    genotypes: Genotypes

    @property
    def segment(self) -> np.ndarray:
        """Index of the tree of every bin."""
        return np.cumsum(self.moved >= 0)


def simulate_genome(generator: np.random.Generator, law: ModelLaw, num_bins: int) -> ModelGenome:
    """Draw a graph and genotypes along a genome."""
    tree = _first_tree(generator, law)
    trees, sites, positions = [tree], [], []
    moved, cut_level = np.full(num_bins, -1, np.int32), np.zeros(num_bins, np.int32)
    for here in range(num_bins):
        length = _pieces(tree, law).sum()
        rate = min(law.recombination, LARGEST_RECOMBINATION_PROBABILITY / length)
        if here and generator.random() < rate * length:
            level, lineage = _random_piece(generator, tree, law)
            tree = _regrafted(generator, tree, level, lineage, law)
            trees.append(tree)
            moved[here], cut_level[here] = lineage[0], level
        if generator.random() < -np.expm1(-law.mutation * _pieces(tree, law).sum()):
            positions.append(here * law.bin_width + law.bin_width // 2)
            derived = np.zeros(law.num_haplotypes, np.int8)
            derived[_random_piece(generator, tree, law)[1]] = 1
            sites.append(derived)
    genotypes = Genotypes.from_arrays(
        np.array(sites), np.array(positions), start=0, end=num_bins * law.bin_width, ploidy=2
    )
    return ModelGenome(np.array(trees, np.int8), moved, cut_level, genotypes)


def true_graphs(
    genome: ModelGenome, problem: ThreadingProblem, draws: int
) -> list[RecombinationGraph]:
    """The true graph as a batch of equal draws, one batch per chunk."""
    size = problem.chunks[0].recombination.shape[0]
    graphs = []
    for start in range(0, len(genome.moved), size):
        moved = genome.moved[start : start + size]
        padding = (0, size - len(moved))
        first = genome.segment[start] - int(moved[0] >= 0)
        trees = genome.trees[first : first + 1 + (moved >= 0).sum()]
        spare = np.repeat(trees[-1:], problem.capacity + 1 - len(trees), axis=0)
        graph = RecombinationGraph(
            trees=jnp.asarray(np.concatenate([trees, spare])),
            moved=jnp.asarray(np.pad(moved, padding, constant_values=-1)),
            cut_level=jnp.asarray(np.pad(genome.cut_level[start : start + size], padding)),
            present=jnp.ones(trees.shape[-1], bool),
        )
        graphs.append(jax.tree.map(lambda a: jnp.broadcast_to(a, (draws, *a.shape)), graph))
    return graphs


def _blocks(tree: np.ndarray, level: int) -> list[np.ndarray]:
    """Members of every lineage that leaves a level (-1: the haplotypes)."""
    first = (tree <= level).argmax(axis=1)
    return [np.flatnonzero(first == block) for block in np.unique(first)]


def _entering(tree: np.ndarray, num_levels: int) -> np.ndarray:
    """Lineages that enter every level, and, one entry more, that leave the last."""
    return np.array([len(_blocks(tree, level)) for level in range(-1, num_levels)])


def _pieces(tree: np.ndarray, law: ModelLaw) -> np.ndarray:
    """Branch length below every level's time, up to the root."""
    levels = np.arange(len(law.times))
    below = np.diff(law.times, prepend=0.0) * _entering(tree, len(law.times))[:-1]
    return np.where(levels <= tree.max(), below, 0.0)


def _random_piece(
    generator: np.random.Generator, tree: np.ndarray, law: ModelLaw
) -> tuple[int, np.ndarray]:
    """A point of the tree, uniform in length: the level above it and the lineage."""
    pieces = _pieces(tree, law)
    level = int(generator.choice(len(pieces), p=pieces / pieces.sum()))
    blocks = _blocks(tree, level - 1)
    return level, blocks[generator.integers(len(blocks))]


def _first_tree(generator: np.random.Generator, law: ModelLaw) -> np.ndarray:
    """Kingman's coalescent, level by level."""
    tree = np.full((law.num_haplotypes, law.num_haplotypes), -1)
    blocks = [np.array([haplotype]) for haplotype in range(law.num_haplotypes)]
    for level, death in enumerate(law.death):
        leaving = generator.choice(len(death), p=death[len(blocks)] / death[len(blocks)].sum())
        while len(blocks) > leaving:
            first, second = (
                blocks.pop(generator.integers(len(blocks))),
                blocks.pop(generator.integers(len(blocks))),
            )
            tree[np.ix_(first, second)] = tree[np.ix_(second, first)] = level
            blocks.append(np.concatenate([first, second]))
    return tree


def _regrafted(
    generator: np.random.Generator,
    tree: np.ndarray,
    cut_level: int,
    lineage: np.ndarray,
    law: ModelLaw,
) -> np.ndarray:
    """The tree after the copy of a cut lineage has re-coalesced as one extra lineage."""
    entering = _entering(tree, len(law.times))
    for level in range(cut_level, len(law.times)):
        a, b, death = entering[level], entering[level + 1], law.death[level]
        stay = death[a + 1, b + 1] / death[a, b] * (b + 1) * b / ((a + 1) * a)
        if generator.random() < stay:
            continue
        below, above = _blocks(tree, level - 1), _blocks(tree, level)
        merged = np.array([sum(np.isin(x[0], block) for x in below) for block in above]) + 1.0
        joined = above[generator.choice(len(above), p=merged / merged.sum())]
        partners = np.setdiff1d(joined, lineage)
        if not partners.size:
            return tree
        others = np.setdiff1d(np.arange(len(tree)), lineage)
        distance = np.maximum(tree[partners[0], others], level)
        after = tree.copy()
        after[np.ix_(lineage, others)] = distance[None, :]
        after[np.ix_(others, lineage)] = distance[:, None]
        return after
    raise AssertionError("everything coalesces in the last level")
