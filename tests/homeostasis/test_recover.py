"""From time courses to types, end to end, on a small network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.config.homeostasis import RecoverConfig
from escapement_jax.homeostasis.recover import recover
from escapement_jax.homeostasis.regression.frozen_reactions import FrozenReactions
from escapement_jax.homeostasis.results import TrajectoryCode
from tests.homeostasis.small_networks import SLOPES, TYPES, ring_courses, ring_model, ring_network

MODEL = ring_model()
KEY = jax.random.key(1)
QUICK = {"horizons": (16,), "most_types": 3, "type_resolution": 0.02}


@pytest.fixture(scope="module")
def noisy():
    config = RecoverConfig(integrator="euler", **QUICK)
    return recover(ring_courses(noise=0.01), ring_network(), config, key=KEY)


def test_noise_free_data_are_recovered_exactly():
    recovery = recover(ring_courses(), ring_network(), RecoverConfig(**QUICK), key=KEY)
    assert recovery.method == "weak-form"
    assert recovery.integrator == "euler"
    np.testing.assert_array_equal(recovery.types, TYPES)
    np.testing.assert_allclose(recovery.type_slopes, SLOPES, rtol=1e-6)
    np.testing.assert_allclose(recovery.type_baselines, [4.0, 6.0], rtol=1e-6)
    np.testing.assert_allclose(recovery.rates, MODEL.rates, rtol=1e-7)
    assert "2 metabolite types" in recovery.verdict


def test_the_differential_equation_is_told_from_eulers_map():
    recovery = recover(ring_courses("runge-kutta"), ring_network(), RecoverConfig(), key=KEY)
    assert recovery.integrator == "runge-kutta"
    np.testing.assert_allclose(recovery.rates, MODEL.rates, rtol=1e-3)


def test_noisy_data_are_recovered_within_their_errors(noisy):
    assert noisy.method == "multiple-shooting"
    np.testing.assert_allclose(noisy.noise_relative, 0.01, rtol=0.1)
    assert 0.9 < noisy.chi_square < 1.1
    scores = np.concatenate(
        [
            (noisy.slopes - np.asarray(MODEL.slopes)) / noisy.slope_stderr,
            (noisy.offsets - np.asarray(MODEL.offsets)) / noisy.offset_stderr,
            (noisy.rates - np.asarray(MODEL.rates)) / noisy.rates_stderr,
        ]
    )
    # 21 correlated normal scores: the largest exceeds 4 with a chance below 2e-3.
    assert np.abs(scores).max() < 4
    np.testing.assert_array_equal(noisy.codes, [TrajectoryCode.SUCCESS] * 2)


def test_models_of_a_recovery_predict(noisy):
    state = jnp.asarray([3.0, 2.0, 4.0, 1.0, 2.0, 5.0])
    np.testing.assert_allclose(noisy.model()(state), MODEL(state), atol=0.02)
    np.testing.assert_allclose(noisy.pooled_model()(state), MODEL(state), atol=0.05)


def test_frozen_reactions_are_kept_unless_their_law_is_wrong():
    wrong = MODEL.rates * jnp.asarray(np.random.default_rng(3).uniform(0.7, 1.4, 9))
    config = RecoverConfig(integrator="euler", **QUICK)
    frozen = FrozenReactions(wrong, MODEL.unit_fluxes)
    recovery = recover(ring_courses(), ring_network(), config, key=KEY, phase_one=frozen)
    np.testing.assert_allclose(recovery.type_slopes, SLOPES, rtol=1e-5)
    assert not recovery.warnings
    frozen = FrozenReactions(wrong, lambda c: jnp.log1p(MODEL.unit_fluxes(c)))
    recovery = recover(ring_courses(), ring_network(), config, key=KEY, phase_one=frozen)
    np.testing.assert_allclose(recovery.type_slopes, SLOPES, rtol=1e-5)
    assert "their law is wrong" in recovery.warnings[0]


def test_single_precision_is_refused():
    courses = jax.tree.map(
        lambda leaf: leaf.astype(np.float32) if leaf.dtype == np.float64 else leaf, ring_courses()
    )
    with pytest.raises(ValueError, match="jax_enable_x64"):
        recover(courses, ring_network(), key=KEY)
