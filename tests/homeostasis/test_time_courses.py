"""Time courses: every impossible input is refused by name."""

import numpy as np
import pytest

from escapement_jax.homeostasis.time_courses import TimeCourses
from tests.homeostasis.small_networks import TIMES, ring_courses, ring_network, ring_states

NETWORK = ring_network()


def changed(trajectory, frame, metabolite, value):
    values = ring_states().copy()
    values[trajectory, frame, metabolite] = value
    return values


def test_one_trajectory_may_come_without_its_dimension():
    courses = TimeCourses.create(TIMES, ring_states()[0], NETWORK)
    assert courses.concentrations.shape == (1, 321, 6)
    assert courses.complete
    assert courses.restarts[0, 0]
    assert not courses.restarts[0, 1:].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((TIMES[::-1], ring_states()), "times must increase; frame 1 is at 31.9"),
        ((TIMES * np.nan, ring_states()), "time of frame 0 is nan"),
        ((TIMES[:5], ring_states()[:, :5]), "only 5 frames"),
        ((TIMES[:, None], ring_states()), "one vector"),
        ((TIMES[:-1], ring_states()), "320 times"),
        ((TIMES, ring_states()[:, :, :4]), "6 metabolites in the network"),
        ((TIMES, changed(1, 7, 3, -0.2)), "m3 has the concentration -0.2 at time 0.7 of traj"),
        ((TIMES, changed(0, 7, 3, np.inf)), "m3 has the concentration inf"),
        ((TIMES, changed(slice(None), slice(None), 2, np.nan)), "m2 was never measured"),
        ((TIMES, changed(1, slice(None), slice(None), np.nan)), "trajectory 1 has measurements"),
    ],
)
def test_impossible_measurements_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TimeCourses.create(*arguments, NETWORK)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activities": np.ones((2, 4))}, "activities have shape"),
        ({"activities": -np.ones((2, 9))}, "reaction r0 has the activity -1.0 in trajectory 0"),
        ({"restarts": np.zeros((2, 5))}, "restarts have shape"),
    ],
)
def test_impossible_interventions_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ring_courses(**options)


def test_missing_and_permitted_negative_values_pass():
    assert not TimeCourses.create(TIMES, changed(0, 3, 1, np.nan), NETWORK).complete
    TimeCourses.create(TIMES, changed(0, 3, 1, -0.1), NETWORK, allow_negative=True)
