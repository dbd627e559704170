"""Laws that threading obeys on any genome: symmetries, scaling, bins, precision, shapes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import jax
import jax.numpy as jnp
import msprime
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.config.genealogy import InferConfig
from escapement_jax.genealogy.genome.genome_bins import GenomeBins, GenomeChunk, make_chunks
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from escapement_jax.genealogy.graph.pruned_graph import beside_graph
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.mutation_model import mutation_model
from escapement_jax.genealogy.model.threading_model import ThreadingModel, threading_model
from escapement_jax.genealogy.model.threading_problem import threading_problem
from escapement_jax.genealogy.threading.forward_filtering import entering_message, filter_chunk
from escapement_jax.genealogy.threading.sequential_pass import (
    empty_graphs,
    graph_draws,
    thread_haplotypes,
)
from tests.reference.tiny_genomes import chunked_graphs

HAPLOTYPES, LEVELS, BINS = 6, 5, 24
LAST = HAPLOTYPES - 1
TIMES = np.array([500.0, 2000.0, 6000.0, 15_000.0, 40_000.0])
INTENSITIES = np.array([0.05, 0.15, 0.3, 0.7, np.inf])
CHUNK, CAPACITY = BINS + 1, 24
"""Shapes that most tests share, so that little is compiled; the last bin is padding."""

COMPILE_EVENT = "/jax/core/compile/backend_compile_duration"


def make_model(time_unit: float = 1.0) -> ThreadingModel:
    mutation = mutation_model(0.05, 0.01)
    return threading_model(TIMES * time_unit, INTENSITIES, HAPLOTYPES, mutation)


def random_bins(num_bins: int, seed: int, highest_recombination: float = 8e-6) -> GenomeBins:
    rng = np.random.default_rng(seed)
    site_bin = np.sort(rng.choice(num_bins, num_bins // 2, replace=False))
    genotypes = rng.integers(0, 2, (site_bin.size, HAPLOTYPES))
    genotypes[rng.random(genotypes.shape) < 0.1] = -1
    recombination = rng.uniform(0, highest_recombination, num_bins)
    recombination[0] = 0
    return GenomeBins(
        edges=np.arange(num_bins + 1.0),
        recombination=recombination,
        invariant_mutation=rng.uniform(0, 1e-5, num_bins),
        site_bin=site_bin,
        site_mutation=rng.uniform(1e-6, 4e-6, site_bin.size),
        genotypes=genotypes.astype(np.int8),
    )


@dataclass(frozen=True)
class Trunk:
    """Graphs of some haplotypes of a genome, on the host."""

    bins: GenomeBins
    draws: Sequence[GraphDraw]
    present: np.ndarray

    def evidence(
        self,
        haplotype: int = LAST,
        *,
        model: ThreadingModel | None = None,
        bins_per_chunk: int = CHUNK,
    ) -> np.ndarray:
        """Log evidence of threading one haplotype onto every draw."""
        num_bins = self.bins.num_bins
        graphs = chunked_graphs(self.draws, self.present, num_bins, bins_per_chunk, CAPACITY)
        chunks = make_chunks(self.bins, bins_per_chunk)
        return log_evidence(graphs, chunks, haplotype, model or make_model())


enter_all = jax.jit(jax.vmap(entering_message, in_axes=(0, None)))
filter_all = jax.jit(jax.vmap(filter_chunk, in_axes=(0, None, 0, None)))
beside_all = jax.jit(jax.vmap(beside_graph, in_axes=(0, None)))


def log_evidence(
    graphs: Sequence[RecombinationGraph],
    chunks: Sequence[GenomeChunk],
    haplotype: int,
    model: ThreadingModel,
) -> np.ndarray:
    """Evidence of threading one haplotype onto a batch of graphs, without drawing its path."""
    leaf = jnp.asarray(haplotype, jnp.int32)
    pruned = [beside_all(graph, leaf) for graph in graphs]
    message = enter_all(pruned[0], model)
    total = 0.0
    for graph, chunk in zip(pruned, chunks, strict=True):
        _, message, of_chunk = filter_all(graph, chunk, message, model)
        assert of_chunk.dtype == model.times.dtype
        total = total + np.asarray(of_chunk, dtype=np.float64)
    return total


@cache
def trunk() -> Trunk:
    """Four graphs of all haplotypes but the last."""
    bins = random_bins(BINS, seed=1)
    graphs, _ = thread_all(bins, range(LAST), CAPACITY)
    return Trunk(bins, graph_draws(graphs, BINS), np.arange(HAPLOTYPES) != LAST)


def thread_all(
    bins: GenomeBins, haplotypes: range, capacity: int
) -> tuple[list[RecombinationGraph], np.ndarray]:
    """Four graphs of some haplotypes, and their log weights."""
    chunks = make_chunks(bins, CHUNK)
    graphs = empty_graphs(jnp.zeros(4, jnp.int32), HAPLOTYPES, chunks, capacity)
    log_weights = np.zeros(4)
    for haplotype in haplotypes[1:]:
        leaves, key = jnp.full(4, haplotype, jnp.int32), jax.random.key(haplotype)
        graphs, evidence = thread_haplotypes(key, graphs, chunks, leaves, make_model())
        log_weights += evidence
    return graphs, log_weights


def test_trunks_have_visible_and_silent_records():
    """Otherwise the laws below would say little."""
    assert sum(draw.silent.sum() for draw in trunk().draws) > 0
    assert sum((~draw.silent).sum() for draw in trunk().draws) > 8


@given(order=st.permutations(range(HAPLOTYPES)))
def test_evidence_does_not_depend_on_labels(order):
    """`order[j]` is the old label of the haplotype that is now called `j`."""
    order = np.array(order)
    new_label = np.argsort(order)
    base = trunk()
    bins = replace(base.bins, genotypes=base.bins.genotypes[:, order])
    draws = [
        replace(
            draw,
            trees=draw.trees[:, order][:, :, order],
            moved=np.where(draw.moved < 0, -1, new_label[draw.moved]).astype(np.int32),
        )
        for draw in base.draws
    ]
    relabelled = Trunk(bins, draws, base.present[order])
    evidence = relabelled.evidence(int(new_label[LAST]))
    np.testing.assert_allclose(evidence, base.evidence(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("unit", [2.0, 0.3])
def test_evidence_does_not_depend_on_the_unit_of_time(unit):
    base = trunk()
    bins = replace(
        base.bins,
        recombination=base.bins.recombination / unit,
        invariant_mutation=base.bins.invariant_mutation / unit,
        site_mutation=base.bins.site_mutation / unit,
    )
    evidence = replace(base, bins=bins).evidence(model=make_model(unit))
    np.testing.assert_allclose(evidence, base.evidence(), rtol=0, atol=1e-9)
    assert np.abs(replace(base, bins=bins).evidence() - base.evidence()).min() > 1e-3


def split_bin(base: Trunk, index: int, share: float, recombination: np.ndarray) -> Trunk:
    """Cut a bin in two, its site in the left part, without a record between the parts.

    `recombination` are the rates on entering the left part, the right one, and the bin after.
    """
    bins = base.bins
    mutation = bins.invariant_mutation[index]
    rates = np.insert(bins.recombination, index, 0.0)
    rates[index : index + 3] = recombination
    parts = np.insert(bins.invariant_mutation, index, 0.0)
    parts[index : index + 2] = share * mutation, (1 - share) * mutation
    split = replace(
        bins,
        edges=np.arange(bins.num_bins + 2.0),
        recombination=rates,
        invariant_mutation=parts,
        site_bin=np.where(bins.site_bin > index, bins.site_bin + 1, bins.site_bin),
    )
    draws = [
        replace(
            draw, first_bin=np.where(draw.first_bin > index, draw.first_bin + 1, draw.first_bin)
        )
        for draw in base.draws
    ]
    return Trunk(split, draws, base.present)


@pytest.mark.parametrize("index", [0, 7, BINS - 2])
def test_splitting_a_bin_without_recombination_is_exact(index):
    base = trunk()
    entering, after = base.bins.recombination[index : index + 2]
    split = split_bin(base, index, 0.3, np.array([entering, 0.0, after]))
    np.testing.assert_allclose(split.evidence(), base.evidence(), rtol=0, atol=1e-9)


def quiet_boundary(base: Trunk) -> int:
    """An inner bin that no draw's record opens."""
    opened = np.concatenate([draw.first_bin for draw in base.draws])
    return int(np.setdiff1d(np.arange(6, BINS - 2), opened)[0])


