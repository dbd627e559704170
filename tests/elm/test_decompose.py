"""The whole decomposition on small data, and its refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.elm import decompose, encode
from escapement_jax.elm.phenotypes import check_phenotypes
from escapement_jax.elm.sample_split import split_samples
from escapement_jax.elm.variance_components import variance_components

LOCI = 6
SMALL = {"width": 8, "max_epochs": 4, "folds": 2, "anchors": ()}


def small_data(individuals=400, seed=0):
    """One additive trait, and one with a single interaction between loci 2 and 5."""
    rng = np.random.default_rng(seed)
    x = rng.choice([-1, 1], (individuals, LOCI))
    noise = 0.5 * rng.normal(size=(individuals, 2))
    additive = 3.0 + x[:, 0] - x[:, 3]
    return x, np.stack([additive, 10 * x[:, 1] * x[:, 4]], axis=1) + noise


@pytest.fixture(scope="module")
def effects():
    x, y = small_data()
    return decompose(x, y, DecomposeConfig(**SMALL), key=jax.random.key(1))


def row_of(effects, first, second):
    pairs = np.asarray(effects.pairs)
    return int(np.flatnonzero((pairs == [first, second]).all(axis=1))[0])


def test_the_interaction_is_found_in_the_units_of_the_trait(effects):
    pair = row_of(effects, 1, 4)
    assert float(effects.epistatic.effect[1, pair]) == pytest.approx(10.0, abs=0.1)
    assert float(effects.epistatic.lower_95[1, pair]) < 10.0
    assert float(effects.epistatic.upper_95[1, pair]) > 10.0
    assert float(effects.epistatic.q_value[1, pair]) < 1e-6
    assert float(effects.epistatic.inclusion_probability[1, pair]) > 0.99


def test_the_additive_trait_has_its_effects_and_no_interactions(effects):
    np.testing.assert_allclose(effects.additive.effect[0], [1, 0, 0, -1, 0, 0], atol=0.15)
    assert float(jnp.min(effects.epistatic.q_value[0])) > 0.05


def test_the_variance_is_told_apart(effects):
    parts = dict(zip(effects.variance.names, effects.variance.variance.T, strict=True))
    np.testing.assert_allclose(parts["additive"][0], 2.0, atol=0.4)
    np.testing.assert_allclose(parts["additive x additive"][1], 100.0, rtol=0.05)
    np.testing.assert_allclose(parts["residual"], 0.25, atol=0.06)


def test_the_model_predicts_and_reports(effects):
    assert bool(jnp.all(effects.test_r2 > 0.8))
    assert effects.num_train == 340
    assert effects.num_test == 60
    assert effects.num_candidate_pairs == 15
    assert float(effects.network.reconstruction_error) < 1e-12
    assert effects.network.num_epochs.shape == (2,)
    assert any("no better than the regression" in warning for warning in effects.warnings)


def test_the_same_key_gives_the_same_effects(effects):
    x, y = small_data()
    again = decompose(x, y, DecomposeConfig(**SMALL), key=jax.random.key(1))
    np.testing.assert_array_equal(again.epistatic.effect, effects.epistatic.effect)


@pytest.mark.slow
def test_screened_and_truncated_pairs_still_hold_the_real_one():
    """With eight joint and ten reported pairs of 15 the others count as tests all the same."""
    x, y = small_data()
    config = DecomposeConfig(
        **SMALL, learner="regression", max_joint_pairs=8, max_reported_pairs=10
    )
    effects = decompose(x, y, config, key=jax.random.key(1))
    assert effects.pairs.shape[0] < 15
    assert effects.num_candidate_pairs == 15
    pair = row_of(effects, 1, 4)
    assert float(effects.epistatic.effect[1, pair]) == pytest.approx(10.0, abs=0.1)


def test_a_network_alone_is_debiased_too():
    x, y = small_data()
    config = DecomposeConfig(**SMALL, learner="network")
    effects = decompose(x, y, config, key=jax.random.key(1))
    # Hardly trained, it predicts little: the residual finds the rest, with a wide interval.
    pair = row_of(effects, 1, 4)
    error = abs(float(effects.epistatic.unshrunken[1, pair]) - 10.0)
    assert error < 4 * float(effects.epistatic.stderr[1, pair])


@pytest.mark.slow
def test_a_network_on_few_linked_individuals_stays_in_the_residual():
    """Forty individuals hardly separate 21 features: what the network says is not used."""
    x, y = small_data(40)
    x[:, 2] = np.where(np.arange(40) < 2, -x[:, 1], x[:, 1])
    config = DecomposeConfig(**SMALL, learner="network", test_fraction=0.0)
    effects = decompose(x, y, config, key=jax.random.key(1))
    assert bool(jnp.all(jnp.isfinite(effects.epistatic.unshrunken)))
    assert bool(jnp.all(jnp.isnan(effects.test_r2)))
    assert bool(jnp.all(jnp.isnan(effects.network.test_r2)))
    assert any("no test individuals" in warning for warning in effects.warnings)


@pytest.mark.slow
def test_diploids_have_dominance_and_its_interactions():
    rng = np.random.default_rng(3)
    x = rng.integers(0, 3, (500, 3))
    y = x[:, 0] + 2.0 * (x[:, 1] == 1) + 0.3 * rng.normal(size=500)
    config = DecomposeConfig(**SMALL, learner="regression")
    effects = decompose(x, y, config, key=jax.random.key(0))
    assert effects.column_kind == ("A",) * 3 + ("D",) * 3
    assert effects.num_candidate_pairs == 12
    np.testing.assert_allclose(effects.additive.effect[0], [1, 0, 0, 0, 2, 0], atol=0.15)
    assert "dominance" in effects.variance.names
    assert bool(jnp.all(jnp.isnan(effects.reference_effect)))


def test_the_published_method_gives_effects_without_uncertainty():
    x, y = small_data()
    config = DecomposeConfig(
        method="source", width=8, max_epochs=4, anchors=(), replicates=2, patience=2
    )
    effects = decompose(x, y, config, key=jax.random.key(1))
    assert bool(jnp.all(jnp.isnan(effects.epistatic.stderr)))
    assert effects.additive.effect.shape == (2, LOCI)
    np.testing.assert_array_equal(effects.test_r2, effects.network.test_r2)
    assert any("no standard errors" in warning for warning in effects.warnings)
    # The mean of b_i + sum_j b_ij x_j differs from b_i by the mean genotypes.
    assert float(jnp.max(jnp.abs(effects.reference_effect - effects.additive.effect))) > 0


def test_the_published_method_refuses_diploids():
    x = np.random.default_rng(0).integers(0, 3, (60, 3))
    with pytest.raises(ValueError, match="ploidy 2.*use method 'debiased'"):
        decompose(x, x[:, 0], DecomposeConfig(method="source"), key=jax.random.key(0))


def refused(phenotypes, match, individuals=30):
    with pytest.raises(ValueError, match=match):
        check_phenotypes(phenotypes, individuals, dtype=np.float64)


def test_unusable_phenotypes_are_refused():
    good = np.random.default_rng(0).normal(size=(30, 2))
    refused(good[:20], "30 genotypes, but 20 phenotypes")
    missing = good.copy()
    missing[[4, 6], 1] = np.nan
    refused(missing, r"trait_2 is missing or infinite in 2 individuals \(rows 5, 7\)")
    constant = good.copy()
    constant[:, 0] = 2.0
    refused(constant, "trait_1 is the same in every individual")
    refused(good[:, :0], "individuals by traits")
    with pytest.raises(ValueError, match="unique name"):
        check_phenotypes(good, 30, names=("a", "a"), dtype=np.float64)


def test_phenotypes_are_standardised():
    values = 5 + 2 * np.random.default_rng(0).normal(size=30)
    found = check_phenotypes(values, 30, dtype=np.float64)
    np.testing.assert_allclose(found.values[:, 0] * found.scale[0] + found.mean[0], values)
    np.testing.assert_allclose(jnp.std(found.values, axis=0), 1.0)


def test_the_split_takes_the_last_individuals_or_random_ones():
    last = split_samples(100, DecomposeConfig(split="last"), key=jax.random.key(0))
    np.testing.assert_array_equal(last.test, np.arange(85, 100))
    drawn = split_samples(100, DecomposeConfig(), key=jax.random.key(0))
    assert sorted(np.concatenate(drawn)) == list(range(100))
    assert list(drawn.test) != list(last.test)
    with pytest.raises(ValueError, match="17 of 20 individuals remain"):
        split_samples(20, DecomposeConfig(), key=jax.random.key(0))


def test_variance_of_linked_loci_is_that_of_gaussian_contrasts():
    """For normal contrasts the pair formula is exact: compare with a sample of 200,000."""
    rng = np.random.default_rng(0)
    covariance = np.array([[1.0, 0.6, 0.0], [0.6, 1.0, 0.0], [0.0, 0.0, 2.0]])
    z = rng.multivariate_normal(np.zeros(3), covariance, size=200_000)
    pairs, additive = np.array([[0, 1], [0, 2], [1, 2]]), np.array([1.0, -0.5, 0.2])
    epistatic = np.array([0.3, 0.5, -0.4])
    found = variance_components(
        jnp.asarray(additive)[None],
        jnp.asarray(epistatic)[None],
        jnp.asarray(pairs),
        ("A", "A", "A"),
        jnp.asarray(z),
        jnp.asarray(covariance),
        jnp.asarray([0.0]),
        shrunken=False,
    )
    products = z[:, pairs[:, 0]] * z[:, pairs[:, 1]]
    expected = [np.var(z @ additive), np.var(products @ epistatic), 0.0]
    np.testing.assert_allclose(found.variance[0], expected, rtol=0.02)


def test_coded_genotypes_are_taken_as_they_are():
    x, y = small_data(120)
    config = DecomposeConfig(**SMALL, learner="regression")
    coded = encode(x, dtype=np.float64)
    one = decompose(coded, y, config, key=jax.random.key(0))
    other = decompose(x, y, config, key=jax.random.key(0))
    np.testing.assert_array_equal(one.additive.effect, other.additive.effect)
