"""Steps in time: closed forms, orders of accuracy and conserved mass."""

import jax.numpy as jnp
import numpy as np

from escapement_jax.homeostasis.stepping import rollout, step
from tests.homeostasis.small_networks import TIMES, ring_model, ring_states


def decay(state):
    return -state


def test_euler_is_one_step_of_its_formula():
    after = step(decay, jnp.ones(2), jnp.asarray(0.1), method="euler", substeps=5)
    np.testing.assert_allclose(after, 0.9, rtol=1e-15)


def test_runge_kutta_has_fourth_order():
    def error(substeps):
        after = step(decay, jnp.ones(1), jnp.asarray(1.0), method="runge-kutta", substeps=substeps)
        return abs(float(after[0]) - np.exp(-1.0))

    assert 14 < error(4) / error(8) < 19


def test_rollout_repeats_the_step():
    states = ring_states("euler")[0]
    model = ring_model()
    by_hand = states[0]
    for frame in range(3):
        np.testing.assert_allclose(states[frame], by_hand, rtol=1e-13)
        by_hand = by_hand + 0.1 * np.asarray(model(jnp.asarray(by_hand)))


def test_reactions_alone_conserve_mass():
    model = ring_model()
    still = type(model)(model.network, model.law, model.rates, jnp.zeros(6), jnp.zeros(6))
    states = rollout(still, jnp.arange(1.0, 7.0), jnp.asarray(TIMES))
    np.testing.assert_allclose(states.sum(1), 21.0, rtol=1e-12)
