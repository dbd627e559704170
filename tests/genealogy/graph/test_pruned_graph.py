"""Lineages taken out of random graphs and put back, against level matrices read slowly."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy.graph import pruned_graph, recombination_graph
from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from escapement_jax.genealogy.graph.pruned_graph import PrunedGraph, ThreadPath, beside_graph
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from tests.reference import level_matrices
from tests.reference.pruned_lineages import (
    BEGINS_FREELY,
    ENDS_FREELY,
    INTERRUPTING,
    kinds_of_records,
    position,
)
from tests.reference.pruned_trees import lineage_pruned
from tests.reference.random_graphs import random_draw
from tests.reference.tiny_genomes import chunked_graphs, tree_per_bin
from tests.reference.tiny_threading import Graphs, choose

HAPLOTYPES, LEVELS, BINS, CHUNK = 6, 5, 24, 8

prune = jax.jit(pruned_graph.prune)
regraft = jax.jit(pruned_graph.regraft)
remove_haplotype = jax.jit(recombination_graph.remove_haplotype)


@dataclass(frozen=True)
class Pruning:
    """A random graph and the lineage to take out of it."""

    draw: GraphDraw
    haplotype: int
    floor: int
    window_edges: np.ndarray

    def graphs(self) -> Graphs:
        """The graph in chunks."""
        present = np.ones(HAPLOTYPES, bool)
        return choose(chunked_graphs([self.draw], present, BINS, CHUNK, CHUNK), 0)

    def pruned(self) -> list[PrunedGraph]:
        """The graph without the lineage, in chunks."""
        edges = np.split(self.window_edges, BINS // CHUNK)
        lineage = (jnp.int32(self.haplotype), jnp.int32(self.floor))
        return [
            prune(graph, *lineage, jnp.asarray(edge))
            for graph, edge in zip(self.graphs(), edges, strict=True)
        ]

    def kinds(self) -> dict[int, str]:
        """What the record that opens a bin does to the lineage."""
        kinds = kinds_of_records(self.draw, self.haplotype, self.floor)
        return dict(zip(self.draw.first_bin[1:].tolist(), kinds, strict=True))

    def positions(self) -> np.ndarray:
        """Where the lineage joins in every bin, [bins, 2]."""
        trees = tree_per_bin(self.draw, BINS)
        places = [position(tree, self.haplotype, self.floor) for tree in trees]
        return np.array(places, np.int32)

    def path(self, start: int) -> ThreadPath:
        """The lineage's own path through a chunk."""
        at, bins = self.positions(), slice(start, start + CHUNK)
        moved, cut_level = np.full(BINS, -1, np.int32), np.zeros(BINS, np.int32)
        own = [i for i, b in enumerate(self.draw.first_bin) if self.kinds().get(b) == "own"]
        moved[self.draw.first_bin[own]] = self.draw.moved[own]
        cut_level[self.draw.first_bin[own]] = self.draw.cut_level[own]
        entering = at[max(start - 1, 0)]
        fields = (at[bins, 0], at[bins, 1], *entering, moved[bins], cut_level[bins])
        return ThreadPath(*map(jnp.asarray, fields))


@st.composite
def prunings(draw_from):
    """A random graph with few or many records, few or many window edges."""
    generator = np.random.default_rng(draw_from(st.integers(0, 10**6)))
    num_segments = draw_from(st.integers(1, BINS))
    edges = generator.random(BINS) < draw_from(st.sampled_from([0.0, 0.3]))
    edges[0] = False
    return Pruning(
        random_draw(generator, HAPLOTYPES, LEVELS, num_segments, BINS),
        draw_from(st.integers(0, HAPLOTYPES - 1)),
        draw_from(st.integers(0, LEVELS - 1)),
        edges,
    )


def lineages_cut(graph: RecombinationGraph | PrunedGraph, trees: jax.Array) -> np.ndarray:
    """Haplotypes below the lineage cut at the boundary that opens each bin; none without."""
    opened, segment = np.asarray(graph.has_record), np.asarray(graph.segment)
    rows = np.asarray(trees)[segment - opened, np.maximum(graph.moved, 0)]
    return opened[:, None] & (rows < np.asarray(graph.cut_level)[:, None])


