"""The copying model against sums over paths, its laws, and its gradients.

The oracles in `tests.reference.copying_reference` know nothing of scans or scaled messages.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.genealogy.copying.copying_model import (
    copying_model,
    expected_tmrca,
    fit_population_size,
    log_evidence,
    posterior_marginals,
    sample_paths,
)
from escapement_jax.genealogy.copying.copying_tables import (
    PairCounts,
)
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.time_grid import TimeGrid
from tests.reference.copying_reference import (
    Mosaic,
    emission_by_sites,
    log_evidence_by_matrices,
    marginals_by_paths,
    path_weights,
)

ORDERS = ["sequential", "leave_one_out"]
TRUNKS = ["wedding_cake", "static"]
POPULATION = PiecewiseConstant(jnp.array([0.0, 2_000.0, 9_000.0]), jnp.array([8e3, 3e3, 2e4]))
GRID = TimeGrid.geometric(3, first=3_000.0, last=25_000.0, tail=30_000.0)
MUTATION_RATE = jnp.array([1e-5, 2e-5, 3e-6])
DISTANCE = jnp.array([7.0, 2e-5, 1e-4])  # the first entry must be ignored
SITE_BIN = np.array([0, 0, 1, 2, 2])
INVARIANT_BASES = np.array([3.0, 0.0, 12.0])
GENOTYPE_ERROR = 0.02
HAPLOTYPES = np.array(
    [[0, 1, 0], [1, 1, 0], [0, -1, 1], [-1, 1, 1], [0, 0, 1]], dtype=np.int8
)  # [sites, haplotypes]


def build(num_haplotypes=3, population=POPULATION, grid=GRID, **options):
    """The copying model of the tiny example, unless told otherwise."""
    rates = {"mutation_rate": MUTATION_RATE, "recombination_distance": DISTANCE}
    return copying_model(num_haplotypes, population, grid, **(rates | options))


def count(haplotypes=HAPLOTYPES, site_bin=SITE_BIN, invariant_bases=INVARIANT_BASES):
    return PairCounts.from_haplotypes(haplotypes, site_bin, invariant_bases)


def mosaic_of(model, haplotype):
    """The explicit chain of one haplotype, with emissions computed site by site."""
    return Mosaic(
        parent_prior=np.asarray(model.parent_prior[haplotype]),
        entry=np.asarray(model.entry[haplotype]),
        reattachment=np.asarray(model.reattachment[haplotype]),
        recombination=np.asarray(model.bins.recombination),
        emission=emission_by_sites(
            HAPLOTYPES,
            SITE_BIN,
            INVARIANT_BASES,
            np.asarray(GRID.times),
            np.asarray(MUTATION_RATE),
            GENOTYPE_ERROR,
            haplotype,
        ),
    )


def every_data_set(num_haplotypes, num_bins):
    """All alleles of one site per bin beside an all-ancestral first haplotype, as one batch."""
    free = (num_haplotypes - 1) * num_bins
    counts = []
    for alleles in itertools.product([0, 1], repeat=free):
        others = np.array(alleles, np.int8).reshape(num_bins, num_haplotypes - 1)
        haplotypes = np.concatenate([np.zeros((num_bins, 1), np.int8), others], axis=1)
        counts.append(count(haplotypes, np.arange(num_bins), np.zeros(num_bins)))
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *counts)


def random_case(num_bins=200, num_haplotypes=6):
    """Haplotypes that are mosaics of two ancestors with a few mutations, one or no site a bin."""
    generator = np.random.default_rng(1)
    site_bin = np.flatnonzero(generator.random(num_bins) < 0.3)
    ancestors = generator.integers(0, 2, (len(site_bin), 2))
    switches = generator.random((len(site_bin), num_haplotypes)) < 0.1
    choice = switches.cumsum(axis=0) % 2
    haplotypes = np.take_along_axis(ancestors, choice, axis=1)
    haplotypes ^= generator.random(haplotypes.shape) < 0.03
    return haplotypes.astype(np.int8), site_bin, np.full(num_bins, 100.0)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("trunk", TRUNKS)
def test_evidence_and_marginals_equal_sums_over_paths(order, trunk):
    model = build(order=order, trunk=trunk, genotype_error=GENOTYPE_ERROR)
    evidence = log_evidence(model, count())
    marginals = posterior_marginals(model, count())
    first = 0
    if order == "sequential":
        assert evidence[0] == 0.0
        first = 1
    for haplotype in range(first, 3):
        mosaic = mosaic_of(model, haplotype)
        total = np.log(sum(path_weights(mosaic).values()))
        np.testing.assert_allclose(evidence[haplotype], total, rtol=1e-12)
        np.testing.assert_allclose(total, log_evidence_by_matrices(mosaic), rtol=1e-12)
        expected = marginals_by_paths(mosaic)
        np.testing.assert_allclose(marginals[:, haplotype], expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(("num_haplotypes", "num_bins"), [(3, 2), (2, 3)])
@pytest.mark.parametrize("trunk", TRUNKS)
@pytest.mark.parametrize("genotype_error", [0.0, 0.1])
def test_sequential_evidence_sums_to_one_over_all_data(
    num_haplotypes, num_bins, trunk, genotype_error
):
    model = build(
        num_haplotypes,
        trunk=trunk,
        genotype_error=genotype_error,
        mutation_rate=MUTATION_RATE[:num_bins],
        recombination_distance=DISTANCE[:num_bins],
    )
    evidence = jax.vmap(lambda counts: log_evidence(model, counts))
    totals = evidence(every_data_set(num_haplotypes, num_bins)).sum(axis=1)
    np.testing.assert_allclose(jnp.exp(totals).sum(), 1.0, rtol=1e-13)


def test_sampled_paths_follow_the_posterior_of_whole_paths():
    num_draws, haplotype = 4_000, 2
    grid = TimeGrid.geometric(2, first=8_000.0, last=9_000.0, tail=20_000.0)
    model = build(grid=grid, recombination_distance=jnp.array([0.0, 3e-5, 3e-5]))
    parents, levels = sample_paths(model, count(), num_draws=num_draws, key=jax.random.key(5))
    states = np.asarray(parents * grid.num_levels + levels)[:, :, haplotype]
    emission = emission_by_sites(
        HAPLOTYPES, SITE_BIN, INVARIANT_BASES, np.asarray(grid.times), MUTATION_RATE, 0.0, haplotype
    )
    mosaic = Mosaic(
        *(np.asarray(table[haplotype]) for table in (model.parent_prior, model.entry)),
        np.asarray(model.reattachment[haplotype]),
        np.asarray(model.bins.recombination),
        emission,
    )
    weights = path_weights(mosaic)
    total = sum(weights.values())
    drawn, tallies = np.unique(states, axis=0, return_counts=True)
    frequencies = dict(zip(map(tuple, drawn), tallies / num_draws, strict=True))
    # Five standard deviations of a binomial frequency, for each of the 216 paths.
    for path, weight in weights.items():
        probability = weight / total
        bound = 5 * np.sqrt(probability / num_draws) + 1e-12
        assert abs(frequencies.get(path, 0.0) - probability) < bound, path


def test_missing_genotype_of_the_last_haplotype_is_the_sum_over_its_alleles():
    model = build(genotype_error=GENOTYPE_ERROR)

    def total(allele):
        haplotypes = HAPLOTYPES.copy()
        haplotypes[2, 2] = allele
        return log_evidence(model, count(haplotypes)).sum()

    np.testing.assert_allclose(jnp.logaddexp(total(0), total(1)), total(-1), rtol=1e-13)


@pytest.mark.parametrize(("order", "trunk"), list(zip(ORDERS, TRUNKS, strict=True)))
def test_gradient_in_the_sizes_equals_finite_differences(order, trunk):
    counts = count()

    @jax.jit
    @jax.value_and_grad
    def objective(log_sizes):
        population = PiecewiseConstant(POPULATION.breakpoints, jnp.exp(log_sizes))
        return log_evidence(build(population=population, order=order, trunk=trunk), counts).sum()

    log_sizes = jnp.log(POPULATION.sizes)
    _, slopes = objective(log_sizes)
    for k, step in enumerate(1e-4 * np.eye(3)):
        change = objective(log_sizes + step)[0] - objective(log_sizes - step)[0]
        np.testing.assert_allclose(slopes[k], change / 2e-4, rtol=1e-6, atol=1e-9)


def test_vmap_over_data_equals_a_loop():
    model = build(order="leave_one_out")
    batch = [count(), count(1 - np.abs(HAPLOTYPES)), count(np.abs(HAPLOTYPES[:, ::-1]))]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *batch)
    together = jax.vmap(lambda counts: log_evidence(model, counts))(stacked)
    looped = np.stack([log_evidence(model, counts) for counts in batch])
    np.testing.assert_allclose(together, looped, rtol=1e-13)


def test_relabelling_permutes_the_leave_one_out_evidence():
    model = build(order="leave_one_out")
    permutation = np.array([2, 0, 1])
    relabelled = log_evidence(model, count(HAPLOTYPES[:, permutation]))
    np.testing.assert_allclose(relabelled, log_evidence(model, count())[permutation], rtol=1e-13)


@pytest.mark.parametrize("order", ORDERS)
def test_doubling_all_times_with_halved_rates_changes_nothing(order):
    scaled = build(
        population=PiecewiseConstant(2 * POPULATION.breakpoints, 2 * POPULATION.sizes),
        grid=TimeGrid(2 * GRID.edges, 2 * GRID.times),
        mutation_rate=MUTATION_RATE / 2,
        recombination_distance=DISTANCE / 2,
        order=order,
    )
    model = build(order=order)
    expected = log_evidence(model, count())
    np.testing.assert_allclose(log_evidence(scaled, count()), expected, rtol=1e-12)
    times = 2 * expected_tmrca(model, count())
    np.testing.assert_allclose(expected_tmrca(scaled, count()), times, rtol=1e-12)


def test_splitting_a_bin_without_recombination_changes_nothing():
    halves = count(site_bin=np.array([0, 1, 2, 3, 3]), invariant_bases=np.array([1.0, 2, 0, 12]))
    model = build(
        mutation_rate=MUTATION_RATE[jnp.array([0, 0, 1, 2])],
        recombination_distance=jnp.array([0.0, 0.0, 2e-5, 1e-4]),
    )
    expected = log_evidence(build(), count())
    np.testing.assert_allclose(log_evidence(model, halves), expected, rtol=1e-13)


def test_levels_only_sums_over_the_parents():
    model, counts = build(), count()
    levels = posterior_marginals(model, counts, levels_only=True)
    marginals = posterior_marginals(model, counts)
    np.testing.assert_allclose(levels, marginals.sum(axis=2), rtol=1e-13)
    np.testing.assert_allclose(expected_tmrca(model, counts), levels @ GRID.times, rtol=1e-13)


def test_first_haplotype_of_the_sequence_keeps_its_prior():
    model = build(recombination_distance=jnp.zeros(3))
    levels = posterior_marginals(model, count(), levels_only=True)
    prior = np.broadcast_to(model.entry[0], (3, 3))
    np.testing.assert_allclose(levels[:, 0], prior, rtol=1e-13)


@pytest.mark.parametrize("order", ORDERS)
def test_single_precision_agrees_with_double(order):
    haplotypes, site_bin, bases = random_case()
    grid = TimeGrid.for_population_size(12, 1e4)
    model = copying_model(
        6,
        PiecewiseConstant.constant(1e4),
        grid,
        mutation_rate=jnp.full(200, 1e-8),
        recombination_distance=jnp.full(200, 1e-6),
        order=order,
    )
    double = (model, count(haplotypes, site_bin, bases))
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), double)
    evidence = log_evidence(*single)
    assert evidence.dtype == jnp.float32
    np.testing.assert_allclose(evidence, log_evidence(*double), rtol=1e-4)
    times = expected_tmrca(*double)
    np.testing.assert_allclose(expected_tmrca(*single), times, rtol=1e-3)


def test_bins_that_exclude_each_other_stay_finite_in_single_precision():
    # Without recombination every state is all but impossible, yet nothing may become a NaN.
    haplotypes = np.zeros((200, 3), np.int8)
    haplotypes[:100, 0] = haplotypes[100:, 1] = 1
    model = build(
        mutation_rate=jnp.full(2, 1e-9), recombination_distance=jnp.zeros(2), order="sequential"
    )
    double = (model, count(haplotypes, np.repeat([0, 1], 100), np.zeros(2)))
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), double)
    assert np.isfinite(log_evidence(*single)).all()


def test_fit_climbs_to_a_maximum():
    haplotypes, site_bin, bases = random_case(num_bins=60, num_haplotypes=4)
    counts = count(haplotypes, site_bin, bases)
    grid = TimeGrid.for_population_size(6, 1e4)
    initial = PiecewiseConstant(jnp.array([0.0, 5e3]), jnp.array([1e5, 1e5]))
    smoothing = 0.5

    def model_of(population):
        return copying_model(
            4,
            population,
            grid,
            mutation_rate=jnp.full(60, 1e-7),
            recombination_distance=jnp.full(60, 1e-6),
        )

    fit = fit_population_size(initial, model_of, counts, steps=120, smoothing=smoothing)

    @jax.jit
    def objective(log_sizes):
        population = PiecewiseConstant(initial.breakpoints, jnp.exp(log_sizes))
        prior = -0.5 * jnp.sum((jnp.diff(log_sizes) / smoothing) ** 2)
        return log_evidence(model_of(population), counts).sum() + prior

    np.testing.assert_allclose(fit.objective[0], objective(jnp.log(initial.sizes)), rtol=1e-12)
    fitted = jnp.log(fit.population_size.sizes)
    best = objective(fitted)
    assert best > fit.objective[0] + 1
    for step in 0.2 * np.concatenate([np.eye(2), -np.eye(2)]):
        assert objective(fitted + step) < best


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_haplotypes": 1}, "at least 2 haplotypes, got 1"),
        ({"genotype_error": 0.5}, r"\[0, 0.5\), got 0.5"),
        ({"mutation_rate": jnp.array([1e-8, 0.0, 1e-8])}, "positive in every bin; bin 1 has 0.0"),
        ({"recombination_distance": jnp.array([0.0, 0.0, -1.0])}, "bin 2 has -1.0"),
    ],
)
def test_unsound_models_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
