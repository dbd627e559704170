import dataclasses
import json

import numpy as np
import pytest
import tskit
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from escapement_jax.genealogy.graph.graph_nodes import RECOMBINATION_NODE
from escapement_jax.genealogy.tree_sequences.graph_to_tree_sequence import to_tree_sequence
from tests.reference.pruning import level_matrix_log_likelihood, tree_log_likelihood
from tests.reference.random_graphs import random_draw, random_genotypes

START, END, NUM_BINS = 1000, 2000, 50
BIN_EDGES = np.linspace(START, END, NUM_BINS + 1)
EDGES = np.array([0.0, 100.0, 400.0, 1500.0, 5000.0, 20000.0])
TIMES = np.array([40.0, 220.0, 800.0, 2800.0, 11000.0, 31000.0])


def random_case(seed, num_haplotypes, num_levels, num_segments=30):
    generator = np.random.default_rng(seed)
    draw = random_draw(generator, num_haplotypes, num_levels, num_segments, NUM_BINS)
    return draw, random_genotypes(generator, num_haplotypes, 12, START, END)


def export(draw, genotypes, num_levels, **options):
    grid = (EDGES[:num_levels], TIMES[:num_levels])
    return to_tree_sequence(draw, BIN_EDGES, *grid, genotypes, **{"seed": 1, **options})


def local_trees(tree_sequence, draw):
    """The tree of the tree sequence and the level matrix at the middle of every bin."""
    segments = draw.segment_of_bin(np.arange(NUM_BINS))
    for left, right, segment in zip(BIN_EDGES[:-1], BIN_EDGES[1:], segments, strict=True):
        yield tree_sequence.at((left + right) / 2), draw.trees[segment]


def tmrca_matrix(tree, num_haplotypes):
    return np.array(
        [[tree.tmrca(i, j) for j in range(num_haplotypes)] for i in range(num_haplotypes)]
    )


cases = given(
    seed=st.integers(0, 10**6),
    num_haplotypes=st.integers(2, 6),
    num_levels=st.integers(3, 6),
    node_times=st.sampled_from(["uniform", "level"]),
)


@cases
def test_local_trees_are_the_level_matrices(seed, num_haplotypes, num_levels, node_times):
    draw, genotypes = random_case(seed, num_haplotypes, num_levels)
    tree_sequence = export(draw, genotypes, num_levels, node_times=node_times)
    off_diagonal = ~np.eye(num_haplotypes, dtype=bool)
    above = np.append(EDGES[1:num_levels], np.inf)
    for tree, levels in local_trees(tree_sequence, draw):
        assert tree.num_roots == 1
        times = tmrca_matrix(tree, num_haplotypes)[off_diagonal]
        levels = levels[off_diagonal]
        if node_times == "level":
            np.testing.assert_array_equal(times, TIMES[levels])
        assert (EDGES[levels] <= times).all()
        assert (times < above[levels]).all()


@cases
def test_genotypes_and_samples_survive(seed, num_haplotypes, num_levels, node_times):
    draw, genotypes = random_case(seed, num_haplotypes, num_levels)
    tree_sequence = export(draw, genotypes, num_levels, node_times=node_times)
    np.testing.assert_array_equal(tree_sequence.samples(), np.arange(num_haplotypes))
    np.testing.assert_array_equal(tree_sequence.tables.sites.position, genotypes.positions)
    observed = genotypes.haplotypes != -1
    found = [
        [variant.alleles[g] == genotypes.derived_alleles[site] for g in variant.genotypes]
        for site, variant in enumerate(tree_sequence.variants())
    ]
    np.testing.assert_array_equal(np.array(found)[observed], genotypes.haplotypes[observed] == 1)


@cases
def test_recombination_nodes_come_in_pairs_at_record_positions(
    seed, num_haplotypes, num_levels, node_times
):
    draw, genotypes = random_case(seed, num_haplotypes, num_levels)
    tree_sequence = export(draw, genotypes, num_levels, node_times=node_times)
    tables = tree_sequence.tables
    recombinations = np.flatnonzero(tables.nodes.flags & RECOMBINATION_NODE)
    changes = draw.visible_records
    assert len(recombinations) == 2 * len(changes)
    assert tree_sequence.metadata["silent_records"] == draw.silent.sum()
    cuts = draw.cut_level[changes]
    times = tables.nodes.time[recombinations].reshape(-1, 2)
    np.testing.assert_array_equal(times[:, 0], times[:, 1])
    assert (np.append(0, TIMES)[cuts] <= times[:, 0]).all()
    assert (times[:, 0] <= TIMES[cuts]).all()
    positions = BIN_EDGES[draw.first_bin[changes]]
    for left, right, position in zip(*recombinations.reshape(-1, 2).T, positions, strict=True):
        assert tables.edges.right[tables.edges.parent == left].max() == position
        assert tables.edges.left[tables.edges.parent == right].min() == position


def test_site_likelihood_recomputed_by_pruning():
    options = {"mutation_rate": 2e-5, "genotype_error": 0.01, "derived_root": 0.02}
    for seed in range(10):
        draw, genotypes = random_case(seed, 6, 6)
        tree_sequence = export(draw, genotypes, 6, node_times="level")
        bins = np.searchsorted(BIN_EDGES, genotypes.positions, side="right") - 1
        segments = draw.segment_of_bin(bins)
        for position, segment, alleles in zip(
            genotypes.positions, segments, genotypes.haplotypes, strict=True
        ):
            expected = level_matrix_log_likelihood(draw.trees[segment], TIMES, alleles, **options)
            found = tree_log_likelihood(tree_sequence.at(position), alleles, **options)
            assert found == pytest.approx(expected, rel=1e-12)


