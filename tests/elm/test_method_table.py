import numpy as np
import pytest

from escapement_jax.elm.method_table import agreement, compare_methods, method_table
from tests.reference.random_effects import random_effects, random_truth


def test_agreement_with_a_shrunken_truth():
    truth = np.random.default_rng(0).normal(size=50)
    slope, r2, correlation2 = agreement(0.5 * truth, truth)
    assert slope == pytest.approx(0.5)
    assert r2 == pytest.approx(1 - 0.25 * np.sum(truth**2) / np.sum((truth - truth.mean()) ** 2))
    assert correlation2 == pytest.approx(1)


def test_agreement_is_unknown_where_the_truth_does_not_vary():
    assert np.isnan(agreement(np.arange(3.0), np.zeros(3))).all()


def test_discoveries_are_counted_and_the_true_ones_among_them():
    effects = random_effects()
    rows = compare_methods(effects, random_truth(), name="debiased", cpu_seconds=2.0)
    assert [row.name for row in rows] == ["debiased", "pairwise"]
    q_values = np.asarray(effects.epistatic.q_value)[1]
    assert rows[0].found[1] == np.sum(q_values <= 0.05)
    assert rows[0].true[1] == 3
    assert rows[0].r2[1] > 0.9
    assert np.isnan(rows[0].r2[0])  # No pair acts on the first trait.
    assert rows[1].cpu_seconds == 1.5


def test_the_text_shows_every_method_and_what_is_known():
    effects = random_effects()
    text = method_table(
        compare_methods(effects, random_truth(), name="debiased", cpu_seconds=2.0),
        effects.trait_names,
    )
    assert "pairs found (true)" in text
    assert "(3)" in text
    without = method_table(
        compare_methods(effects, None, name="debiased", cpu_seconds=2.0), effects.trait_names
    )
    assert "pair slope" not in without
