"""The published recipe at a small size: its losses, and that it learns without labels."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.config.gradient_baseline import GradientConfig
from escapement_jax.homeostasis.gradient_baseline.explore import explore_gradient_recipes
from escapement_jax.homeostasis.gradient_baseline.frames import training_frames
from escapement_jax.homeostasis.gradient_baseline.losses import (
    contrastive_loss,
    residual_loss,
    rollout_loss,
)
from escapement_jax.homeostasis.gradient_baseline.phase_two import train_phase_two
from escapement_jax.homeostasis.gradient_baseline.recipe import Recipe
from escapement_jax.homeostasis.gradient_baseline.substrate_network import (
    single_precision,
    untrained_substrate_network,
)
from escapement_jax.homeostasis.source_view.distillation import distill
from escapement_jax.homeostasis.time_courses import TimeCourses
from tests.reference.known_recovery import small_simulation

TINY = GradientConfig(
    phase_one_steps=60,
    phase_two_steps=20,
    rollout_lengths=(2, 4),
    rounds=1,
    parallel=2,
    held_out=0.3,
)


@pytest.fixture(scope="module")
def frames():
    return training_frames(small_simulation().time_courses, euler=True, held_out=0.3)


@pytest.fixture(scope="module")
def truth():
    """The true reactions without homeostasis, and homeostasis as a node function."""
    model = small_simulation().truth.model
    node = distill(model.slopes, model.offsets, key=jax.random.key(1))
    silent = eqx.tree_at(lambda tree: (tree.slopes, tree.offsets), model, replace_fn=jnp.zeros_like)
    return silent, node


def test_euler_data_have_exact_derivatives(frames):
    model = small_simulation().truth.model
    state = jnp.asarray(frames.concentrations[0, 5], dtype=float)
    np.testing.assert_allclose(frames.derivatives[0, 5], model(state), atol=2e-5)
    assert frames.concentrations.shape[1] + frames.held_out.shape[1] == 41


def test_the_truth_has_no_loss(frames, truth):
    reactions, node = truth
    segment = jnp.asarray(frames.concentrations[0, :9], dtype=float)
    options = {
        "time_step": jnp.asarray(0.1),
        "amplification": jnp.asarray(1.0),
        "stop_gradient": jnp.asarray(False),
    }
    loss = rollout_loss(node, reactions, segment, length=jnp.asarray(8), **options)
    assert loss < 1e-10
    doubled = rollout_loss(
        node,
        reactions,
        segment,
        length=jnp.asarray(8),
        **options | {"amplification": jnp.asarray(2.0)},
    )
    assert doubled > 1e-7
    residual = residual_loss(
        node,
        reactions,
        segment[0],
        jnp.asarray(frames.derivatives[0, 0], dtype=float),
        amplification=jnp.asarray(1.0),
    )
    assert residual < 1e-8


def test_steps_beyond_the_length_pass_no_gradient(frames, truth):
    reactions, node = truth
    segment = jnp.asarray(frames.concentrations[0, :9], dtype=float)

    def loss(last, length):
        return rollout_loss(
            node,
            reactions,
            jnp.concatenate([segment[:-1], last[None]]),
            time_step=jnp.asarray(0.1),
            amplification=jnp.asarray(3.0),
            length=jnp.asarray(length),
            stop_gradient=jnp.asarray(False),
        )

    assert not jax.grad(loss)(segment[-1], 4).any()
    assert jax.grad(loss)(segment[-1], 8).any()


def test_contrast_draws_the_like_together(truth):
    _, node = truth
    apart = contrastive_loss(node, jnp.asarray(10.0))
    together = eqx.tree_at(lambda tree: tree.embeddings, node, replace_fn=jnp.zeros_like)
    assert apart < contrastive_loss(together, jnp.asarray(10.0))


def test_a_reaction_without_substrates_never_runs():
    network = small_simulation().network
    model = untrained_substrate_network(network, key=jax.random.key(1))
    fast = eqx.tree_at(lambda tree: tree.log10_rates, model, model.log10_rates.at[-1].set(9.0))
    state = jnp.full(12, 2.0, dtype=jnp.float32)
    np.testing.assert_array_equal(fast(state), model(state))


def test_amplification_is_part_of_the_result(frames, truth):
    """Adam's first step is the learning rate, whatever the gradient; amplified, ten times that."""
    reactions = single_precision(truth[0])
    recipes = [Recipe(residual=1.0), Recipe(residual=1.0, amplification=10.0)]
    nodes, losses = train_phase_two(
        reactions, frames, recipes, batch=8, num_steps=1, key=jax.random.key(2)
    )
    assert losses.shape == (2, 1)
    moved = [float(np.abs(node.network.layers[-1].bias).max()) for node in nodes]
    np.testing.assert_allclose(moved, [0.01, 0.1], rtol=1e-3)


def test_exploration_finds_homeostasis_without_labels():
    simulation = small_simulation()
    exploration = explore_gradient_recipes(
        simulation.time_courses, simulation.network, TINY, euler=True, key=jax.random.key(1)
    )
    assert [trial.recipe.rollout_length for trial in exploration.trials] == [2, 2, 4, 4]
    assert exploration.losses.shape == (4, 20)
    assert exploration.phase_one_losses[-1] < exploration.phase_one_losses[0]
    assert np.isfinite(exploration.log10_rates).all()
    assert all(-1 <= trial.reward <= 1 for trial in exploration.trials)
    assert exploration.best_node is exploration.nodes[exploration.best]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": lambda times: times**2}, "times at regular steps"),
        ({"concentrations": lambda values: values.at[0, 3, 2].set(jnp.nan)}, "complete data"),
        ({"activities": lambda values: 0.5 * values}, "neither knock-downs nor perturbations"),
    ],
)
def test_data_that_the_recipe_cannot_use_are_refused(change, message):
    courses = small_simulation().time_courses
    fields = {name: getattr(courses, name) for name in vars(courses)}
    [(name, function)] = change.items()
    bad = TimeCourses(**fields | {name: function(fields[name])})
    with pytest.raises(ValueError, match=message):
        training_frames(bad, euler=True, held_out=0.2)


def test_rollouts_must_fit_into_the_data():
    simulation = small_simulation()
    with pytest.raises(ValueError, match="rollouts of 64 steps need more than 29 frames"):
        explore_gradient_recipes(
            simulation.time_courses,
            simulation.network,
            dataclasses.replace(TINY, rollout_lengths=(64,)),
            euler=True,
            key=jax.random.key(1),
        )
