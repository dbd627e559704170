"""From genotypes and settings to a problem: what is refused, estimated, and warned about."""

from dataclasses import replace

import numpy as np
import pytest

from escapement_jax.config.genealogy import InferConfig
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.rate_map import RateMap
from escapement_jax.genealogy.model import threading_problem as module
from escapement_jax.genealogy.model.threading_problem import (
    expected_tree_length,
    threading_problem,
)

START, END = 5_000, 25_000
CONFIG = InferConfig(mutation_rate=1.25e-8, recombination_rate=1e-8, time_levels=8)


def make_genotypes(num_haplotypes=4, num_sites=12, **options):
    generator = np.random.default_rng(0)
    haplotypes = generator.integers(0, 2, (num_sites, num_haplotypes))
    haplotypes[:, 0], haplotypes[:, -1] = 0, 1
    positions = np.sort(generator.choice(np.arange(START, END), num_sites, replace=False))
    return Genotypes.from_arrays(haplotypes, positions, start=START, end=END, **options)


def test_one_haplotype_is_too_few():
    with pytest.raises(ValueError, match="at least two haplotypes, got 1"):
        threading_problem(make_genotypes().subset([2]), CONFIG)


def test_some_site_is_needed():
    with pytest.raises(ValueError, match="no site to infer from"):
        threading_problem(make_genotypes(num_sites=0), CONFIG)


@pytest.mark.parametrize("name", ["mutation", "recombination"])
def test_every_rate_is_needed(name):
    config = replace(CONFIG, **{f"{name}_rate": None})
    with pytest.raises(ValueError, match=f"the {name} rate is unknown; give {name}_rate or a"):
        threading_problem(make_genotypes(), config)


@pytest.mark.parametrize("name", ["mutation", "recombination"])
@pytest.mark.parametrize(("start", "end"), [(START + 1, END), (START, END - 1)])
def test_maps_must_cover_the_region(name, start, end):
    short = RateMap.constant(1e-8, start, end)
    with pytest.raises(ValueError, match=f"{name} map"):
        threading_problem(make_genotypes(), CONFIG, **{f"{name}_map": short})


def test_population_size_cannot_come_from_no_diversity():
    same = replace(make_genotypes(), haplotypes=np.ones((12, 4), np.int8))
    with pytest.raises(ValueError, match="diversity of 0 and a mutation rate of 1.25e-08; give"):
        threading_problem(same, CONFIG)
    assert threading_problem(same, replace(CONFIG, population_size=5e3)).population_size == 5e3


def test_population_size_cannot_come_from_no_mutation():
    still = RateMap.constant(0.0, START, END)
    with pytest.raises(ValueError, match="mutation rate of 0; give population_size"):
        threading_problem(make_genotypes(), CONFIG, mutation_map=still)


def test_population_size_explains_the_diversity():
    genotypes = make_genotypes()
    problem = threading_problem(genotypes, CONFIG)
    assert problem.population_size == pytest.approx(genotypes.diversity() / (4 * 1.25e-8))
    doubled = threading_problem(genotypes, replace(CONFIG, mutation_rate=2.5e-8))
    assert doubled.population_size == pytest.approx(problem.population_size / 2)
    by_map = RateMap(np.array([START, 15_000, END]), np.array([1e-8, 1.5e-8]))
    mapped = threading_problem(genotypes, CONFIG, mutation_map=by_map)
    assert mapped.population_size == pytest.approx(problem.population_size)


def test_the_problem_is_told_what_the_settings_say():
    config = replace(CONFIG, population_size=1e4, genotype_error=0.01, ancestral_misassignment=0.1)
    problem = threading_problem(make_genotypes(5), config)
    assert problem.num_haplotypes == 5
    assert problem.grid.num_levels == problem.model.num_levels == 8
    np.testing.assert_array_equal(problem.model.times, problem.grid.times)
    np.testing.assert_allclose(problem.model.mutation.root_prior, [0.9, 0.1])
    assert float(problem.model.mutation.genotype_error) == 0.01
    assert problem.bins.num_bins <= len(problem.chunks) * module.BINS_PER_CHUNK
    assert 0 < problem.capacity <= module.BINS_PER_CHUNK
    assert problem.warnings == ()


def test_maps_replace_the_rates():
    config = replace(CONFIG, population_size=1e4)
    maps = {
        f"{name}_map": RateMap(np.array([START, 15_000, END]), np.array([1e-8, 3e-8]))
        for name in ("mutation", "recombination")
    }
    bins = threading_problem(make_genotypes(), config, **maps).bins
    upper = bins.edges[:-1] >= 15_000
    bases = np.diff(bins.edges)
    np.testing.assert_allclose(
        bins.invariant_mutation + np.bincount(bins.site_bin, bins.site_mutation, bases.size),
        bases * np.where(upper, 3e-8, 1e-8),
        rtol=1e-12,
    )
    assert bins.recombination[upper].sum() > 2.5 * bins.recombination[~upper].sum()


def test_expected_tree_length_in_closed_form():
    assert expected_tree_length(2, 1e4) == pytest.approx(4e4)
    assert expected_tree_length(4, 1e4) == pytest.approx(4e4 * (1 + 1 / 2 + 1 / 3))


def test_crowded_boundaries_are_warned_about():
    """The 49 boundaries between bins of one base, in a hotspot of 50 bases."""
    furious = RateMap(np.array([START, END - 50, END]), np.array([1e-9, 1e-4]))
    config = replace(CONFIG, population_size=1e4)
    (warning,) = threading_problem(make_genotypes(), config, recombination_map=furious).warnings
    assert "49 of" in warning
    assert "more than 0.5 recombinations" in warning


def test_capacity_grows_with_recombination():
    config = replace(CONFIG, population_size=1e4)
    rates = [1e-9, 1e-8, 5e-8]
    capacities = [
        threading_problem(make_genotypes(), replace(config, recombination_rate=rate)).capacity
        for rate in rates
    ]
    assert capacities == sorted(capacities)
    assert capacities[0] < capacities[-1] <= module.BINS_PER_CHUNK
