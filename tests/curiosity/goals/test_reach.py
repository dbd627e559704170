import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.config.curiosity import ExploreConfig
from escapement_jax.curiosity import TranscriptionalCircuit, VectorFieldSystem, explore
from escapement_jax.curiosity.behaviour.feasibility import Sinusoid
from escapement_jax.curiosity.explore import default_experiment
from escapement_jax.curiosity.goals import (
    evolve,
    levenberg_marquardt,
    multi_start_adam,
    reach,
    sinusoid_target,
)
from escapement_jax.curiosity.goals.horizon import schedule
from escapement_jax.curiosity.goals.multi_start_adam import Stage
from escapement_jax.curiosity.goals.phase_alignment import align
from escapement_jax.curiosity.rollouts import FixedStepRollout


def spring(t, y, args):
    """A harmonic oscillator about c1 with angular frequency c0: any sinusoid can be reached."""
    return jnp.stack([args[0] * y[1], -args[0] * (y[0] - args[1])])


SPRING = VectorFieldSystem(
    spring, state_low=[0, -1], state_high=[1, 1], low=[0.5, 0.0], high=[2.0, 1.0]
)
ROLLOUT = FixedStepRollout(200, 0.1, 100)
WANTED = Sinusoid(0.3, 0.5, 0.2)
TRUTH = jnp.array([0.8, 0.0, 2 * np.pi * 0.2, 0.5])
TARGET = sinusoid_target(SPRING, ROLLOUT, WANTED)
NEAR = jnp.clip(SPRING.box.to_unit(TRUTH)[None] + jnp.array([[0.05, -0.04, 0.03, 0.06]]), 0, 1)


def test_the_truth_has_no_distance():
    unit = SPRING.box.to_unit(TRUTH)
    np.testing.assert_allclose(TARGET.loss(unit), 0, atol=1e-5)
    np.testing.assert_allclose(TARGET.loss(unit, 1.0), 0, atol=1e-5)


def test_the_loss_is_the_root_mean_square_and_its_gradient_is_right():
    course = np.asarray(TARGET.states(NEAR[0]))[:, 0]
    wanted = 0.3 * np.cos(2 * np.pi * 0.2 * 0.1 * np.arange(200)) + 0.5
    expected = np.sqrt(np.mean((course - wanted) ** 2))
    np.testing.assert_allclose(TARGET.loss(NEAR[0]), expected, rtol=1e-9)
    slope = jax.grad(TARGET.loss)(NEAR[0])
    step = 1e-6 * jnp.eye(4)
    numeric = [(TARGET.loss(NEAR[0] + s) - TARGET.loss(NEAR[0] - s)) / 2e-6 for s in step]
    np.testing.assert_allclose(slope, jnp.stack(numeric), rtol=1e-4)


def test_least_squares_find_the_truth():
    unit, loss = levenberg_marquardt(TARGET, NEAR, num_steps=12, periods=(1.0, jnp.inf))
    assert float(loss[0]) < 1e-5
    np.testing.assert_allclose(SPRING.box.from_unit(unit[0]), TRUTH, atol=1e-3)


def test_descent_comes_closer_from_the_best_of_many_starts():
    starts = jnp.concatenate([NEAR, jax.random.uniform(jax.random.key(0), (7, 4))])
    before = jax.vmap(TARGET.loss)(starts)
    unit, loss = multi_start_adam(
        TARGET, starts, stages=(Stage(8, 10, 1.0), Stage(2, 30, float("inf")))
    )
    assert unit.shape == (2, 4)
    assert float(loss.min()) < float(before.min())
    with pytest.raises(ValueError, match="8 starts are given"):
        multi_start_adam(TARGET, starts)


def test_evolution_never_loses_its_parent():
    start = NEAR[0]
    unit, loss = evolve(TARGET, start, num_generations=5, num_workers=8, key=jax.random.key(0))
    assert float(loss) <= float(TARGET.loss(start))
    np.testing.assert_allclose(TARGET.loss(unit), loss)


def test_alignment_puts_the_phase_right():
    late = SPRING.box.to_unit(jnp.array([0.5, -0.3, 2 * np.pi * 0.2, 0.5]))
    unit, foretold = align(TARGET, late[None])
    assert float(TARGET.loss(late)) > 0.2
    assert float(TARGET.loss(unit[0])) < 0.03
    np.testing.assert_allclose(foretold[0], TARGET.loss(unit[0]), atol=0.01)


def test_horizons_grow_in_equal_parts():
    assert schedule(6, (1.0, 2.0, float("inf"))).tolist() == [1, 1, 2, 2, jnp.inf, jnp.inf]


def test_reaching_from_a_history_says_what_is_possible():
    settings = ExploreConfig(budget=100, batch_size=50, num_starts=50, bins=6, num_steps=300)
    system = TranscriptionalCircuit()
    experiment = default_experiment(system, settings)
    done = explore(experiment, settings, key=jax.random.key(0))
    wanted = Sinusoid(0.44, 0.46, 0.22)
    found = reach(experiment, wanted, done, budget=100)
    assert found.rollouts <= 100
    assert not found.reachable
    assert "cannot be followed" in found.verdict
    target = sinusoid_target(system, experiment.rollout, wanted)
    unit = system.box.to_unit(found.parameters)
    np.testing.assert_allclose(target.loss(unit), found.root_mean_square, rtol=1e-4)
    assert found.root_mean_square < 0.44 / np.sqrt(2)
    with pytest.raises(ValueError, match="give at least 46"):
        reach(experiment, wanted, done, budget=20)
    nothing = eqx.tree_at(lambda h: h.found, done, np.zeros(100, bool))
    with pytest.raises(ValueError, match="explore longer"):
        reach(experiment, wanted, nothing)
