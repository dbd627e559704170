"""The discretised SMC' by enumeration of all trees: slow, plain, independent of the package.

A tree on K time levels is a tuple of K + 1 partitions of the haplotypes: `tree[m]` holds the
blocks that enter level m (`tree[0]` the singletons), `tree[m + 1]` the blocks that leave it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import factorial, prod

import numpy as np

Block = frozenset[int]
Partition = frozenset[Block]
Tree = tuple[Partition, ...]

RECOMBINATION_CAP = 0.95


@dataclass(frozen=True, eq=False)
class EnumeratedData:
    """Genotypes and rates on genome bins.

    `invariant_rate` [bins] is the mutation rate summed over the invariant bases of a bin;
    `recombination` [bins] the rate across the boundary that enters a bin (its first entry is not
    used); `haplotypes` [sites, haplotypes] holds 0, 1 or -1 (missing); `site_bin` and
    `site_mutation_rate` [sites] the bin and mutation rate of each site. Rates are per generation.
    """

    invariant_rate: np.ndarray
    recombination: np.ndarray
    haplotypes: np.ndarray
    site_bin: np.ndarray
    site_mutation_rate: np.ndarray


@dataclass(frozen=True)
class Recombination:
    """The cut of block `moved` between `times[level - 1]` and `times[level]`, and what came of it.

    `before` and `after` are tree numbers; `density` is the branch length at risk times the
    probability of `after`, so that the event has probability h * density given `before`.
    """

    before: int
    level: int
    moved: Block
    after: int
    density: float


@dataclass(frozen=True, eq=False)
class EnumeratedModel:
    """Every tree of `num_haplotypes` on the grid, with the laws of the discretised SMC'.

    `times` and `edges` [levels] are the representatives and lower edges of the levels in
    generations, `sizes` [levels] the diploid population size inside each. With
    `errors_at_variable_sites` genotypes are wrong only where the true alleles differ.
    """

    num_haplotypes: int
    times: np.ndarray
    edges: np.ndarray
    sizes: np.ndarray
    root_derived_probability: float = 0.02
    genotype_error: float = 0.0
    errors_at_variable_sites: bool = False

    @property
    def num_levels(self) -> int:
        """The number of time levels K."""
        return len(self.times)

    @property
    def spans(self) -> np.ndarray:
        """The branch segment below each level's time: w_m = times[m] - times[m - 1]."""
        return np.diff(self.times, prepend=0.0)

    @cached_property
    def trees(self) -> tuple[Tree, ...]:
        """All trees: chains of ever coarser partitions that end in one block."""
        chains: list[Tree] = [(frozenset(frozenset([j]) for j in range(self.num_haplotypes)),)]
        for _ in range(self.num_levels):
            chains = [chain + (coarser,) for chain in chains for coarser in coarsenings(chain[-1])]
        return tuple(chain for chain in chains if len(chain[-1]) == 1)

    @cached_property
    def tree_number(self) -> dict[Tree, int]:
        """The position of a tree in `trees`."""
        return {tree: number for number, tree in enumerate(self.trees)}

    @cached_property
    def death_process(self) -> np.ndarray:
        """The probability [level, a, b] that a lineages become b within a level."""
        largest = self.num_haplotypes + 1
        levels = [
            lineage_death_process(largest, width / (2 * size))
            for width, size in zip(np.diff(self.edges), self.sizes[:-1], strict=True)
        ]
        all_merge = np.zeros((largest + 1, largest + 1))
        all_merge[1:, 1] = 1.0
        return np.stack([*levels, all_merge])

    @cached_property
    def prior(self) -> np.ndarray:
        """Kingman's probability of each tree."""
        return np.array(
            [
                prod(
                    self._merger_probability(m, merger_sizes(tree, m).values())
                    for m in range(self.num_levels)
                )
                for tree in self.trees
            ]
        )

    @cached_property
    def log_prior(self) -> np.ndarray:
        """The logarithm of Kingman's probability of each tree."""
        return np.log(self.prior)

    @cached_property
    def lengths(self) -> np.ndarray:
        """The total branch length of each tree in generations."""
        lineages = np.array([[len(partition) for partition in tree[:-1]] for tree in self.trees])
        return np.where(lineages > 1, lineages, 0) @ self.spans

    @cached_property
    def recombinations(self) -> tuple[Recombination, ...]:
        """Every (tree, cut, re-coalescence), silent ones included, with its density."""
        return tuple(
            Recombination(before, level, moved, self.tree_number[after], span * probability)
            for before, tree in enumerate(self.trees)
            for level, span in enumerate(self.spans[: root_level(tree) + 1])
            for moved in tree[level]
            for after, probability in self._recoalescences(tree, level, moved)
        )

    @cached_property
    def jump_density(self) -> np.ndarray:
        """The density [tree, next tree] of recombinations, to be multiplied by h."""
        density = np.zeros((len(self.trees), len(self.trees)))
        for event in self.recombinations:
            density[event.before, event.after] += event.density
        return density

    def transition_matrix(self, recombination: float) -> np.ndarray:
        """The probability of each next tree: cuts have density h = min(recombination, 0.95 / L)."""
        rate = np.minimum(recombination, RECOMBINATION_CAP / self.lengths)
        return np.diag(1 - rate * self.lengths) + rate[:, None] * self.jump_density

    def site_likelihood(self, tree: Tree, alleles: Sequence[int], mutation_rate: float) -> float:
        """The probability of one site by pruning, with symmetric mutation between two states."""
        error = self.genotype_error
        leaf = {0: np.array([1 - error, error]), 1: np.array([error, 1 - error]), -1: np.ones(2)}
        leaves = np.stack([leaf[int(allele)] for allele in alleles])
        likelihood = self._prune(tree, leaves, mutation_rate)
        if not self.errors_at_variable_sites:
            return likelihood
        constant = (np.tile(state, (self.num_haplotypes, 1)) for state in np.eye(2))
        return likelihood - sum(
            self._prune(tree, truth, mutation_rate) * (truth * leaves).sum(1).prod()
            for truth in constant
        )

    def _prune(self, tree: Tree, leaves: np.ndarray, mutation_rate: float) -> float:
        partial = {block: leaves[min(block)] for block in tree[0]}
        for m in range(root_level(tree) + 1):
            change = (1 - np.exp(-2 * mutation_rate * self.spans[m])) / 2
            mutate = np.array([[1 - change, change], [change, 1 - change]])
            below = {child: mutate @ vector for child, vector in partial.items()}
            partial = {
                block: prod((below[child] for child in below if child <= block), start=np.ones(2))
                for block in tree[m + 1]
            }
        (root,) = partial.values()
        return float(root @ [1 - self.root_derived_probability, self.root_derived_probability])

    def emissions(self, data: EnumeratedData) -> np.ndarray:
        """The probability [bins, trees] of each bin's data given its tree."""
        emission = np.exp(-np.outer(data.invariant_rate, self.lengths))
        for alleles, site_bin, rate in zip(
            data.haplotypes, data.site_bin, data.site_mutation_rate, strict=True
        ):
            emission[site_bin] *= [self.site_likelihood(tree, alleles, rate) for tree in self.trees]
        return emission

    def log_evidence(self, data: EnumeratedData) -> float:
        """The exact log P(D), all trees of all bins summed out."""
        emission = self.emissions(data)
        forward = self.prior * emission[0]
        log_scale = 0.0
        for here in range(1, len(emission)):
            forward = (forward @ self.transition_matrix(data.recombination[here])) * emission[here]
            total = forward.sum()
            forward, log_scale = forward / total, log_scale + np.log(total)
        return float(log_scale + np.log(forward.sum()))

    def stationarity_defect(self, recombination: float) -> float:
        """The L1 change of Kingman's law in one step, relative to the probability of an event."""
        step = self.transition_matrix(recombination)
        events = self.prior @ np.minimum(recombination * self.lengths, RECOMBINATION_CAP)
        return float(np.abs(self.prior @ step - self.prior).sum() / events)

    def detailed_balance_defect(self) -> float:
        """The largest difference between a flow and its reverse, relative to the largest flow."""
        flow = self.prior[:, None] * self.jump_density
        return float(np.abs(flow - flow.T).max() / flow.max())

    def projection_defect(self) -> float:
        """The largest difference of the flows of n haplotypes, the last dropped, and of n - 1.

        Flows are indexed by (tree, cut level, moved block, next tree) and relative to the total. A
        cut of a branch that only the last haplotype has, or above the root of the others, is no
        event.
        """
        smaller = EnumeratedModel(self.num_haplotypes - 1, self.times, self.edges, self.sizes)
        last = self.num_haplotypes - 1
        flow: dict[tuple[Tree, int, Block, Tree], float] = defaultdict(float)
        for event in self.recombinations:
            before, moved = lump(self.trees[event.before]), event.moved - {last}
            if moved and event.level <= root_level(before):
                key = (before, event.level, moved, lump(self.trees[event.after]))
                flow[key] += self.prior[event.before] * event.density
        total = sum(flow.values())
        for event in smaller.recombinations:
            before, after = smaller.trees[event.before], smaller.trees[event.after]
            key = (before, event.level, event.moved, after)
            flow[key] -= smaller.prior[event.before] * event.density
        return max(abs(difference) for difference in flow.values()) / total

    def _merger_probability(self, level: int, sizes: Iterable[int]) -> float:
        """Kingman's probability of one partition of a lineages into blocks of the given sizes."""
        sizes = list(sizes)
        a, b = sum(sizes), len(sizes)
        chains = factorial(a) * factorial(a - 1)
        mergers = factorial(b) * factorial(a - b) * factorial(b - 1) * prod(map(factorial, sizes))
        return float(self.death_process[level, a, b] * mergers / chains)

    def _recoalescences(self, tree: Tree, level: int, moved: Block) -> Iterator[tuple[Tree, float]]:
        """Kingman's conditional law of one extra lineage: a copy of `moved` enters at `level`."""
        still_alone = 1.0
        for m in range(level, self.num_levels):
            sizes = merger_sizes(tree, m)
            known = self._merger_probability(m, sizes.values())
            for block in sizes:
                grown = [size + (other == block) for other, size in sizes.items()]
                joins = self._merger_probability(m, grown) / known
                yield regraft(tree, level, moved, m, block), still_alone * joins
            still_alone *= self._merger_probability(m, [*sizes.values(), 1]) / known


