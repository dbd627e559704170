"""The twisted chain against sums over all of its paths, and against the evidence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escapement_jax.genealogy.copying.copying_model import log_evidence, posterior_marginals
from escapement_jax.genealogy.encoder.potentials import Potentials
from escapement_jax.genealogy.variational.look_ahead import (
    coarse_look_ahead,
    emission_potentials,
    exact_look_ahead,
)
from escapement_jax.genealogy.variational.twisted_chain import twisted_bound, twisted_marginals
from escapement_jax.genealogy.variational.twisted_paths import (
    CopyingPath,
    path_log_probabilities,
    sample_twisted_path,
    straight_through_bound,
)
from tests.genealogy.variational.small_case import (
    mosaic_of,
    small_counts,
    small_model,
    small_potentials,
)
from tests.reference.twisted_reference import all_paths

MODEL, COUNTS = small_model(), small_counts()
EVIDENCE = log_evidence(MODEL, COUNTS)
bound_of = jax.jit(lambda potentials: twisted_bound(MODEL, COUNTS, potentials))


def enumerated(potentials: Potentials, haplotype: int) -> dict:
    mosaic = mosaic_of(MODEL, haplotype)
    own = (np.asarray(potentials.states[:, haplotype]), np.asarray(potentials.breaks[:, haplotype]))
    return all_paths(mosaic, *own)


def exact_potentials() -> Potentials:
    states = emission_potentials(MODEL, COUNTS) + exact_look_ahead(MODEL, COUNTS)
    return Potentials(states, jnp.zeros((3, 3)))


@pytest.mark.parametrize("haplotype", [1, 2])
def test_bound_and_entropy_are_those_of_all_paths(haplotype):
    potentials = small_potentials()
    paths = enumerated(potentials, haplotype)
    log_p, log_q = (np.array(column) for column in zip(*paths.values(), strict=True))
    q = np.exp(log_q)
    np.testing.assert_allclose(q.sum(), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.log(np.exp(log_p).sum()), EVIDENCE[haplotype], rtol=1e-12)
    bound = bound_of(potentials)
    np.testing.assert_allclose(bound.elbo[haplotype], q @ (log_p - log_q), rtol=1e-12)
    np.testing.assert_allclose(bound.entropy[haplotype], -q @ log_q, rtol=1e-11)


def test_terms_are_means_over_all_paths():
    haplotype = 2
    potentials = small_potentials(seed=8)
    mosaic = mosaic_of(MODEL, haplotype)
    emission = np.log(np.where(mosaic.emissions() > 0, mosaic.emissions(), 1.0))
    mutation = breakpoint = broken = 0.0
    marginals = np.zeros((3, 6))
    for path, (_, log_q) in enumerated(potentials, haplotype).items():
        q = np.exp(log_q)
        mutation += q * sum(emission[place, state] for place, (_, state) in enumerate(path))
        for place in (1, 2):
            ends = mosaic.recombination[place, path[place - 1][1] % 2]
            breakpoint += q * np.log(ends if path[place][0] else 1 - ends)
        broken += q * path[1][0]
        for place, (_, state) in enumerate(path):
            marginals[place, state] += q
    bound = bound_of(potentials)
    np.testing.assert_allclose(bound.mutation[haplotype], mutation, rtol=1e-11)
    np.testing.assert_allclose(bound.breakpoint[haplotype], breakpoint, rtol=1e-11)
    states, breaks = twisted_marginals(MODEL, COUNTS, potentials)
    np.testing.assert_allclose(states[:, haplotype].reshape(3, 6), marginals, rtol=1e-11)
    np.testing.assert_allclose(breaks[1, haplotype], broken, rtol=1e-11)


@given(seed=st.integers(0, 10_000), scale=st.floats(0.0, 30.0))
@settings(max_examples=40)
def test_no_potentials_exceed_the_evidence(seed, scale):
    bound = bound_of(small_potentials(seed, scale)).elbo
    assert np.isfinite(bound).all()
    assert (bound <= EVIDENCE + 1e-10).all()


def test_exact_look_ahead_closes_the_gap():
    np.testing.assert_allclose(bound_of(exact_potentials()).elbo, EVIDENCE, rtol=0, atol=1e-10)
    states, _ = twisted_marginals(MODEL, COUNTS, exact_potentials())
    expected = posterior_marginals(MODEL, COUNTS)
    np.testing.assert_allclose(states[:, 1:], expected[:, 1:], rtol=1e-9, atol=1e-14)


def test_constants_per_bin_change_nothing():
    potentials = small_potentials()
    shifted = potentials + 7.0 * jnp.arange(9.0).reshape(3, 3, 1, 1)
    np.testing.assert_allclose(bound_of(shifted).elbo, bound_of(potentials).elbo, rtol=1e-12)


def test_gradient_vanishes_at_the_exact_look_ahead_and_is_right_elsewhere():
    gradient = jax.jit(jax.grad(lambda potentials: bound_of(potentials).elbo.sum()))
    at_optimum = gradient(exact_potentials())
    np.testing.assert_allclose(at_optimum.states, 0.0, atol=1e-12)
    np.testing.assert_allclose(at_optimum.breaks, 0.0, atol=1e-12)
    start, direction = small_potentials(1), small_potentials(2)
    slope = sum(jax.tree.leaves(jax.tree.map(jnp.vdot, gradient(start), direction)))

    def along(step):
        moved = jax.tree.map(lambda a, b: a + step * b, start, direction)
        return bound_of(moved).elbo.sum()

    np.testing.assert_allclose(slope, (along(1e-5) - along(-1e-5)) / 2e-5, rtol=1e-7)


def test_coarse_look_ahead_of_single_bins_is_exact_and_of_all_bins_nearly():
    np.testing.assert_allclose(
        coarse_look_ahead(MODEL, COUNTS, group=1)[:, 1:],
        exact_look_ahead(MODEL, COUNTS)[:, 1:],
        atol=1e-12,
    )
    filtered = emission_potentials(MODEL, COUNTS)
    gaps = []
    for look_ahead in (0.0 * filtered, coarse_look_ahead(MODEL, COUNTS, group=3)):
        bound = bound_of(Potentials(filtered + look_ahead, jnp.zeros((3, 3)))).elbo
        gaps.append(float((EVIDENCE - bound).sum()))
    assert gaps[0] > 2 * gaps[1] > 0
    with pytest.raises(ValueError, match="group of 0 bins"):
        coarse_look_ahead(MODEL, COUNTS, group=0)


def test_probabilities_of_paths_are_those_of_the_enumeration():
    potentials, haplotype = small_potentials(5), 2
    paths = enumerated(potentials, haplotype)
    listed = np.array(list(paths))  # [paths, bins, (break, state)]
    first = np.zeros(listed.shape[:2], int)
    columns = np.stack([first, first, listed[:, :, 1]], axis=2)
    breaks = np.repeat(listed[:, :, :1] == 1, 3, axis=2)
    batch = CopyingPath(jnp.asarray(columns // 2), jnp.asarray(columns % 2), jnp.asarray(breaks))
    both = jax.vmap(lambda path: path_log_probabilities(MODEL, COUNTS, potentials, path))(batch)
    expected = np.array(list(paths.values()))
    np.testing.assert_allclose(both[0][:, haplotype], expected[:, 0], rtol=1e-12)
    np.testing.assert_allclose(both[1][:, haplotype], expected[:, 1], rtol=1e-12)


@pytest.mark.statistical
def test_drawn_paths_follow_the_chain():
    num_draws, haplotype = 20_000, 2
    potentials = small_potentials(5)
    keys = jax.random.split(jax.random.key(0), num_draws)
    drawn = jax.jit(jax.vmap(lambda key: sample_twisted_path(MODEL, potentials, key=key)))(keys)
    states = np.asarray(2 * drawn.parents + drawn.levels)[:, :, haplotype]
    rows = np.stack([np.asarray(drawn.breaks)[:, :, haplotype], states], axis=2).reshape(-1, 6)
    found, tallies = np.unique(rows, axis=0, return_counts=True)
    frequencies = dict(zip(map(tuple, found), tallies / num_draws, strict=True))
    # Five standard deviations of a binomial frequency, for each of the 100 paths.
    paths = enumerated(potentials, haplotype)
    for path, (_, log_q) in paths.items():
        probability = np.exp(log_q)
        bound = 5 * np.sqrt(probability / num_draws) + 1e-12
        seen = frequencies.pop(tuple(np.array(path).ravel()), 0.0)
        assert abs(seen - probability) < bound, path
    assert not frequencies


@pytest.mark.statistical
def test_straight_through_paths_are_unbiased_for_the_bound():
    potentials = small_potentials(5)
    keys = jax.random.split(jax.random.key(1), 4_000)
    temperature = jnp.asarray(0.5)

    def one(key):
        return straight_through_bound(MODEL, COUNTS, potentials, temperature, key=key).elbo

    draws = np.asarray(jax.jit(jax.vmap(one))(keys)).sum(axis=1)
    error = abs(draws.mean() - bound_of(potentials).elbo.sum())
    assert error < 4 * draws.std() / np.sqrt(len(draws))


def test_single_precision_agrees_with_double():
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), (MODEL, COUNTS))
    potentials = small_potentials(4, 3.0)
    short = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), potentials)
    bound = jax.jit(twisted_bound)(*single, short).elbo
    assert bound.dtype == jnp.float32
    np.testing.assert_allclose(bound, bound_of(potentials).elbo, rtol=1e-4)
