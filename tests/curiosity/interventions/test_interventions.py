"""Interventions against closed forms and mirror images, on a system that is solved by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.curiosity.interventions import (
    Kicks,
    Together,
    Walls,
    add_values,
    clamp_values,
    set_values,
)
from escapement_jax.curiosity.interventions.changes import steps_between
from escapement_jax.curiosity.interventions.kicks import draw_noise, draw_pushes
from escapement_jax.curiosity.interventions.walls import draw_walls
from escapement_jax.curiosity.rollouts import FixedStepRollout
from escapement_jax.curiosity.systems import VectorFieldSystem

STEP = 0.1
NINES = np.full(2, 9.0)


def decay(t, y, constants):
    """Two states that decay towards 0 at rates of their own."""
    del t
    return -constants * y


def drift(t, y, constants):
    """Two states that move at constant speed."""
    del t
    return constants + 0 * y


def system_of(field):
    return VectorFieldSystem(
        field,
        state_low=-NINES,
        state_high=NINES,
        low=-NINES,
        high=NINES,
        state_names=("a", "b"),
        constant_names=("p", "q"),
    )


ROLLOUT = FixedStepRollout(num_steps=50, step_size=STEP, num_kept=50, observed=(0, 1))
START = jnp.array([[1.0, 2.0, 0.5, 0.25]])


@eqx.filter_jit
def solved(system, parameters, intervention):
    return ROLLOUT(system, parameters, intervention)


def run(system, parameters, intervention):
    """States [states, steps, batch] with every step kept."""
    return np.asarray(solved(system, parameters, intervention).states)


TIMES = STEP * np.arange(50)


def test_a_state_set_for_a_while_decays_from_there():
    action = set_values(system_of(decay), {"b": 3.0}, between=(1.0, 2.0), step_size=STEP)
    states = run(system_of(decay), START, action)[..., 0]
    np.testing.assert_allclose(states[0], np.exp(-0.5 * TIMES), rtol=1e-6)
    expected = np.where(TIMES < 0.95, 2.0 * np.exp(-0.25 * TIMES), 3.0)
    expected = np.where(TIMES > 2.05, 3.0 * np.exp(-0.25 * (TIMES - 2.0)), expected)
    np.testing.assert_allclose(states[1], expected, rtol=1e-6)


def test_a_constant_changes_for_a_while_and_comes_back():
    system = system_of(decay)
    action = add_values(system, {"p": 1.0}, between=(1.0, 1.9), step_size=STEP)
    states = run(system, START, action)[0, :, 0]
    # Steps 10 to 19 decay at 1.5 instead of 0.5: one more unit of time constant in all.
    extra = np.clip(TIMES - 1.0, 0.0, 1.0)
    np.testing.assert_allclose(states, np.exp(-0.5 * TIMES - extra), rtol=1e-5)


def test_adding_to_a_state_acts_at_every_step():
    system = system_of(drift)
    still = START.at[:, 2:].set(0.0)
    action = add_values(system, {"a": 0.5}, between=(1.0, 1.2), step_size=STEP)
    states = run(system, still, action)[0, :, 0]
    np.testing.assert_allclose(states[[9, 10, 11, 12, 13]], [1.0, 1.5, 2.0, 2.5, 2.5])


def test_a_clamp_bounds_and_lets_go():
    action = clamp_values(system_of(drift), {"a": (0.0, 1.5)}, between=(0.0, 3.0), step_size=STEP)
    states = run(system_of(drift), START, action)[0, :, 0]
    expected = np.where(TIMES < 3.05, np.minimum(1.0 + 0.5 * TIMES, 1.5), 1.5 + 0.5 * (TIMES - 3.0))
    np.testing.assert_allclose(states, expected, rtol=1e-6)


def test_steps_are_counted_without_rounding_error():
    assert steps_between((0.3, 0.7), 0.1) == (3, 7)
    assert steps_between((2500 * 0.1, 2500 * 0.1), 0.1) == (2500, 2500)
    with pytest.raises(ValueError, match="no step of 0.1 s starts between 0.31 and 0.39"):
        steps_between((0.31, 0.39), 0.1)


def test_strange_names_and_reversed_bounds_are_refused():
    system = system_of(decay)
    when = {"between": (0.0, 1.0), "step_size": STEP}
    with pytest.raises(ValueError, match="has no c; it has a, b, p, q"):
        set_values(system, {"c": 1.0}, **when)
    with pytest.raises(ValueError, match="either states or constants"):
        set_values(system, {"a": 1.0, "p": 1.0}, **when)
    with pytest.raises(ValueError, match=r"bounds of a are \[2.0, 1.0\]"):
        clamp_values(system, {"a": (2.0, 1.0)}, **when)


def test_kicks_come_at_their_steps_and_never_make_a_state_negative():
    system, still = system_of(drift), START.at[:, 2:].set(0.0)
    action = Kicks(jnp.array([5, 20]), jnp.array([[0.5, 0.0], [0.0, -7.0]]))
    states = run(system, still, action)[..., 0]
    np.testing.assert_allclose(states[0, [4, 5, 49]], [1.0, 1.5, 1.5])
    np.testing.assert_allclose(states[1, [19, 20]], [2.0, 0.0])


def test_noise_has_its_scale_and_pushes_reach_the_surface():
    key = jax.random.key(2)
    noise = draw_noise(jnp.arange(4000), jnp.array([0.5, 2.0]), key=key).amounts
    # The standard error of a standard deviation of n draws is sd / sqrt(2 n): 1.1 %; five of them.
    np.testing.assert_allclose(noise.std(axis=0), [0.5, 2.0], rtol=0.056)
    pushes = draw_pushes(jnp.arange(500), jnp.array([0.5, 2.0]), key=key).amounts
    share = np.abs(np.asarray(pushes) / np.array([0.5, 2.0]))
    np.testing.assert_allclose(share.max(axis=1), 1.0)
    assert (share.min(axis=1) < 1).all()


def wall(collision, batched=False, **changes):
    settings = {
        "normal": jnp.array([0]),
        "centre": jnp.array([[2.02, 2.0]]),
        "half_width": jnp.array([[0.0, 3.0]]),
        "reach": jnp.array([[0.1, 0.1]]),
    }
    return Walls(collision, (0, 1), **(settings | changes), batched=batched)


def test_an_elastic_wall_is_a_mirror():
    free = run(system_of(drift), START, None)[..., 0]
    bounced = run(system_of(drift), START, wall("elastic"))[..., 0]
    mirrored = np.where(free[0] > 2.02, 4.04 - free[0], free[0])
    # The field drives on: the state returns at the wall over and over, and never passes.
    first = int(np.argmax(free[0] > 2.02))
    np.testing.assert_allclose(bounced[0, : first + 1], mirrored[: first + 1], rtol=1e-6)
    assert bounced[0].max() <= 2.02
    np.testing.assert_allclose(bounced[1], free[1], rtol=1e-6)


def test_a_sticky_wall_holds():
    stuck = run(system_of(drift), START, wall("sticky"))[..., 0]
    # The last step that does not cross ends at 2.0; there both states stay.
    np.testing.assert_allclose(stuck[0, 20:], 2.0, rtol=1e-9)
    np.testing.assert_allclose(stuck[1, 20:], 2.5, rtol=1e-9)


def test_a_force_field_stops_the_way_towards_it_only():
    held = run(system_of(drift), START, wall("force_field"))[..., 0]
    assert held[0].max() < 2.02
    np.testing.assert_allclose(held[1], 2.0 + 0.25 * TIMES, rtol=1e-6)
    leaving = START.at[0, 0].set(2.0).at[0, 2].set(-0.5)
    away = run(system_of(drift), leaving, wall("force_field"))[0, :, 0]
    np.testing.assert_allclose(away, 2.0 - 0.5 * TIMES, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("collision", ["elastic", "sticky", "force_field"])
def test_one_passes_beside_a_wall(collision):
    free = run(system_of(drift), START, None)
    beside = wall(collision, half_width=jnp.array([[0.0, 0.01]]), centre=jnp.array([[2.02, 7.0]]))
    np.testing.assert_allclose(run(system_of(drift), START, beside), free, rtol=1e-9)


def test_walls_are_drawn_across_the_course():
    course = jnp.asarray(run(system_of(drift), START, None)[..., 0])
    walls = draw_walls(
        course, collision="sticky", states=(0, 1), num_walls=3, length=0.2, key=jax.random.key(1)
    )
    disturbed = run(system_of(drift), START, walls)[..., 0]
    assert disturbed[0, -1] < float(course[0, -1]) - 0.1


def test_members_of_a_batch_have_walls_and_changes_of_their_own():
    pair = jnp.concatenate([START, START])
    system = system_of(drift)
    action = jax.tree.map(lambda part: jnp.stack([part, part + 90]), wall("elastic", batched=True))
    states = run(system, pair, action)
    np.testing.assert_allclose(states[..., 0], run(system, START, wall("elastic"))[..., 0])
    np.testing.assert_allclose(states[..., 1], run(system, START, None)[..., 0])


def test_interventions_combine_in_turn():
    system = system_of(drift)
    push = Kicks(jnp.array([5]), jnp.array([[9.0, 0.0]]))
    cap = clamp_values(system, {"a": (0.0, 1.5)}, between=(0.0, 9.0), step_size=STEP)
    assert run(system, START, Together(push, cap))[0, :, 0].max() == pytest.approx(1.5)
    assert run(system, START, Together(cap, push))[0, :, 0].max() > 9.0
    with pytest.raises(ValueError, match="1 of 2 are batched"):
        Together(push, wall("elastic", batched=True))
