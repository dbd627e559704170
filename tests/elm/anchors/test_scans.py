import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.elm.anchors.pair_scan import pair_moments, pair_scan, strongest_pairs
from escapement_jax.elm.anchors.triple_scan import (
    fit_strongest_triples,
    triple_products,
    triple_scan,
)
from tests.elm.anchors.simulated import NUM_LOCI, simulated
from tests.reference import dense_regression


def simple_regressions(features, residual):
    fits = [dense_regression.least_squares(column[:, None], residual) for column in features.T]
    return np.array([fit[0][0] for fit in fits]), np.array([fit[1][0] for fit in fits])


def test_pair_moments_are_plain_sums():
    contrasts, traits, _, _ = simulated()
    expected = np.einsum("nt,ni,nj->tij", traits, contrasts, contrasts)
    np.testing.assert_allclose(pair_moments(contrasts, traits), expected, atol=1e-9)


def test_the_scan_is_one_regression_per_pair():
    contrasts, traits, pairs, _ = simulated()
    scan = pair_scan(contrasts, traits, pairs)
    features = dense_regression.pair_table(np.asarray(contrasts), np.asarray(pairs))[:, NUM_LOCI:]
    for trait in range(2):
        effect, stderr = simple_regressions(features, np.asarray(traits)[:, trait])
        np.testing.assert_allclose(scan.effect[trait], effect, atol=1e-10)
        np.testing.assert_allclose(scan.stderr[trait], stderr, rtol=1e-9)


@pytest.mark.parametrize("columns_at_once", [3, 8])
def test_the_strongest_pairs_do_not_depend_on_the_blocks(columns_at_once):
    contrasts, traits, pairs, _ = simulated()
    loci = jnp.arange(NUM_LOCI, dtype=jnp.int32)
    top = strongest_pairs(contrasts, traits, loci, keep=5, columns_at_once=columns_at_once)
    scan = pair_scan(contrasts, traits, pairs)
    deviation = np.asarray(contrasts).std(axis=0)
    moments = np.asarray(pair_moments(contrasts, traits - traits.mean(axis=0)[None, :]))
    score = np.abs(moments / np.outer(deviation, deviation))[:, *np.asarray(pairs).T]
    best = np.argsort(-score, axis=1)[:, :5]
    np.testing.assert_array_equal(top.pairs, np.asarray(pairs)[best])
    for trait in range(2):
        np.testing.assert_allclose(top.effect[trait], scan.effect[trait, best[trait]], atol=1e-10)
        np.testing.assert_allclose(top.stderr[trait], scan.stderr[trait, best[trait]], rtol=1e-9)
    assert top.num_tested == len(pairs)


def test_contrasts_of_one_locus_are_not_paired_and_all_others_are_kept():
    contrasts, traits, _, _ = simulated()
    loci = jnp.asarray([0, 1, 2, 3, 0, 1, 2, 3], jnp.int32)
    top = strongest_pairs(contrasts, traits, loci, keep=10**6, columns_at_once=3)
    assert top.num_tested == top.pairs.shape[1] == 28 - 4
    assert np.all(np.asarray(loci)[top.pairs[..., 0]] != np.asarray(loci)[top.pairs[..., 1]])
    kept = {tuple(sorted(pair)) for pair in np.asarray(top.pairs[0]).tolist()}
    assert len(kept) == 24


def test_keeping_no_pair_is_refused():
    contrasts, traits, _, _ = simulated()
    with pytest.raises(ValueError, match="keep is 0"):
        strongest_pairs(contrasts, traits, jnp.arange(NUM_LOCI, dtype=jnp.int32), keep=0)


def test_the_triple_scan_is_one_moment_per_triple():
    contrasts, traits, _, _ = simulated()
    scan = triple_scan(contrasts, traits)
    triples = list(itertools.combinations(range(NUM_LOCI), 3))
    np.testing.assert_array_equal(scan.triples, triples)
    centred = np.asarray(traits) - np.asarray(traits).mean(axis=0)
    table, variance = np.asarray(contrasts), np.asarray(contrasts).var(axis=0)
    for row, (i, j, k) in enumerate(triples):
        product = table[:, i] * table[:, j] * table[:, k]
        expected = centred.T @ product / (400 * variance[i] * variance[j] * variance[k])
        np.testing.assert_allclose(scan.effect[:, row], expected, atol=1e-10)


@pytest.mark.statistical
def test_null_triples_have_standard_normal_z_scores():
    """84 z scores of pure noise: their mean square is 1 +- 4 sqrt(2 / 84), false alarm < 1e-4."""
    generator = np.random.default_rng(0)
    contrasts = generator.choice([-1.0, 1.0], (1000, 9))
    contrasts -= contrasts.mean(axis=0)
    scan = triple_scan(jnp.asarray(contrasts), jnp.asarray(generator.normal(size=(1000, 1))))
    z = np.asarray(scan.effect / scan.stderr)
    assert abs(np.mean(z**2) - 1) < 4 * np.sqrt(2 / z.size)


def test_triples_of_contrasts_at_one_locus_are_left_out():
    contrasts, traits, _, _ = simulated()
    scan = triple_scan(contrasts[:, :4], traits, np.array([0, 1, 0, 2]))
    np.testing.assert_array_equal(scan.triples, [[0, 1, 3], [1, 2, 3]])


@pytest.mark.statistical
def test_triples_fitted_together_are_found_where_they_act():
    """A trait of pure noise has a |z| above 4, and so a triple, in one data set of two hundred."""
    generator = np.random.default_rng(2)
    contrasts = jnp.asarray(generator.choice([-1.0, 1.0], (1500, 9)))
    contrasts = contrasts - contrasts.mean(axis=0)[None, :]
    triples = np.array([[0, 3, 5], [1, 2, 8]])
    values = triple_products(contrasts, jnp.asarray(triples)) @ jnp.asarray([0.5, -0.4])
    noise = generator.normal(size=(1500, 2))
    phenotypes = jnp.asarray(noise).at[:, 0].add(values)
    scan = triple_scan(contrasts, phenotypes)
    joint = fit_strongest_triples(contrasts, phenotypes, scan, keep=10)
    certain = np.asarray(joint.inclusion_probability) > 0.95
    found = np.asarray(scan.triples)[np.asarray(joint.place)[0][certain[0]]]
    assert {tuple(triple) for triple in found.tolist()} == {(0, 3, 5), (1, 2, 8)}
    np.testing.assert_allclose(np.sort(joint.mean[0][certain[0]]), [-0.4, 0.5], atol=0.1)
    assert not certain[1].any()