def lineage_death_process(largest: int, coalescent_time: float) -> np.ndarray:
    """Return P(a lineages become b) [a, b] by uniformisation, a sum of non-negative terms.

    No cancellation, so that even tiny probabilities are accurate and their ratios can be trusted.
    """
    counts = np.arange(largest + 1)
    rates = counts * (counts - 1) / 2
    jump = np.diag(1 - rates / rates[-1]) + np.diag(rates[1:] / rates[-1], -1)
    events = rates[-1] * coalescent_time
    term = np.exp(-events) * np.eye(largest + 1)
    total = np.zeros_like(term)
    for order in range(1, int(events + 20 * np.sqrt(events)) + 60):
        total += term
        term = term @ jump * (events / order)
    return total


def coarsenings(partition: Partition) -> Iterator[Partition]:
    """Yield every partition that merges blocks of this one, itself included."""
    for groups in set_partitions(sorted(partition, key=min)):
        yield frozenset(frozenset().union(*group) for group in groups)


def set_partitions(items: list[Block]) -> Iterator[list[list[Block]]]:
    """Yield every way to split a list into groups."""
    if not items:
        yield []
        return
    first, others = items[0], items[1:]
    for groups in set_partitions(others):
        yield [[first], *groups]
        for k, group in enumerate(groups):
            yield [*groups[:k], [first, *group], *groups[k + 1 :]]


