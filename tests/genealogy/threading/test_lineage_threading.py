"""Lineages drawn anew on tiny genomes: the exact conditional law, and the posterior at rest.

Held against the sum over all graphs that leave the same behind (`pruned_lineages`).
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from escapement_jax.genealogy.graph.pruned_graph import PrunedGraph, regraft
from escapement_jax.genealogy.threading.backward_sampling import sample_chunk, sample_last_position
from escapement_jax.genealogy.threading.forward_filtering import FilteredChunk
from escapement_jax.genealogy.threading.sequential_pass import graph_log_density, rethread_lineages
from tests.reference.exact_statistics import (
    check_unchanged,
    exact_statistics,
    posterior_draws,
    statistics,
)
from tests.reference.pearson import pearson_p_value
from tests.reference.pruned_lineages import INTERRUPTING, PrunedModel, kinds_of_records
from tests.reference.random_graphs import random_draw
from tests.reference.tiny_genomes import TinyGenome, chunked_graphs
from tests.reference.tiny_threading import (
    CAPACITY,
    DRAWS,
    FOUR,
    FOUR_FINE,
    FOUR_UNSEEN,
    FOUR_WITH_ERROR,
    THREE,
    Graphs,
    choose,
    enter_all,
    filter_all,
    prune_all,
    thread_without_refresh,
    trees_per_bin,
)

slow = pytest.mark.slow
RANDOM_GRAPHS = 400
KINDS = (*INTERRUPTING, "clade", "trunk", "own")
KINDS_AND_EDGES = [f"{kind}{edge}" for kind in KINDS for edge in ("", ", window edge")]
GENOMES = [
    pytest.param(FOUR, id="n4"),
    pytest.param(FOUR_WITH_ERROR, id="n4-error"),
    pytest.param(FOUR_UNSEEN, id="n4-unseen"),
    pytest.param(FOUR_FINE, id="n4-K4"),
]
SAMPLED = [*GENOMES[:3], pytest.param(FOUR_FINE, id="n4-K4", marks=slow)]


@dataclass(frozen=True, eq=False)
class Lineages:
    """Which lineage every draw of a tiny genome takes out, and where it has window edges."""

    graphs: Graphs
    haplotypes: np.ndarray
    floors: np.ndarray
    window_edges: np.ndarray

    def prune(self, graphs: Graphs | None = None) -> list[PrunedGraph]:
        """Take the lineages out, of other graphs than one's own if there are any."""
        chunks = np.split(self.window_edges, len(self.graphs), axis=1)
        lineages = (jnp.asarray(self.haplotypes), jnp.asarray(self.floors))
        return [
            prune_all(graph, *lineages, jnp.asarray(edges))
            for graph, edges in zip(graphs or self.graphs, chunks, strict=True)
        ]


@cache
def random_graphs(genome: TinyGenome) -> list[GraphDraw]:
    """Graphs with records at most boundaries, silent ones among them, that know of no data."""
    rng = np.random.default_rng(genome.seed)
    size = (genome.num_haplotypes, genome.num_levels)
    segments = rng.integers(3, genome.num_bins + 1, RANDOM_GRAPHS)
    return [random_draw(rng, *size, int(number), genome.num_bins) for number in segments]


def graphs_of(draws: list[GraphDraw], genome: TinyGenome) -> Graphs:
    present = np.ones(genome.num_haplotypes, bool)
    return chunked_graphs(draws, present, genome.num_bins, 2, CAPACITY)


def random_lineages(genome: TinyGenome) -> Lineages:
    """Random haplotypes and floors for the random graphs; window edges in every third."""
    rng = np.random.default_rng(genome.seed)
    graphs = graphs_of(random_graphs(genome), genome)
    numbers = np.arange(RANDOM_GRAPHS)
    edges = rng.random((RANDOM_GRAPHS, 2 * len(graphs))) < 0.3 * (numbers % 3 == 2)[:, None]
    edges[:, 0] = False
    return Lineages(
        graphs,
        rng.integers(0, genome.num_haplotypes, RANDOM_GRAPHS, np.int32),
        rng.integers(0, genome.num_levels, RANDOM_GRAPHS, np.int32),
        edges,
    )


@cache
def lineages_by_kind(genome: TinyGenome) -> dict[str, list[tuple[int, int, int]]]:
    """Random graphs, haplotypes and floors, by what happens to the lineage.

    The floors leave a choice of levels: there is none in the last, where all that is left joins.
    """
    draws, found = random_graphs(genome), {}
    for number, draw in enumerate(draws):
        for haplotype in range(genome.num_haplotypes):
            for floor in range(genome.num_levels - 1):
                for kind in set(kinds_of_records(draw, haplotype, floor)):
                    found.setdefault(kind, []).append((number, haplotype, floor))
    return found