@given(prunings())
def test_regrafting_along_its_own_path_gives_the_graph_back(case):
    for index, (graph, pruned) in enumerate(zip(case.graphs(), case.pruned(), strict=True)):
        back, overflow = regraft(pruned, case.path(index * CHUNK))
        assert not overflow
        np.testing.assert_array_equal(back.trees[0], graph.trees[0])
        np.testing.assert_array_equal(back.trees[back.segment], graph.trees[graph.segment])
        np.testing.assert_array_equal(back.cut_level, graph.cut_level)
        np.testing.assert_array_equal(back.has_record, graph.has_record)
        ours, theirs = lineages_cut(back, back.trees), lineages_cut(graph, graph.trees)
        np.testing.assert_array_equal(ours, theirs)


@given(prunings())
def test_what_is_left_is_the_clade_and_the_trunk(case):
    trees, everyone = tree_per_bin(case.draw, BINS), np.ones(HAPLOTYPES, bool)
    left = [lineage_pruned(tree, everyone, case.haplotype, case.floor) for tree in trees]
    for index, pruned in enumerate(case.pruned()):
        bins = slice(index * CHUNK, (index + 1) * CHUNK)
        assert pruned.haplotype == case.haplotype
        assert pruned.floor == case.floor
        for here, expected in zip(np.asarray(pruned.segment), left[bins], strict=True):
            np.testing.assert_array_equal(pruned.forests[here], expected.forest)
            np.testing.assert_array_equal(pruned.clades[here], expected.clade)


@given(prunings())
def test_records_of_the_others_stay_with_what_they_cut(case):
    kinds, kept = case.kinds(), np.zeros((BINS, HAPLOTYPES), bool)
    levels = np.zeros(BINS, int)
    for i in range(1, case.draw.num_segments):
        here, before = case.draw.first_bin[i], case.draw.trees[i - 1]
        if kinds[here] != "own":
            lineage = level_matrices.block(before, case.draw.moved[i], case.draw.cut_level[i] - 1)
            clade = level_matrices.block(before, case.haplotype, case.floor - 1)
            kept[here, list((lineage - clade) or lineage)] = True
            levels[here] = case.draw.cut_level[i]
    pruned = case.pruned()
    cut = np.concatenate([lineages_cut(chunk, chunk.forests) for chunk in pruned])
    np.testing.assert_array_equal(cut, kept)
    np.testing.assert_array_equal(np.concatenate([p.cut_level for p in pruned]), levels)


@given(prunings())
def test_the_thread_is_interrupted_where_the_haplotype_passes_to_another_lineage(case):
    kinds, at, trees = case.kinds(), case.positions(), tree_per_bin(case.draw, BINS)
    everyone = np.ones(HAPLOTYPES, bool)
    left = [lineage_pruned(tree, everyone, case.haplotype, case.floor) for tree in trees]
    stops = [chunk.interruptions for chunk in case.pruned()]
    stops = jax.tree.map(lambda *parts: np.concatenate(parts), *stops)
    paths = [case.path(start) for start in range(0, BINS, CHUNK)]
    own_moved = np.concatenate([path.moved for path in paths])
    own_cut = np.concatenate([path.cut_level for path in paths])
    np.testing.assert_array_equal(stops.moved, np.where(case.window_edges, own_moved, -1))
    np.testing.assert_array_equal(stops.cut_level, np.where(case.window_edges, own_cut, 0))
    for here in range(1, BINS):
        kind, edge = kinds.get(here), case.window_edges[here]
        assert stops.here[here] == (edge or kind in INTERRUPTING)
        if not stops.here[here]:
            continue
        has_trunk = [bool(left[bin_].has_trunk) for bin_ in (here - 1, here)]
        assert stops.left_free[here] == (kind in ENDS_FREELY and has_trunk[0] and not edge)
        assert stops.right_free[here] == (kind in BEGINS_FREELY and has_trunk[1] and not edge)
        assert (stops.left_branch[here], stops.left_level[here]) == tuple(at[here - 1])
        branch, level = at[here]
        block = level_matrices.block(np.asarray(left[here].forest), branch, level)
        joined = block if has_trunk[1] else {case.haplotype}
        assert set(np.flatnonzero(stops.right_block[here])) == joined
        assert stops.right_level[here] == level


@given(prunings())
def test_with_floor_zero_the_haplotype_stands_beside_the_graph_of_the_others(case):
    haplotype, no_edge = jnp.int32(case.haplotype), jnp.zeros(CHUNK, bool)
    for graph in case.graphs():
        pruned = prune(graph, haplotype, jnp.int32(0), no_edge)
        beside = beside_graph(remove_haplotype(graph, haplotype), haplotype)
        for name in ("forests", "clades", "moved", "cut_level", "present", "floor"):
            np.testing.assert_array_equal(getattr(pruned, name), getattr(beside, name))
        assert not pruned.interruptions.here.any()
