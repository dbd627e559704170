import dataclasses

import numpy as np
import pytest

from escapement_jax.config.elm_simulation import SimulateElmConfig
from escapement_jax.data import elm_source
from escapement_jax.elm.genotypes.calls import recognise
from escapement_jax.elm.genotypes.coding import contrast_table
from escapement_jax.elm.simulation import add_environment, simulate
from escapement_jax.io.elm_arrays import read_npz_study

CONFIG = SimulateElmConfig(
    individuals=600, loci=12, additive_share=(1.0, 0.6, 0.2), heritability=1.0, seed=3
)


def parts(study):
    """Additive, dominance and epistatic values of every trait, from genotypes and truth."""
    table = contrast_table(recognise(study.genotypes, ploidy=study.ploidy))
    contrasts, truth = table.contrasts, study.truth
    is_additive = np.array([kind == "A" for kind in table.column_kind])
    additive = contrasts[:, is_additive] @ truth.additive[:, is_additive].T
    dominance = contrasts[:, ~is_additive] @ truth.additive[:, ~is_additive].T
    epistatic = np.zeros_like(additive)
    for trait, columns, effect in zip(
        truth.interaction_trait, truth.interaction_columns, truth.interaction_effect, strict=True
    ):
        epistatic[:, trait] += effect * np.prod(contrasts[:, columns], axis=1)
    return additive, dominance, epistatic


def test_the_published_phenotypes_are_their_published_effects():
    """P = mu + sum a_i x_i + sum b_ij x_i x_j + e with V_E = .001, in the raw data."""
    study = read_npz_study(elm_source())
    truth, x = study.truth, study.genotypes
    genetic = x @ truth.additive.T
    for trait, (i, j), effect in zip(
        truth.interaction_trait, truth.interaction_columns, truth.interaction_effect, strict=True
    ):
        genetic[:, trait] += effect * x[:, i] * x[:, j]
    residual = study.phenotypes - genetic
    assert np.all(residual.var(axis=0) < 0.00105)
    assert np.all(residual.var(axis=0) > 0.00095)
    assert np.all(np.bincount(truth.interaction_trait, minlength=5) == [0, 32, 32, 32, 32])
    for trait in range(1, 5):
        partners = truth.interaction_columns[truth.interaction_trait == trait]
        assert np.array_equal(np.sort(partners.reshape(-1)), np.arange(64))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lowest_frequency": 0.2, "highest_frequency": 0.8},
        {"interaction_order": 3},
        {"ploidy": 2, "dominance_share": 0.2, "additive_share": (0.8, 0.5, 0.1)},
        {"linkage": "coalescent"},
    ],
)
def test_phenotypes_are_the_sum_of_what_the_truth_says(changes):
    config = dataclasses.replace(CONFIG, **changes)
    study = simulate(config)
    genetic = sum(parts(study))
    np.testing.assert_allclose(genetic - genetic.mean(axis=0), study.phenotypes, atol=1e-10)
    np.testing.assert_allclose(study.phenotypes.var(axis=0), 1, rtol=1e-10)
    assert study.genotypes.shape == (600, 12)


def test_every_locus_is_in_one_pair_and_pairs_differ_between_traits():
    truth = simulate(CONFIG).truth
    groups = [truth.interaction_columns[truth.interaction_trait == t] for t in range(3)]
    assert groups[0].size == 0
    for group in groups[1:]:
        np.testing.assert_array_equal(np.sort(group.reshape(-1)), np.arange(12))
    assert not np.array_equal(groups[1], groups[2])


@pytest.mark.statistical
def test_shares_of_variance_are_realised():
    """The parts are nearly uncorrelated in 6,000 unlinked individuals: 3 % is over 4 sigma."""
    study = simulate(dataclasses.replace(CONFIG, individuals=6000))
    additive, _, epistatic = parts(study)
    np.testing.assert_allclose(additive.var(axis=0), [1.0, 0.6, 0.2], atol=0.03)
    np.testing.assert_allclose(epistatic.var(axis=0), [0.0, 0.4, 0.8], atol=0.03)


def test_heritability_is_applied_once_and_scales_the_truth():
    clean, noisy = simulate(CONFIG), simulate(dataclasses.replace(CONFIG, heritability=0.25))
    np.testing.assert_allclose(noisy.truth.additive, clean.truth.additive / 2)
    noise = noisy.phenotypes - clean.phenotypes / 2
    # 1,800 draws of variance .75: a standard error of 3.3 %.
    assert noise.var() == pytest.approx(0.75, rel=0.15)
    correlation = np.corrcoef(noise[:300, 0], noise[300:, 0])[0, 1]
    assert abs(correlation) < 4 / np.sqrt(300)  # The published noise repeats: correlation 1.


def test_noise_keeps_the_phenotypic_variance():
    study = simulate(dataclasses.replace(CONFIG, individuals=6000))
    noisy = add_environment(study, 0.5, np.random.default_rng(0))
    np.testing.assert_allclose(noisy.phenotypes.var(axis=0), 1, rtol=0.08)
    with pytest.raises(ValueError, match="must lie in"):
        add_environment(study, 0.0, np.random.default_rng(0))


def test_a_sigmoid_link_leaves_no_truth_of_pairs():
    study = simulate(dataclasses.replace(CONFIG, link="sigmoid"))
    assert study.truth is None
    np.testing.assert_allclose(study.phenotypes.var(axis=0), 1, rtol=1e-10)


def test_missing_calls_are_missing():
    study = simulate(dataclasses.replace(CONFIG, missing=0.1))
    assert np.isnan(study.genotypes).mean() == pytest.approx(0.1, abs=0.02)


def test_linked_loci_are_linked():
    study = simulate(dataclasses.replace(CONFIG, linkage="coalescent", sequence_length=20_000))
    correlation = np.corrcoef(study.genotypes.T) - np.eye(12)
    assert np.abs(correlation).max() > 0.3


def test_a_short_coalescent_has_too_few_loci():
    config = dataclasses.replace(CONFIG, linkage="coalescent", individuals=3, loci=500)
    with pytest.raises(ValueError, match="but 500 are wanted"):
        simulate(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ploidy": 3}, "choose 1 or 2"),
        ({"additive_share": ()}, "additive_share is empty"),
        ({"additive_share": (1.2,)}, "additive_share has 1.2"),
        ({"dominance_share": 0.1, "additive_share": (0.5,)}, "needs ploidy 2"),
        ({"heritability": 1.5}, "at most 1"),
        ({"lowest_frequency": 0.6, "highest_frequency": 0.5}, "below lowest_frequency"),
        ({"interaction_order": 20}, "interaction_order is 20"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **changes)
