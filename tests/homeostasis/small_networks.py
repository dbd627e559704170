"""A small closed network with two types, and time courses of it, shared by the tests."""

import functools

import jax.numpy as jnp
import numpy as np

from escapement_jax.homeostasis.model import MetabolicModel
from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.rate_laws import AbstractRateLaw, MassAction
from escapement_jax.homeostasis.stepping import rollout
from escapement_jax.homeostasis.time_courses import TimeCourses

TYPES = np.array([0, 0, 0, 1, 1, 1])
SLOPES = np.array([-0.02, -0.05])
BASELINES = np.array([4.0, 6.0])
TIMES = np.arange(321) * 0.1


def ring_network() -> Network:
    """Autocatalytic ring ``m_i + m_(i+1) -> 2 m_(i+1)``, a cross-link, and a reversible pair."""
    stoichiometry, orders = np.zeros((6, 9)), np.zeros((6, 9))
    for i in range(6):
        stoichiometry[[i, (i + 1) % 6], i] = [-1.0, 1.0]
        orders[[i, (i + 1) % 6], i] = 1.0
    stoichiometry[[0, 3], 6], orders[[0, 4], 6] = [-1.0, 1.0], 1.0
    stoichiometry[[2, 5], 7], orders[[2, 3], 7] = [-1.0, 1.0], 1.0
    stoichiometry[[5, 2], 8], orders[[5, 0], 8] = [-1.0, 1.0], 1.0
    return Network.create(stoichiometry, orders)


def ring_model(law: AbstractRateLaw | None = None) -> MetabolicModel:
    rates = jnp.asarray([0.08, 0.05, 0.06, 0.09, 0.07, 0.04, 0.03, 0.05, 0.02])
    slopes = SLOPES[TYPES]
    offsets = -slopes * BASELINES[TYPES]
    return MetabolicModel(
        ring_network(), law or MassAction(), rates, jnp.asarray(slopes), jnp.asarray(offsets)
    )


@functools.cache
def ring_states(method: str = "euler", law: AbstractRateLaw | None = None) -> np.ndarray:
    """Two trajectories without noise."""
    starts = np.array([[6.0, 2.0, 3.0, 1.0, 8.0, 4.0], [1.0, 7.0, 2.0, 5.0, 2.0, 3.0]])
    model = ring_model(law)
    return np.stack(
        [
            np.asarray(rollout(model, jnp.asarray(start), jnp.asarray(TIMES), method=method))
            for start in starts
        ]
    )


def ring_courses(method: str = "euler", noise: float = 0.0, **more) -> TimeCourses:
    states = ring_states(method)
    random = np.random.default_rng(7)
    deviation = noise * states + noise / 10
    measured = states + deviation * random.standard_normal(states.shape)
    return TimeCourses.create(TIMES, measured, ring_network(), allow_negative=True, **more)
