"""Sensitivities of a known phenotype: means, variances, contrasts, regressions, Walsh."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.elm.linear_map import (
    four_genotype_contrast,
    four_genotype_means,
    interactions_by_regression,
    jacobians,
    locus_differences,
    pair_differences,
    project,
    reference_effects,
    sensitivities,
    variance_spectrum,
)
from escapement_jax.elm.linear_map.sensitivity import expected_variances
from escapement_jax.elm.networks import build_network
from escapement_jax.elm.networks.base import AbstractNetwork

LOCI = 6
PAIRS = np.stack(np.triu_indices(LOCI, 1), axis=1)


class Multilinear(AbstractNetwork):
    """The published phenotype, as if it were a network."""

    effects: jax.Array
    interactions: jax.Array

    def __call__(self, genotype, *, detach=False):
        pairs = jnp.einsum("i,tij,j->t", genotype, self.interactions, genotype) / 2
        return self.effects @ genotype + pairs


def true_model(traits=2, seed=1):
    rng = np.random.default_rng(seed)
    half = np.triu(rng.normal(size=(traits, LOCI, LOCI)), 1)
    effects = jnp.asarray(rng.normal(size=(traits, LOCI)))
    return Multilinear(effects, jnp.asarray(half + half.transpose(0, 2, 1)))


def linked_genotypes(individuals=400, correlation=0.9, seed=2):
    """Neighbouring loci are correlated and frequencies differ."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(individuals, LOCI))
    for locus in range(1, LOCI):
        fresh = np.sqrt(1 - correlation**2) * normal[:, locus]
        normal[:, locus] = correlation * normal[:, locus - 1] + fresh
    return jnp.asarray(np.where(normal < rng.uniform(-0.8, 0.8, LOCI), 1.0, -1.0))


def every_genotype():
    return jnp.asarray(np.array(list(itertools.product([-1.0, 1.0], repeat=LOCI))))


def test_the_mean_sensitivity_is_the_average_effect_not_the_effect():
    model, x = true_model(), linked_genotypes()
    moments = sensitivities(jacobians(model, x))
    means = jnp.mean(x, axis=0)
    np.testing.assert_allclose(moments.mean, model.effects + model.interactions @ means, atol=1e-12)
    assert float(jnp.max(jnp.abs(moments.mean - model.effects))) > 0.1
    back = reference_effects(moments.mean, model.interactions, means)
    np.testing.assert_allclose(back, model.effects, atol=1e-12)


def test_the_variance_of_sensitivity_counts_linkage():
    model, x = true_model(), linked_genotypes()
    covariance = jnp.cov(x.T)
    np.testing.assert_allclose(
        sensitivities(jacobians(model, x)).variance,
        expected_variances(model.interactions, covariance),
        rtol=1e-10,
    )


def test_regression_is_exact_under_linkage_and_the_contrast_is_not():
    model, x = true_model(), linked_genotypes()
    slopes = jacobians(model, x)
    np.testing.assert_allclose(interactions_by_regression(slopes, x), model.interactions, atol=1e-8)
    error = four_genotype_contrast(slopes, x) - model.interactions
    assert float(jnp.nanmax(jnp.abs(error))) > 0.1


def test_the_contrast_is_exact_where_all_genotypes_are_equally_frequent():
    model, x = true_model(), every_genotype()
    np.testing.assert_allclose(
        four_genotype_contrast(jacobians(model, x), x), model.interactions, atol=1e-12
    )


def test_the_means_of_four_genotypes_are_those_of_a_loop():
    x = linked_genotypes(60, correlation=0.3)
    slopes = jacobians(true_model(), x)
    means = four_genotype_means(slopes, x)
    signs = ((1, 1), (-1, 1), (1, -1), (-1, -1))
    for place, (own, other) in enumerate(signs):
        chosen = (x[:, 1] == own) & (x[:, 4] == other)
        expected = jnp.mean(slopes[chosen][:, :, 1], axis=0)
        np.testing.assert_allclose(means[place, :, 1, 4], expected, atol=1e-12)


def test_too_few_individuals_for_the_regression_are_refused():
    x = linked_genotypes(LOCI)
    with pytest.raises(ValueError, match="6 individuals cannot separate 6 loci"):
        interactions_by_regression(jacobians(true_model(), x), x)


def test_the_gradient_of_the_true_phenotype_counts_epistasis_twice():
    """Euler's theorem: the reconstruction J x = f cannot hold for a model that knows the truth."""
    model, x = true_model(), every_genotype()
    additive = x @ model.effects.T
    pairs = jax.vmap(model)(x) - additive
    product = jnp.einsum("ntl,nl->nt", jacobians(model, x), x)
    np.testing.assert_allclose(product, additive + 2 * pairs, atol=1e-12)


def test_differences_of_any_network_average_to_its_walsh_coefficients():
    single = build_network("gated", LOCI, 8, 2, constant_channel=True, key=jax.random.key(5))
    x = every_genotype().astype(jnp.float32)
    output = jax.vmap(single)(x)
    pairs = jnp.asarray(PAIRS)
    found = project(output, x, pairs)
    walsh = x.T @ output / x.shape[0]
    np.testing.assert_allclose(found.additive, walsh, atol=1e-5)
    averages = jnp.mean(locus_differences(single, x), axis=0)
    np.testing.assert_allclose(averages.T, walsh, atol=1e-5)
    pair_averages = jnp.mean(pair_differences(single, x, pairs), axis=0)
    np.testing.assert_allclose(pair_averages.T, found.epistatic, atol=1e-5)


def test_a_projection_needs_more_individuals_than_features():
    x = linked_genotypes(20)
    with pytest.raises(ValueError, match="20 individuals cannot separate 6 contrasts and 15 pairs"):
        project(x[:, :1], x, jnp.asarray(PAIRS))


@pytest.mark.statistical
def test_the_spectrum_tells_orders_apart():
    """Variances 1, 2 and 1 of orders one, two and three; shares are right to .05 (n = 4,000)."""

    def function(x):
        pair, triple = x[1] * x[2], x[3] * x[4] * x[5]
        return jnp.stack([x[0] + jnp.sqrt(2.0) * pair + triple, x[0], jnp.prod(x)])

    x = every_genotype()
    shares = variance_spectrum(
        function, x, x, jnp.arange(LOCI), jnp.asarray(PAIRS), key=jax.random.key(0)
    )
    np.testing.assert_allclose(shares[0], [0.25, 0.5, 0.25, 0.0], atol=0.05)
    np.testing.assert_allclose(shares[1], [1.0, 0.0, 0.0, 0.0], atol=0.05)
    np.testing.assert_allclose(shares[2], [0.0, 0.0, 0.0, 1.0], atol=0.05)
    np.testing.assert_allclose(jnp.sum(shares, axis=1), 1.0, atol=1e-12)
