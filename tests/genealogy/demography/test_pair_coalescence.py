import itertools

import msprime
import numpy as np
import pytest
import tskit
from hypothesis import given, settings
from hypothesis import strategies as st

from escapement_jax.genealogy.demography.pair_coalescence import (
    PRIOR_COALESCENCES,
    estimate_population_size,
    pair_coalescence_statistics,
)

SIZE = 10_000.0
EPOCHS = np.array([0.0, 1000.0, 4000.0, 10_000.0, 30_000.0])


def simulate(seed, length=2e5, num_haplotypes=20):
    return msprime.sim_ancestry(
        num_haplotypes,
        ploidy=1,
        population_size=2 * SIZE,
        sequence_length=length,
        recombination_rate=1e-8,
        random_seed=seed,
    )


def scaled_in_time(tree_sequence, factor):
    tables = tree_sequence.dump_tables()
    tables.nodes.time = tables.nodes.time * factor
    tables.migrations.clear()
    return tables.tree_sequence()


@pytest.mark.statistical
def test_constant_size_is_recovered_and_covered():
    # Forty independent genealogies, told twice too large a size: the prior weighs 2 events against
    # 6 or more, which moves log10 by up to 0.1, and the standard error is 0.03 at most. Intervals
    # of 95 % that miss a fifth of 200 epochs have gone wrong.
    estimates = [
        estimate_population_size([simulate(seed)], EPOCHS, prior_size=2 * SIZE, seed=1)
        for seed in range(1, 41)
    ]
    sizes = np.log10([estimate.population_size for estimate in estimates])
    assert (abs(sizes.mean(axis=0) - np.log10(SIZE)) < 0.2).all()
    covered = [(e.lower_95 <= SIZE) & (e.upper_95 >= SIZE) for e in estimates]
    assert np.mean(covered) > 0.8


@pytest.mark.statistical
def test_a_long_genome_overrules_the_prior():
    estimate = estimate_population_size(
        [simulate(7, length=3e6)], EPOCHS, prior_size=2 * SIZE, seed=1
    )
    np.testing.assert_allclose(estimate.population_size, SIZE, rtol=0.2)


def test_no_information_gives_back_the_prior():
    # Every pair coalesces in the first epoch: nothing is known of the others.
    estimate = estimate_population_size(
        [scaled_in_time(simulate(1), 1e-3)], EPOCHS, prior_size=SIZE, seed=1
    )
    np.testing.assert_allclose(estimate.population_size[1:], SIZE, rtol=1e-12)


def test_doubling_time_doubles_the_size():
    once = estimate_population_size([simulate(3)], EPOCHS, prior_size=SIZE, seed=1)
    twice = estimate_population_size(
        [scaled_in_time(simulate(3), 2.0)], 2 * EPOCHS, prior_size=2 * SIZE, seed=1
    )
    for name in ("time_generations", "population_size", "lower_95", "upper_95"):
        np.testing.assert_allclose(getattr(twice, name), 2 * getattr(once, name), rtol=1e-10)


@settings(max_examples=10)
@given(seed=st.integers(1, 10**6))
def test_ratio_is_pairs_over_their_time_apart(seed):
    tree_sequence = simulate(seed, length=3e4, num_haplotypes=5)
    events, exposure = pair_coalescence_statistics(tree_sequence, EPOCHS)
    expected = np.zeros((2, len(EPOCHS)))
    ends = np.append(EPOCHS[1:], np.inf)
    for tree in tree_sequence.trees():
        for i, j in itertools.combinations(range(5), 2):
            age = tree.tmrca(i, j)
            expected[0] += tree.span * ((age >= EPOCHS) & (age < ends))
            expected[1] += tree.span * np.clip(age - EPOCHS, 0, ends - EPOCHS)
    seen = exposure > 0
    np.testing.assert_array_equal(seen, expected[1] > 0)
    np.testing.assert_allclose(
        events[seen] / exposure[seen], expected[0, seen] / expected[1, seen], rtol=1e-9
    )


def test_pairs_that_share_an_ancestor_are_one_event():
    tree_sequence = tskit.Tree.generate_balanced(4).tree_sequence
    # One pair in each of two ancestors of age 1, four pairs in the root of age 2.
    events, exposure = pair_coalescence_statistics(tree_sequence, np.array([0.0, 1.5]))
    np.testing.assert_allclose(events, [2.0, 1.0])
    np.testing.assert_allclose(exposure, [2 + 4 * 1.5, 0.5])


def test_interval_of_one_event_is_that_of_a_gamma():
    from scipy.stats import gamma

    tree_sequence = tskit.Tree.generate_star(2).tree_sequence
    estimate = estimate_population_size([tree_sequence], np.zeros(1), prior_size=3.0, seed=1)
    law = gamma(PRIOR_COALESCENCES + 1, scale=1 / (2 * PRIOR_COALESCENCES * 3.0 + 1))
    assert estimate.population_size[0] == pytest.approx(1 / (2 * law.mean()))
    expected = 1 / (2 * law.ppf([0.975, 0.025]))
    np.testing.assert_allclose([estimate.lower_95[0], estimate.upper_95[0]], expected, rtol=0.1)


def test_draws_that_disagree_widen_the_interval():
    draws = [simulate(5), scaled_in_time(simulate(5), 4.0)]
    alone = estimate_population_size(draws[:1], np.zeros(1), prior_size=SIZE, seed=1)
    both = estimate_population_size(draws, np.zeros(1), prior_size=SIZE, seed=1)
    assert both.upper_95[0] > 2 * alone.upper_95[0]
    assert both.lower_95[0] < 1.1 * alone.lower_95[0]
