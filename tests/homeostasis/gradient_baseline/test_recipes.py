"""Recipes as arrays, and the explorer of their grid."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.homeostasis.gradient_baseline.explorer import (
    Trial,
    propose,
    upper_confidence_bounds,
)
from escapement_jax.homeostasis.gradient_baseline.recipe import Recipe, TracedRecipe, traced


def one(recipe: Recipe) -> TracedRecipe:
    stacked = traced([recipe])
    return TracedRecipe(**{name: leaf[0] for name, leaf in vars(stacked).items()})


def test_strategies_are_counted_as_published():
    assert Recipe().strategies == "plain"
    assert Recipe(residual=1.0, cosine=True, stop_gradient=True).strategies == "1+5+8"


def test_learning_rates_rise_and_then_fall():
    recipe = one(Recipe(warm_up=0.2, cosine=True))
    rates = [float(recipe.rate_at(jnp.float32(progress))) for progress in (0, 0.1, 0.2, 0.6, 1)]
    np.testing.assert_allclose(rates, [0, 0.5, 1, 0.5, 0], atol=1e-6)
    plain = one(Recipe())
    assert all(float(plain.rate_at(jnp.float32(progress))) == 1 for progress in (0, 0.5, 1))


def test_lengths_are_halved_and_drawn():
    def lengths(recipe: Recipe, progress: float) -> list[int]:
        return [
            int(one(recipe).length_at(jnp.float32(progress), jnp.asarray(scale)))
            for scale in range(4)
        ]

    assert lengths(Recipe(rollout_length=32), 0.9) == [32] * 4
    assert lengths(Recipe(rollout_length=32, curriculum=True), 0.9) == [16] * 4
    assert lengths(Recipe(rollout_length=32, multi_scale=True), 0.0) == [32, 16, 8, 2]
    assert lengths(Recipe(rollout_length=4, multi_scale=True), 0.0) == [4, 2, 1, 1]


def trial(reward: float, parent: int = -1, **options: float) -> Trial:
    return Trial(Recipe(**options), parent, "", reward)


def test_bounds_are_rewards_and_a_bonus_for_the_less_visited():
    trials = [trial(0.5), trial(0.2, 0, residual=1.0), trial(0.1, 1, amplification=10.0)]
    bounds = upper_confidence_bounds(trials, exploration=2.0)
    # Visits count descendants: 3, 2 and 1.
    bonus = [2 * math.sqrt(math.log(3) / visits) for visits in (3, 2, 1)]
    np.testing.assert_allclose(bounds, np.array([0.5, 0.2, 0.1]) + bonus)


def test_the_first_round_is_the_default_and_changes_of_it():
    generator = np.random.default_rng(1)
    proposed = propose([], rollout_length=16, count=3, exploration=1.0, generator=generator)
    assert [one.parent for one in proposed] == [-1, 0, 0]
    assert proposed[0].recipe == Recipe(rollout_length=16)
    assert all(_differences(one.recipe, proposed[0].recipe) == 1 for one in proposed[1:])


def test_the_best_trial_of_the_slot_is_changed_and_nothing_tried_twice():
    trials = [
        trial(0.0, rollout_length=4),
        trial(0.9, 0, rollout_length=4, residual=1.0),
        trial(5.0, rollout_length=16),
    ]
    generator = np.random.default_rng(1)
    proposed = propose(trials, rollout_length=4, count=5, exploration=0.0, generator=generator)
    assert [one.parent for one in proposed] == [1] * 5
    recipes = [one.recipe for one in proposed]
    assert all(recipe.rollout_length == 4 for recipe in recipes)
    assert len({*recipes, *(one.recipe for one in trials)}) == 8


def _differences(left: Recipe, right: Recipe) -> int:
    return sum(getattr(left, name) != getattr(right, name) for name in vars(left))


def test_the_mutation_is_spelled_out():
    generator = np.random.default_rng(2)
    proposed = propose([], rollout_length=4, count=2, exploration=1.0, generator=generator)
    name, change = proposed[1].mutation.split(": ")
    assert change == f"{getattr(Recipe(), name)} -> {getattr(proposed[1].recipe, name)}"


def test_a_bound_needs_no_luck_with_one_trial():
    assert upper_confidence_bounds([trial(0.3)], exploration=1.4) == pytest.approx([0.3])