def filter_genome(
    pruned: list[PrunedGraph], genome: TinyGenome
) -> tuple[list[FilteredChunk], jax.Array]:
    """Forward filtering of a batch of lineages; also the message in the last bin."""
    message, filtered = enter_all(pruned[0], genome.model), []
    for graph, chunk in zip(pruned, genome.chunks, strict=True):
        of_chunk, message, _ = filter_all(graph, chunk, message, genome.model)
        filtered.append(of_chunk)
    return filtered, message


@pytest.mark.parametrize("genome", GENOMES)
def test_messages_are_the_sums_over_all_graphs_that_leave_the_same(genome):
    """Forward filtering to rounding, in every bin, across interruptions of every kind."""
    lineages, draws = random_lineages(genome), random_graphs(genome)
    filtered, last = filter_genome(lineages.prune(), genome)
    messages = np.concatenate([*(chunk.messages for chunk in filtered), last[:, None]], 1)[:, 1:]
    messages = np.asarray(messages)
    kinds: Counter = Counter()
    for i, draw in enumerate(draws):
        haplotype, floor = int(lineages.haplotypes[i]), int(lineages.floors[i])
        kinds.update(kinds_of_records(draw, haplotype, floor))
        model = pruned_model(genome, haplotype, floor)
        sums = model.forward(draw, lineages.window_edges[i, : genome.num_bins])
        branch, level = model.positions.T
        for here in range(genome.num_bins):
            possible = sums[here] > 0
            expected = sums[here, possible] / sums[here].sum()
            ours = messages[i, here, branch, level][possible]
            np.testing.assert_allclose(ours / ours.sum(), expected, rtol=1e-9)
    assert min(kinds[kind] for kind in KINDS) > 0
    assert sum(draw.silent.sum() for draw in draws) > 20


@cache
def pruned_model(genome: TinyGenome, haplotype: int, floor: int) -> PrunedModel:
    return PrunedModel(genome, haplotype, floor)


@pytest.mark.parametrize("genome", GENOMES)
def test_what_is_left_does_not_depend_on_the_lineage_that_was_put_back(genome):
    lineages = random_lineages(genome)
    pruned = lineages.prune()
    for seed in range(4):
        grown, _ = thread_without_refresh(jax.random.key(seed), pruned, genome)
        pairs = zip(grown, lineages.graphs, strict=True)
        changed = [(trees_per_bin(a) != trees_per_bin(b)).any((1, 2, 3)) for a, b in pairs]
        assert np.any(changed, 0).mean() > 0.3
        for before, after in zip(pruned, lineages.prune(grown), strict=True):
            assert_same_remains(before, after)


