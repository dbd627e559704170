"""Robustness on a system whose answer to a disturbance is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.curiosity.behaviour.end_point import EndPoint
from escapement_jax.curiosity.experiment import Experiment
from escapement_jax.curiosity.interventions import Noise, ParameterNoise, Push, Wall, robustness
from escapement_jax.curiosity.rollouts import FixedStepRollout
from escapement_jax.curiosity.systems import VectorFieldSystem


def relax(t, y, constants):
    """Two states relax to targets of their own; the rate is fixed at 2 per second."""
    del t
    return 2.0 * (constants - y)


ZEROS, ONES = np.zeros(2), np.ones(2)
SYSTEM = VectorFieldSystem(relax, state_low=ZEROS, state_high=ONES, low=ZEROS, high=4 * ONES)
EXPERIMENT = Experiment(
    SYSTEM,
    FixedStepRollout(num_steps=100, step_size=0.1, num_kept=5, observed=(0, 1)),
    EndPoint(low=(0.0, 0.0), high=(4.0, 4.0)),
)
MEMBERS = SYSTEM.box.sample(7, key=jax.random.key(0))


def test_pushes_are_forgotten_and_parameters_are_not():
    key = jax.random.key(1)
    pushed = robustness(EXPERIMENT, MEMBERS, Push(magnitude=0.3, number=2), key=key, batch_size=3)
    assert pushed.sensitivity.shape == (7,)
    # The last push is 5 s before the end: e^-10 of it is left.
    assert float(pushed.sensitivity.max()) < 1e-4
    np.testing.assert_array_equal(pushed.still_found, 1.0)
    moved = robustness(
        EXPERIMENT, MEMBERS, ParameterNoise(scale=0.01), key=key, num_perturbations=60
    )
    # The end follows the two targets: a mean norm of 0.01 sqrt(pi / 2); clipping can only lower it.
    assert float(moved.sensitivity.mean()) == pytest.approx(0.01 * np.sqrt(np.pi / 2), rel=0.15)
    assert not moved.failed.any()


@pytest.mark.parametrize("disturbance", [Noise(scale=0.05), Wall(collision="sticky", length=0.5)])
def test_lasting_disturbances_are_felt(disturbance):
    felt = robustness(EXPERIMENT, MEMBERS, disturbance, key=jax.random.key(2))
    assert float(felt.sensitivity.max()) > 1e-3


def test_nothing_to_disturb_is_said():
    with pytest.raises(ValueError, match="0 members and 3 disturbances"):
        robustness(EXPERIMENT, jnp.zeros((0, 4)), Noise(), key=jax.random.key(0))
