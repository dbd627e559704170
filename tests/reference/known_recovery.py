"""A recovery made up from a known truth, for what draws, writes or scores one."""

import functools

import jax
import numpy as np

from escapement_jax.config.homeostasis_simulation import SimulateHomeostasisConfig
from escapement_jax.homeostasis.identifiability.report import Identifiability
from escapement_jax.homeostasis.recovery import Recovery
from escapement_jax.homeostasis.recovery_report import RecoveryReport
from escapement_jax.homeostasis.simulation.simulate import Simulation, simulate
from escapement_jax.homeostasis.source_view.distilled_recovery import distilled_recovery
from escapement_jax.homeostasis.source_view.prediction import predict

SMALL = SimulateHomeostasisConfig(metabolites=12, reactions=16, frames=40, trajectories=2, seed=3)
NOISE = 0.02


@functools.cache
def small_simulation() -> Simulation:
    return simulate(SMALL)


def known_recovery(simulation: Simulation) -> Recovery:
    """The truth with made-up errors; the last reaction of the small network has no substrates."""
    truth, network = simulation.truth, simulation.network
    generator = np.random.default_rng(1)
    types = np.asarray(truth.types)
    slopes, offsets = np.asarray(truth.model.slopes), np.asarray(truth.model.offsets)
    errors = np.abs(np.concatenate([slopes, offsets])) * 0.1
    noisy = np.concatenate([slopes, offsets]) + errors * generator.standard_normal(2 * len(types))
    count, kinds = len(types), len(truth.type_slopes)
    identifiable = np.asarray(network.substrate_orders).any(axis=0)
    rates = np.asarray(truth.model.rates)
    probabilities = np.where(types[:, None] == np.arange(kinds), 0.99, 0.01)
    return Recovery(
        network=network,
        law=truth.model.law,
        slopes=noisy[:count],
        slope_stderr=errors[:count],
        offsets=noisy[count:],
        offset_stderr=errors[count:],
        covariance=np.diag(errors**2),
        types=types,
        type_probabilities=probabilities,
        type_weights=np.full(kinds, 1 / kinds),
        type_slopes=np.asarray(truth.type_slopes),
        type_slope_stderr=np.full(kinds, 1e-5),
        type_offsets=np.asarray(truth.type_offsets),
        type_offset_stderr=np.full(kinds, 1e-4),
        type_baselines=np.asarray(truth.type_baselines),
        type_baseline_stderr=np.full(kinds, 0.01),
        rates=rates,
        rates_stderr=np.where(identifiable, 0.01 * rates, np.nan),
        log10_rates=np.log10(rates),
        log10_rates_stderr=np.where(identifiable, 0.0043, np.nan),
        pooled_rates=rates,
        identifiable=identifiable,
        fitted=np.asarray(simulation.states),
        codes=np.zeros(simulation.time_courses.num_trajectories, int),
        noise_relative=NOISE,
        noise_absolute=NOISE / 10,
        chi_square=1.0,
        bayesian_information=np.array([50.0, 0.0, 12.0]),
        identifiability=_identifiability(identifiable, errors, count),
        integrator="euler",
        method="multiple-shooting",
        verdict="made up",
        warnings=("made up",),
    )


def known_report() -> RecoveryReport:
    simulation = small_simulation()
    recovery = known_recovery(simulation)
    return RecoveryReport(
        courses=simulation.time_courses,
        recovery=recovery,
        node=distilled_recovery(recovery, key=jax.random.key(1)),
        predictions=(predict(recovery, simulation.time_courses, duration=2.0),),
        held_out=False,
        truth=simulation.truth,
        scores={},
    )


def _identifiability(identifiable: np.ndarray, errors: np.ndarray, count: int) -> Identifiability:
    return Identifiability(
        identifiable=identifiable,
        slope_identifiable=np.ones(count, dtype=bool),
        offset_identifiable=np.ones(count, dtype=bool),
        groups=((0, 1),),
        edgeless=tuple(np.flatnonzero(~identifiable).tolist()),
        moieties=np.ones((1, count)),
        confounders=("made up",),
        expected_slope_stderr=errors[:count],
        expected_offset_stderr=errors[count:],
        expected_log10_rate_stderr=np.where(identifiable, 0.004, np.nan),
        expected_pooled_slope_stderr=1e-5,
        correlation=np.eye(2 * count),
        verdict="made up",
    )
