"""What can be identified, before anything is fitted: by structure, and given the noise."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.homeostasis import RecoverConfig
from escapement_jax.homeostasis.identifiability.structure import Structure, structure_of
from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.regression.equations import Factor
from escapement_jax.homeostasis.regression.initial_fit import InitialFit, initial_fit
from escapement_jax.homeostasis.shooting.fit import (
    dynamics_of,
    expected_information,
)
from escapement_jax.homeostasis.time_courses import TimeCourses


class Identifiability(eqx.Module):
    """What the network and the data can tell.

    Attributes:
        identifiable: Whether each rate constant is determined by the equations.
        slope_identifiable: Whether each slope is.
        offset_identifiable: Whether each offset is.
        groups: Reactions that cannot be told apart, by their columns.
        edgeless: Reactions without effect.
        moieties: Conserved sums of metabolites.
        confounders: A sentence for every group of parameters that cannot be told apart.
        expected_slope_stderr: Cramer-Rao bound on the standard error of each slope; 0 without
            noise.
        expected_offset_stderr: On each offset.
        expected_log10_rate_stderr: On the decimal logarithm of each rate; NaN if not identified.
        expected_pooled_slope_stderr: On a slope common to all metabolites.
        correlation: Expected correlation of the errors of slopes, then offsets.
        verdict: A plain sentence.
    """

    identifiable: Bool[np.ndarray, " reactions"]
    slope_identifiable: Bool[np.ndarray, " metabolites"]
    offset_identifiable: Bool[np.ndarray, " metabolites"]
    groups: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    edgeless: tuple[int, ...] = eqx.field(static=True)
    moieties: Float[np.ndarray, "moieties metabolites"]
    confounders: tuple[str, ...] = eqx.field(static=True)
    expected_slope_stderr: Float[np.ndarray, " metabolites"]
    expected_offset_stderr: Float[np.ndarray, " metabolites"]
    expected_log10_rate_stderr: Float[np.ndarray, " reactions"]
    expected_pooled_slope_stderr: float
    correlation: Float[np.ndarray, "both both"]
    verdict: str = eqx.field(static=True)


def identify(
    time_courses: TimeCourses, network: Network, config: RecoverConfig, *, key: PRNGKey
) -> Identifiability:
    """Say what can be identified, from a quick regression and the Cramer-Rao bound around it.

    Args:
        time_courses: Measurements.
        network: The network.
        config: Law, integrator and noise.
        key: Source of randomness.
    """
    structure = structure_of(network, np.asarray(time_courses.activities))
    start = initial_fit(time_courses, network, structure.kept, config, key=key)
    return identifiability_report(time_courses, network, structure, start, config)


def identifiability_report(
    time_courses: TimeCourses,
    network: Network,
    structure: Structure,
    start: InitialFit,
    config: RecoverConfig,
) -> Identifiability:
    """Add expected standard errors to the structure of a network.

    Args:
        time_courses: Measurements.
        network: The network.
        structure: What the equations allow.
        start: A regression to expand around.
        config: Noise and horizons.
    """
    reactions, metabolites = len(structure.kept), network.num_metabolites
    home = slice(reactions, reactions + 2 * metabolites)
    rates = np.asarray(start.fit.coefficients.rates)
    expected = np.full(network.num_reactions, np.nan)
    if start.noise_free:
        stderr, pooled = np.zeros(2 * metabolites), 0.0
        correlation, relative = np.eye(2 * metabolites), 0.0
        rate_stderr = np.zeros(reactions)
    else:
        dynamics = dynamics_of(network, structure, start.fit.law, start.integrator, config.substeps)
        information, relative = expected_information(
            time_courses, dynamics, structure.kept, start, config
        )
        covariance = np.asarray(Factor.of(information).solve(jnp.eye(len(information))))
        spread = np.sqrt(np.diag(covariance))
        stderr, rate_stderr = spread[home], spread[:reactions]
        correlation = covariance[home, home] / np.outer(stderr, stderr)
        precision = np.linalg.inv(covariance[home, home])[:metabolites, :metabolites]
        pooled = float(1 / np.sqrt(precision.sum()))
    sure = structure.identifiable[structure.kept]
    relative_error = rate_stderr / np.maximum(np.abs(rates), 1e-300) / np.log(10)
    expected[structure.kept] = np.where(sure, relative_error, np.nan)
    return Identifiability(
        identifiable=structure.identifiable,
        slope_identifiable=structure.slope_identifiable,
        offset_identifiable=structure.offset_identifiable,
        groups=structure.groups,
        edgeless=structure.edgeless,
        moieties=structure.moieties,
        confounders=structure.confounders,
        expected_slope_stderr=stderr[:metabolites],
        expected_offset_stderr=stderr[metabolites:],
        expected_log10_rate_stderr=expected,
        expected_pooled_slope_stderr=pooled,
        correlation=correlation,
        verdict=_verdict(
            time_courses, structure, start, relative, pooled, float(np.median(stderr[:metabolites]))
        ),
    )


def _verdict(
    time_courses: TimeCourses,
    structure: Structure,
    start: InitialFit,
    relative_noise: float,
    pooled: float,
    single: float,
) -> str:
    total = len(structure.identifiable)
    known = int(structure.identifiable.sum())
    rates = f"{known} of {total} rate constants can be identified"
    frames = f"{time_courses.num_frames} frames"
    if start.noise_free:
        return f"{rates}; {frames} without noise identify all slopes and offsets that can be"
    noise = f"{100 * relative_noise:.2g} % noise"
    return (
        f"{rates}; {frames} at {noise} cannot identify slopes below {2 * pooled:.2g} pooled over"
        f" all metabolites, or below {2 * single:.2g} for a single one (twice the expected standard"
        " error)"
    )