def root_level(tree: Tree) -> int:
    """Return the level at which all lineages have merged."""
    return next(m for m in range(len(tree) - 1) if len(tree[m + 1]) == 1)


def merger_sizes(tree: Tree, level: int) -> dict[Block, int]:
    """Return, for each block leaving a level, how many blocks merged into it."""
    return {block: sum(child <= block for child in tree[level]) for block in tree[level + 1]}


def regraft(tree: Tree, cut_level: int, moved: Block, join_level: int, target: Block) -> Tree:
    """Move a block, cut below `cut_level`, onto the block `target` that leaves `join_level`."""
    destination = target - moved
    if not destination:
        return tree
    moved_tree = list(tree[: cut_level + 1])
    for m in range(cut_level, len(tree) - 1):
        others = drop(tree[m + 1], moved)
        if m < join_level:
            moved_tree.append(others | {moved})
        else:
            moved_tree.append(frozenset(b | moved if destination <= b else b for b in others))
    return tuple(moved_tree)


def lump(tree: Tree) -> Tree:
    """Return the tree without its last haplotype."""
    last = frozenset([max(max(block) for block in tree[0])])
    return tuple(drop(partition, last) for partition in tree)


def drop(partition: Partition, haplotypes: Block) -> Partition:
    """Return the partition of the other haplotypes."""
    return frozenset(block - haplotypes for block in partition if block - haplotypes)


def level_matrix(tree: Tree) -> np.ndarray:
    """Return the level [n, n] at which two haplotypes coalesce, -1 on the diagonal."""
    n = len(tree[0])
    matrix = np.full((n, n), -1, dtype=np.int8)
    for i in range(n):
        for j in range(n):
            if i != j:
                matrix[i, j] = next(
                    m for m in range(len(tree) - 1) if any({i, j} <= block for block in tree[m + 1])
                )
    return matrix
