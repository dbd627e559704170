"""Windows side by side: the layout of chunks, and what a move leaves as it is at their edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.config.genealogy import InferConfig
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.model.threading_problem import threading_problem
from escapement_jax.genealogy.threading.gibbs_sweep import gibbs_sweep, num_floors, random_floors
from escapement_jax.genealogy.threading.sequential_pass import (
    empty_graphs,
    graph_draws,
    rethread_lineages,
    thread_haplotypes,
)
from escapement_jax.genealogy.threading.window_layout import WindowLayout

LENGTH, HAPLOTYPES, DRAWS, LEVELS = 30_000, 4, 6, 8


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_chunks_come_back_in_order(num_chunks, size, data):
    size = min(size, num_chunks)
    layout = WindowLayout(num_chunks, size, data.draw(st.integers(0, size - 1)))
    chunks = [np.array([index]) for index in range(num_chunks)]
    columns = layout.columns(chunks, np.array([-1]), np.array([-2]))
    assert len(columns) == size
    assert {column.shape for column in columns} == {(layout.num_windows, 1)}
    rows = np.stack(columns, axis=1)[..., 0].ravel()
    # Read window after window, the genome stands between the empty places.
    behind = rows.size - layout.shift - num_chunks
    expected = [-1] * layout.shift + list(range(num_chunks)) + [-2] * behind
    assert rows.tolist() == expected
    assert [int(chunk[0]) for chunk in layout.chunks(columns)] == list(range(num_chunks))


def test_the_number_of_windows_does_not_depend_on_the_shift():
    assert len({WindowLayout(7, 3, shift).num_windows for shift in range(3)}) == 1
    assert WindowLayout.whole(7).num_windows == 1


@pytest.mark.parametrize(("size", "shift"), [(0, 0), (3, 3), (3, -1)])
def test_impossible_layouts_are_refused(size, shift):
    with pytest.raises(ValueError, match="shift < size"):
        WindowLayout(7, size, shift)


@pytest.fixture(scope="module")
def passed():
    """A problem of three chunks, and graphs from a pass."""
    generator = np.random.default_rng(2)
    haplotypes = generator.integers(0, 2, (12, HAPLOTYPES)).astype(np.int8)
    haplotypes[:, 0], haplotypes[:, 1] = 0, 1
    positions = np.sort(generator.choice(LENGTH, len(haplotypes), replace=False))
    config = InferConfig(
        mutation_rate=1.25e-8,
        recombination_rate=1e-8,
        population_size=1e4,
        time_levels=LEVELS,
        bin_width=25,
    )
    genotypes = Genotypes.from_arrays(haplotypes, positions, start=0, end=LENGTH)
    problem = threading_problem(genotypes, config)
    assert len(problem.chunks) == 3
    return problem, run_pass(problem, None)


def run_pass(problem, layout):
    """Graphs of a pass in the order of the data."""
    graphs = empty_graphs(jnp.zeros(DRAWS, jnp.int32), HAPLOTYPES, problem.chunks, problem.capacity)
    for haplotype in range(1, HAPLOTYPES):
        leaves = jnp.full(DRAWS, haplotype, jnp.int32)
        key = jax.random.fold_in(jax.random.key(0), haplotype)
        graphs, weights = thread_haplotypes(
            key, graphs, problem.chunks, leaves, problem.model, layout
        )
        assert np.isfinite(weights).all()
    return graphs


@pytest.mark.parametrize("shift", [0, 1])
def test_a_move_keeps_the_tree_at_the_edges_of_windows(passed, shift):
    """And moves it elsewhere; the last bin of a window and the first of the next are held."""
    problem, graphs = passed
    layout = WindowLayout(3, 2, shift)
    haplotypes = jnp.arange(DRAWS, dtype=jnp.int32) % HAPLOTYPES
    floors = jnp.arange(DRAWS, dtype=jnp.int32) // 2
    moved = rethread_lineages(
        jax.random.key(1), graphs, problem.chunks, haplotypes, floors, problem.model, layout
    )
    chunk = next(i for i in range(1, 3) if (i + shift) % 2 == 0)
    size = problem.chunks[0].recombination.shape[0]
    held = np.array([chunk * size - 1, chunk * size])
    changed = 0
    pairs = zip(*(graph_draws(g, problem.bins.num_bins) for g in (graphs, moved)), strict=True)
    for before, after in pairs:
        after.validate(LEVELS, problem.bins.num_bins)
        trees = [draw.trees[draw.segment_of_bin(held)] for draw in (before, after)]
        np.testing.assert_array_equal(*trees)
        changed += len(before.trees) != len(after.trees)
    assert changed > 0


def test_sweeps_in_windows_leave_valid_graphs_that_agree_between_chunks(passed):
    problem, graphs = passed
    ticks = []
    swept = gibbs_sweep(jax.random.key(3), graphs, problem, windows=3, moved=ticks.append)
    assert len(ticks) == HAPLOTYPES
    check_whole(swept, problem)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2])
def test_a_pass_in_windows_leaves_valid_graphs_that_agree_between_chunks(passed, size):
    problem, _ = passed
    layout = WindowLayout(3, size)
    assert layout.edges == list(range(size, 3, size))
    check_whole(run_pass(problem, layout), problem)


def check_whole(graphs, problem):
    """Neighbouring chunks agree on the tree between them, and all records are as they must be."""
    for left, right in zip(graphs[:-1], graphs[1:], strict=True):
        last = left.has_record.sum(1)
        ends = jax.vmap(lambda trees, index: trees[index])(left.trees, last)
        np.testing.assert_array_equal(ends, right.trees[:, 0])
    for draw in graph_draws(graphs, problem.bins.num_bins):
        draw.validate(LEVELS, problem.bins.num_bins)


def test_a_quarter_of_the_floors_is_zero_and_the_rest_is_uniform(passed):
    levels = num_floors(passed[0])
    assert 1 <= levels <= LEVELS
    floors = np.asarray(random_floors(jax.random.key(0), (100, 100), levels))
    share = np.bincount(floors.ravel(), minlength=levels) / floors.size
    expected = np.full(levels, 0.75 / levels)
    expected[0] += 0.25
    # Five standard deviations of a share of 10,000.
    np.testing.assert_allclose(share, expected, atol=0.025)