def test_splitting_a_boundary_changes_the_evidence_at_second_order():
    """Two steps of half the rate differ from one by two recombinations: halve it, quarter that.

    An empty bin is set before bin `index`; rate `rho` is shared by the boundaries on its sides.
    """
    base = trunk()
    index = quiet_boundary(base)
    differences = []
    for rate in (4e-7, 2e-7):
        rates = base.bins.recombination.copy()
        rates[index] = rate
        once = replace(base, bins=replace(base.bins, recombination=rates))
        after = rates[index]
        twice = split_bin(once, index - 1, 1.0, np.array([rates[index - 1], after / 2, after / 2]))
        differences.append(twice.evidence() - once.evidence())
    ratio = differences[0] / differences[1]
    assert np.abs(differences[1]).min() > 1e-9
    np.testing.assert_allclose(ratio, 4.0, rtol=0.2)


@pytest.mark.parametrize("bins_per_chunk", [BINS, 7])
def test_chunks_and_padding_change_nothing(bins_per_chunk):
    evidence = trunk().evidence(bins_per_chunk=bins_per_chunk)
    np.testing.assert_allclose(evidence, trunk().evidence(), rtol=0, atol=1e-9)


def test_too_little_room_for_records_changes_no_draw():
    bins = random_bins(45, seed=2, highest_recombination=4e-5)
    everyone = range(HAPLOTYPES)
    small, small_weights = thread_all(bins, everyone, CAPACITY // 2)
    large, large_weights = thread_all(bins, everyone, CAPACITY)
    assert (np.asarray(large[0].moved) >= 0).sum(1).max() > CAPACITY // 2
    np.testing.assert_allclose(small_weights, large_weights, rtol=0, atol=1e-9)
    for a, b in zip(graph_draws(small, 45), graph_draws(large, 45), strict=True):
        for name in ("trees", "first_bin", "moved", "cut_level"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.fixture
def compilations():
    """The calls of the backend compiler so far, as a list that grows."""
    seen = []

    def note(event: str, duration: float, **_: str | int) -> None:
        if event == COMPILE_EVENT:
            seen.append(duration)

    jax.monitoring.register_event_duration_secs_listener(note)
    yield seen
    jax.monitoring.unregister_event_duration_listener(note)


def test_another_genome_compiles_nothing(compilations):
    """Genomes of one, two and three chunks share every compiled function."""
    thread_all(random_bins(BINS, seed=2), range(HAPLOTYPES), CAPACITY)
    compilations.clear()
    for num_bins in (37, 60):
        thread_all(random_bins(num_bins, seed=num_bins), range(HAPLOTYPES), CAPACITY)
    assert not compilations
    jax.jit(lambda x: x + 1)(1.0)
    assert compilations, "the compiler is not heard"


def simulated_genotypes(num_haplotypes: int, length: int) -> Genotypes:
    ancestry = msprime.sim_ancestry(
        num_haplotypes,
        ploidy=1,
        population_size=20_000,
        sequence_length=length,
        recombination_rate=1e-8,
        random_seed=1,
    )
    mutated = msprime.sim_mutations(
        ancestry, rate=1.25e-8, random_seed=1, model=msprime.BinaryMutationModel()
    )
    positions = mutated.tables.sites.position
    return Genotypes.from_arrays(mutated.genotype_matrix(), positions, start=0, end=length)


@pytest.mark.slow
def test_single_precision_agrees_with_double():
    """Twenty haplotypes and 200 kb, the last one threaded onto the same graphs."""
    config = InferConfig(mutation_rate=1.25e-8, recombination_rate=1e-8)
    problem = threading_problem(simulated_genotypes(20, 200_000), config)
    graphs = empty_graphs(jnp.zeros(2, jnp.int32), 20, problem.chunks, problem.capacity)
    for haplotype in range(1, 19):
        leaves, key = jnp.full(2, haplotype, jnp.int32), jax.random.key(haplotype)
        graphs, _ = thread_haplotypes(key, graphs, problem.chunks, leaves, problem.model)

    def evidence(dtype: jnp.dtype) -> np.ndarray:
        model, chunks = in_precision((problem.model, problem.chunks), dtype)
        return log_evidence(graphs, chunks, 19, model)

    double, single = evidence(jnp.float64), evidence(jnp.float32)
    np.testing.assert_allclose(single, double, rtol=1e-3)
    assert (single != double).any()


def in_precision(tree, dtype):
    """Cast every float of a pytree."""
    return jax.tree.map(
        lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree
    )
