import jax
import jax.numpy as jnp
import numpy as np

from escapement_jax.elm.anchors.spike_slab import spike_and_slab
from tests.elm.anchors.simulated import NUM_LOCI, simulated, simulated_moments
from tests.reference import dense_regression

NUM_PAIRS = NUM_LOCI * (NUM_LOCI - 1) // 2
GROUP = jnp.asarray([0] * NUM_LOCI + [1] * NUM_PAIRS, jnp.int32)


def fit(sums, /, **changes):
    arguments = {
        "gram": sums.gram,
        "moments": sums.moments,
        "sum_squares": sums.sum_squares,
        "num_individuals": 400,
        "group": GROUP,
        "num_candidates": (NUM_LOCI, NUM_PAIRS),
    }
    return spike_and_slab(**(arguments | changes))


def test_the_fit_is_a_fixed_point_of_the_plain_updates():
    moments = simulated_moments()
    posterior = fit(moments)
    for trait in range(2):
        prior = np.asarray(posterior.prior_inclusion)[np.asarray(GROUP), trait]
        slab = np.asarray(posterior.slab_variance)[np.asarray(GROUP), trait]
        order = np.argsort(-np.abs(moments.moments[:, trait] / np.sqrt(np.diag(moments.gram))))
        mean, inclusion = dense_regression.spike_slab_sweep(
            np.asarray(moments.gram),
            np.asarray(moments.moments)[:, trait],
            400,
            order,
            prior,
            slab,
            float(posterior.noise_variance[trait]),
            np.asarray(posterior.mean)[:, trait],
        )
        np.testing.assert_allclose(mean, posterior.mean[:, trait], atol=1e-4)
        np.testing.assert_allclose(inclusion, posterior.inclusion_probability[:, trait], atol=2e-3)


def test_true_pairs_are_found_and_an_additive_trait_has_none():
    posterior = fit(simulated_moments())
    probability = np.asarray(posterior.inclusion_probability)[NUM_LOCI:]
    pairs = np.asarray(simulated()[2])
    found = {tuple(pair) for pair in pairs[probability[:, 0] > 0.95].tolist()}
    assert found == {(0, 3), (2, 7)}
    assert not np.any(probability[:, 1] > 0.5)
    np.testing.assert_allclose(posterior.noise_variance, 0.09, rtol=0.2)


def test_scaling_a_trait_scales_its_effects():
    moments = simulated_moments()
    plain = fit(moments)
    scaled = fit(moments, moments=10 * moments.moments, sum_squares=100 * moments.sum_squares)
    np.testing.assert_allclose(scaled.mean, 10 * plain.mean, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(scaled.noise_variance, 100 * plain.noise_variance, rtol=1e-3)


def test_screening_does_not_make_effects_look_common():
    """Two pairs of many candidates: the prior counts those that were screened out."""
    posterior = fit(simulated_moments(), num_candidates=(NUM_LOCI, 100 * NUM_PAIRS))
    prior = np.asarray(posterior.prior_inclusion)[1]
    assert np.all(prior < 5 / (100 * NUM_PAIRS))


def test_vmap_over_folds_equals_a_loop():
    moments = simulated_moments()
    scales = jnp.asarray([1.0, 2.0])
    batched = jax.vmap(lambda s: fit(moments, moments=s * moments.moments).mean)(scales)
    for place, scale in enumerate([1.0, 2.0]):
        alone = fit(moments, moments=scale * moments.moments).mean
        np.testing.assert_allclose(batched[place], alone, atol=1e-10)


def test_single_precision_agrees():
    moments = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), simulated_moments())
    np.testing.assert_allclose(fit(moments).mean, fit(simulated_moments()).mean, atol=1e-4)