def assert_same_remains(ours: PrunedGraph, theirs: PrunedGraph) -> None:
    for name in ("forests", "clades", "moved", "cut_level", "present", "haplotype", "floor"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    a, b = (jax.tree.map(np.asarray, pruned.interruptions) for pruned in (ours, theirs))
    for name in ("here", "left_free", "right_free", "moved", "cut_level"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    for side in ("left", "right"):
        held = a.here & ~getattr(a, f"{side}_free")
        for name in ("branch" if side == "left" else "block", "level"):
            mine, other = (getattr(stops, f"{side}_{name}")[held] for stops in (a, b))
            np.testing.assert_array_equal(mine, other)


def names_of(graphs: Graphs) -> list[bytes]:
    """One name for every graph drawn."""
    fields = []
    for graph in graphs:
        trees = trees_per_bin(graph).reshape(DRAWS, -1)
        fields += [trees, np.asarray(graph.moved), np.asarray(graph.cut_level)]
    return [row.tobytes() for row in np.concatenate(fields, axis=1)]


@cache
def cases_with_choice(genome: TinyGenome) -> list[tuple[tuple[int, int, int], int | None]]:
    """For all that may happen: of twenty lineages the one that has the most ways to go.

    Once as it is and once with a window edge.
    """

    def ways(case: tuple[tuple[int, int, int], int | None]) -> float:
        (number, haplotype, floor), edge = case
        edges = np.arange(genome.num_bins) == edge
        model = pruned_model(genome, haplotype, floor)
        return model.number_of_paths(random_graphs(genome)[number], edges)

    cases = []
    for kind in KINDS:
        found = lineages_by_kind(genome)[kind][:20]
        edges = range(1, genome.num_bins)
        cases.append(max(((case, None) for case in found), key=ways))
        cases.append(max(product(found, edges), key=ways))
    return cases


@cache
def filtered_cases(genome: TinyGenome) -> tuple[list[PrunedGraph], list[FilteredChunk], jax.Array]:
    """Those lineages taken out and filtered, in a batch as large as that of random lineages."""
    cases = cases_with_choice(genome)
    cases = [cases[i % len(cases)] for i in range(RANDOM_GRAPHS)]
    numbers, haplotypes, floors = zip(*(case for case, _ in cases), strict=True)
    graphs = graphs_of([random_graphs(genome)[number] for number in numbers], genome)
    edges = np.array([[-1 if edge is None else edge] for _, edge in cases])
    at_edge = np.arange(2 * len(graphs)) == edges
    lineages = Lineages(graphs, np.int32(haplotypes), np.int32(floors), at_edge)
    pruned = lineages.prune()
    return pruned, *filter_genome(pruned, genome)


def regraft_many(genome: TinyGenome, index: int) -> Graphs:
    """Put the lineage of a case back 12,000 times."""
    pruned, filtered, message = choose_case(filtered_cases(genome), index)
    key = jax.random.key(index)
    last = sample_last(jax.random.split(key, DRAWS), message, pruned[-1])
    grown = []
    for here in reversed(range(len(pruned))):
        keys = jax.random.split(jax.random.fold_in(key, here), DRAWS)
        path = sample_path(keys, filtered[here], pruned[here], genome.chunks[here], last)
        last = (path.entering_branch, path.entering_level)
        graph, overflow = regraft_paths(pruned[here], path)
        assert not overflow.any()
        grown.append(graph)
    return grown[::-1]


def log_density_of(graphs: Graphs, draws: np.ndarray, genome: TinyGenome) -> np.ndarray:
    """Log density of some draws, so many at a time that one compilation serves."""
    size = 500
    padded = np.resize(draws, -(-len(draws) // size) * size)
    batches = [choose(graphs, batch) for batch in padded.reshape(-1, size)]
    densities = [graph_log_density(batch, genome.chunks, genome.model) for batch in batches]
    return np.concatenate(densities)[: len(draws)]


def choose_case(batch, index: int):
    return jax.tree.map(lambda leaf: leaf[index], batch)


sample_last = jax.jit(jax.vmap(sample_last_position, in_axes=(0, None, None)))
sample_path = jax.jit(jax.vmap(sample_chunk, in_axes=(0, None, None, None, 0)))
regraft_paths = jax.jit(jax.vmap(regraft, in_axes=(None, 0)))


@pytest.mark.statistical
@pytest.mark.parametrize("index", range(2 * len(KINDS)), ids=KINDS_AND_EDGES)
@pytest.mark.parametrize("genome", SAMPLED)
def test_lineages_are_drawn_from_their_conditional_law(genome, index):
    """Pearson's test of 12,000 lineages put back; false alarms 1e-5 each."""
    (number, haplotype, floor), edge = cases_with_choice(genome)[index]
    grown = regraft_many(genome, index)
    sums = pruned_model(genome, haplotype, floor).forward(
        random_graphs(genome)[number], np.arange(genome.num_bins) == edge
    )
    names = names_of(grown)
    first = {name: draw for draw, name in enumerate(names)}
    log_density = log_density_of(grown, np.array(list(first.values())), genome)
    share = np.exp(log_density) / sums[-1].sum()
    expected = dict(zip(first, DRAWS * share, strict=True))
    assert pearson_p_value(Counter(names), expected, DRAWS) > 1e-5


@pytest.mark.statistical
@pytest.mark.parametrize(
    "genome",
    [
        pytest.param(THREE, id="n3"),
        pytest.param(FOUR_WITH_ERROR, id="n4-error", marks=slow),
        pytest.param(FOUR_FINE, id="n4-K4", marks=slow),
    ],
)
def test_rethreading_random_lineages_leaves_the_posterior_invariant(genome):
    """Weighted draws of the pass, before and after eight steps; false alarms 6e-5 a statistic."""
    graphs, effective = posterior_draws(genome)
    before = statistics(graphs, genome)
    rng = np.random.default_rng(genome.seed)
    for step in range(8):
        haplotypes = jnp.asarray(rng.integers(0, genome.num_haplotypes, DRAWS, np.int32))
        floors = jnp.asarray(rng.integers(0, genome.num_levels, DRAWS, np.int32))
        graphs = rethread_lineages(
            jax.random.key(step), graphs, genome.chunks, haplotypes, floors, genome.model
        )
    after = statistics(graphs, genome)
    check_unchanged(before, after, exact_statistics(genome), effective)