def small_draw(**changes):
    """Three haplotypes; at bin 20 haplotype 1 leaves haplotype 0 and joins haplotype 2."""
    before = np.array([[-1, 0, 2], [0, -1, 2], [2, 2, -1]], np.int8)
    after = np.array([[-1, 2, 2], [2, -1, 1], [2, 1, -1]], np.int8)
    draw = GraphDraw(
        trees=np.array([before, before, after]),
        first_bin=np.array([0, 10, 20], np.int32),
        moved=np.array([-1, 0, 1], np.int32),
        cut_level=np.array([0, 0, 0], np.int32),
    )
    return dataclasses.replace(draw, **changes)


def small_genotypes(haplotypes=((0, 1, 1),), positions=(1500,)):
    return Genotypes.from_arrays(
        np.array(haplotypes, np.int8), np.array(positions), start=START, end=END
    )


def test_ancestors_span_their_lineages():
    tree_sequence = export(small_draw(), small_genotypes(), 3, node_times="level")
    joined = tree_sequence.at(1500).mrca(1, 2)
    left = tree_sequence.at(START)
    assert left.num_children(joined) == 1  # an ancestor of haplotype 2 before haplotype 1 joins it
    assert left.parent(2) == joined
    abandoned = left.mrca(0, 1)
    assert tree_sequence.at(1500).num_children(abandoned) == 1


def test_a_lineage_may_coalesce_above_the_root():
    above = np.array([[-1, 2, 1], [2, -1, 2], [1, 2, -1]], np.int8)
    before = np.array([[-1, 0, 1], [0, -1, 1], [1, 1, -1]], np.int8)
    draw = small_draw(trees=np.array([before, before, above]))
    tree_sequence = export(draw, small_genotypes(), 3, node_times="level")
    assert tree_sequence.at(START).time(tree_sequence.at(START).root) == TIMES[1]
    assert tree_sequence.at(1500).time(tree_sequence.at(1500).root) == TIMES[2]


def test_repeated_cuts_of_one_branch_stay_apart_in_level_mode():
    states = [small_draw().trees[0], small_draw().trees[2]]
    draw = GraphDraw(
        trees=np.array([states[i % 2] for i in range(NUM_BINS)]),
        first_bin=np.arange(NUM_BINS, dtype=np.int32),
        moved=np.array([-1] + [1] * (NUM_BINS - 1), np.int32),
        cut_level=np.zeros(NUM_BINS, np.int32),
    )
    tree_sequence = export(draw, small_genotypes(), 3, node_times="level")
    times = tree_sequence.tables.nodes.time
    cuts = np.unique(times[tree_sequence.tables.nodes.flags & RECOMBINATION_NODE != 0])
    assert len(cuts) == NUM_BINS - 1
    assert (np.diff(cuts) > TIMES[0] / (4 * NUM_BINS)).all()
    assert tree_sequence.num_trees == NUM_BINS + 1  # and the empty flank


@given(seed=st.integers(0, 10**6))
def test_mutation_times_lie_on_their_branches(seed):
    tree_sequence = export(*random_case(seed, 6, 6), 6)
    tree = tskit.Tree(tree_sequence)
    dated = ~tskit.is_unknown_time(tree_sequence.tables.mutations.time)
    for mutation in np.array(list(tree_sequence.mutations()))[dated]:
        tree.seek(tree_sequence.site(mutation.site).position)
        assert tree.time(mutation.node) <= mutation.time < tree.time(tree.parent(mutation.node))
    assert dated.any()


def test_a_mutation_above_the_root_has_no_time():
    star = np.where(np.eye(4, dtype=bool), -1, 1).astype(np.int8)
    draw = GraphDraw(star[None], *(np.zeros(1, np.int32),) * 3)
    tree_sequence = export(draw, small_genotypes([[0, 1, 1, 1]]), 2)
    assert tree_sequence.num_mutations == 2
    assert all(tskit.is_unknown_time(mutation.time) for mutation in tree_sequence.mutations())


def test_provenance_and_metadata():
    genotypes = dataclasses.replace(
        random_genotypes(np.random.default_rng(0), 6, 5, START, END),
        sample_names=("ann", "bob", "eve"),
        ploidy=2,
    )
    draw, _ = random_case(3, 6, 6)
    tree_sequence = export(draw, genotypes, 6, seed=7, provenance={"mutation_rate": 1.25e-8})
    record = json.loads(tree_sequence.provenance(0).record)
    tskit.validate_provenance(record)
    assert record["parameters"]["mutation_rate"] == 1.25e-8
    assert record["parameters"]["export_seed"] == 7
    names = [individual.metadata["name"] for individual in tree_sequence.individuals()]
    assert names == ["ann", "bob", "eve"]
    assert list(tree_sequence.individual(1).nodes) == [2, 3]
    assert tree_sequence.time_units == "generations"
    assert tree_sequence.sequence_length == END
    assert tree_sequence.at(0).num_edges == 0


def test_the_seed_decides():
    draw, genotypes = random_case(4, 5, 5)
    first, again, other = (export(draw, genotypes, 5, seed=seed) for seed in (1, 1, 2))
    assert first.equals(again, ignore_provenance=True)
    assert not first.equals(other, ignore_provenance=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"genotypes": small_genotypes([[0, 1]])}, "3 haplotypes and the genotypes 2"),
        ({"bin_edges": BIN_EDGES - 1}, "same region"),
        ({"grid_times": EDGES[:3]}, "level 0"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    arguments = {
        "draw": small_draw(),
        "bin_edges": BIN_EDGES,
        "grid_edges": EDGES[:3],
        "grid_times": TIMES[:3],
        "genotypes": small_genotypes(),
        "seed": 1,
    }
    with pytest.raises(ValueError, match=message):
        to_tree_sequence(**{**arguments, **changes})
