"""From time courses to homeostasis and metabolite types, without labels.

Identifiability, then the regression of the weak form, then multiple shooting where there is noise,
then types: see the README of this folder.
"""

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.homeostasis import RecoverConfig
from escapement_jax.homeostasis.identifiability.report import (
    Identifiability,
    identifiability_report,
)
from escapement_jax.homeostasis.identifiability.split_rates import split_rates
from escapement_jax.homeostasis.identifiability.structure import Structure, structure_of
from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.rate_laws import AbstractRateLaw
from escapement_jax.homeostasis.recovery import Recovery
from escapement_jax.homeostasis.regression.clustered_errors import clustered_covariance
from escapement_jax.homeostasis.regression.conservation_laws import homeostasis_from_moieties
from escapement_jax.homeostasis.regression.frozen_reactions import (
    FrozenReactions,
    frozen_verdict,
    homeostasis_beside,
)
from escapement_jax.homeostasis.regression.initial_fit import InitialFit, initial_fit
from escapement_jax.homeostasis.results import TrajectoryCode
from escapement_jax.homeostasis.shooting.concerns import shooting_concerns
from escapement_jax.homeostasis.shooting.fit import covariance_of, dynamics_of, fit_by_shooting
from escapement_jax.homeostasis.time_courses import TimeCourses
from escapement_jax.homeostasis.types.metabolite_types import MetaboliteTypes, find_types
from escapement_jax.training.keeper import Keeper

LARGEST_CHI_SQUARE = 1.2
MOST_SENTENCES = 3


class _Fit(eqx.Module):
    """What regression and shooting have in common."""

    law: AbstractRateLaw
    vector: Float[np.ndarray, " all"]
    covariance: Float[np.ndarray, "all all"]
    fitted: Float[np.ndarray, "trajectories frames metabolites"]
    codes: Int[np.ndarray, " trajectories"]
    noise: tuple[float, float]
    chi_square: float
    method: str = eqx.field(static=True)
    concerns: tuple[str, ...] = eqx.field(static=True, default=())


def recover(
    time_courses: TimeCourses,
    network: Network,
    config: RecoverConfig | None = None,
    *,
    key: PRNGKey,
    phase_one: FrozenReactions | None = None,
    progress: bool = False,
    keeper: Keeper | None = None,
) -> Recovery:
    """Recover homeostasis, metabolite types and rate constants from time courses.

    Args:
        time_courses: Measured concentrations.
        network: Stoichiometry and substrate orders.
        config: How to fit; by default mass action.
        key: Source of randomness.
        phase_one: Reactions learned before, to be kept frozen: only homeostasis is then fitted,
            beside corrections of the frozen rates. If their law turns out to be wrong, a warning
            says so and the law is fitted too.
        progress: Whether to show a progress bar.
        keeper: Takes the state after every horizon of shooting, and brings one to go on from.

    Returns:
        Estimates with standard errors, types with probabilities, and a result code for each
        trajectory.

    Raises:
        ValueError: The data do not belong to the network, or JAX is not in double precision.
    """
    config = RecoverConfig() if config is None else config
    _check(time_courses, network)
    start_key, type_key, split_key = jax.random.split(key, 3)
    structure = structure_of(network, np.asarray(time_courses.activities))
    start = initial_fit(time_courses, network, structure.kept, config, key=start_key)
    report = identifiability_report(time_courses, network, structure, start, config)
    fit, concern = _regress(start, time_courses), ""
    if phase_one is not None:
        fit, concern = _beside_frozen(phase_one, fit, start, structure)
    elif not start.noise_free and config.polish != "never":
        fit = _shoot(time_courses, network, structure, start, config, progress, keeper)
    types = find_types(
        fit.vector,
        fit.covariance,
        network.num_metabolites,
        len(structure.kept),
        most_types=config.most_types,
        resolution=config.type_resolution,
        key=type_key,
    )
    return _recovery(network, structure, start, report, fit, types, concern, key=split_key)


def _check(time_courses: TimeCourses, network: Network) -> None:
    if time_courses.concentrations.dtype != np.float64:
        raise ValueError(
            "homeostasis needs double precision; switch jax_enable_x64 on in jax.config before"
            " making arrays"
        )
    if time_courses.num_metabolites != network.num_metabolites:
        raise ValueError(
            f"the time courses have {time_courses.num_metabolites} metabolites, the network "
            f"{network.num_metabolites}"
        )


def _regress(start: InitialFit, time_courses: TimeCourses) -> _Fit:
    """The regression as a final answer."""
    fit = start.fit
    return _Fit(
        law=fit.law,
        vector=np.concatenate([fit.coefficients.vector, fit.law.parameters]),
        covariance=np.asarray(clustered_covariance(fit, start.equations)),
        fitted=start.smooth,
        codes=np.zeros(time_courses.num_trajectories, int),
        noise=(0.0, 0.0),
        chi_square=float("nan"),
        method="weak-form",
    )


def _shoot(
    time_courses: TimeCourses,
    network: Network,
    structure: Structure,
    start: InitialFit,
    config: RecoverConfig,
    progress: bool,
    keeper: Keeper | None,
) -> _Fit:
    dynamics = dynamics_of(network, structure, start.fit.law, start.integrator, config.substeps)
    fit = fit_by_shooting(
        time_courses, dynamics, structure.kept, start, config, progress=progress, keeper=keeper
    )
    return _Fit(
        law=fit.law,
        vector=np.concatenate([fit.coefficients.vector, fit.law.parameters]),
        covariance=np.asarray(covariance_of(fit)),
        fitted=fit.fitted,
        codes=fit.codes,
        noise=(fit.noise.relative, fit.noise.absolute),
        chi_square=fit.chi_square,
        method="multiple-shooting",
        concerns=shooting_concerns(fit, time_courses, network),
    )


def _beside_frozen(
    frozen: FrozenReactions, free: _Fit, start: InitialFit, structure: Structure
) -> tuple[_Fit, str]:
    """Homeostasis beside frozen reactions, or the free fit with a word why not."""
    estimate = homeostasis_beside(frozen, start.equations, structure.kept)
    conserved = homeostasis_from_moieties(start.equations, structure.moieties)
    concern = frozen_verdict(estimate, conserved)
    if concern:
        return free, concern
    vector = np.array(estimate.coefficients.vector)
    vector[: len(structure.kept)] += np.asarray(frozen.rates)[structure.kept]
    # The law is that of the frozen reactions: its parameters, and their errors, are left out.
    size = len(vector)
    scale = float((estimate.residuals**2).mean() / max((start.fit.residuals**2).mean(), 1e-300))
    covariance = free.covariance[:size, :size] * scale
    return eqx.tree_at(lambda f: (f.vector, f.covariance), free, (vector, covariance)), ""


def _recovery(
    network: Network,
    structure: Structure,
    start: InitialFit,
    report: Identifiability,
    fit: _Fit,
    types: MetaboliteTypes,
    concern: str,
    *,
    key: PRNGKey,
) -> Recovery:
    reactions, metabolites = len(structure.kept), network.num_metabolites
    home = slice(reactions, reactions + 2 * metabolites)
    slopes, offsets = np.split(fit.vector[home], 2)
    stderr = np.sqrt(np.diag(fit.covariance))
    rates = split_rates(fit.vector[:reactions], structure, key=key)
    unmix = np.linalg.pinv(structure.combinations)
    rate_stderr = np.sqrt(
        np.einsum("jp,pq,jq->j", unmix, fit.covariance[:reactions, :reactions], unmix)
    )
    rate_stderr = np.where(structure.identifiable, rate_stderr, np.nan)
    positive = np.where(rates > 0, rates, np.nan)
    type_stderr = np.sqrt(np.diag(types.covariance))
    count = len(types.slopes)
    return Recovery(
        network=network,
        law=fit.law,
        slopes=slopes,
        slope_stderr=stderr[home][:metabolites],
        offsets=offsets,
        offset_stderr=stderr[home][metabolites:],
        covariance=fit.covariance[home, home],
        types=types.labels,
        type_probabilities=types.probabilities,
        type_weights=types.shares,
        type_slopes=types.slopes,
        type_slope_stderr=type_stderr[:count],
        type_offsets=types.offsets,
        type_offset_stderr=type_stderr[count:],
        type_baselines=-types.offsets / types.slopes,
        type_baseline_stderr=_baseline_stderr(types),
        rates=rates,
        rates_stderr=rate_stderr,
        log10_rates=np.log10(positive),
        log10_rates_stderr=rate_stderr / positive / np.log(10),
        pooled_rates=split_rates(types.rates, structure, key=key),
        identifiable=structure.identifiable,
        fitted=fit.fitted,
        codes=fit.codes,
        noise_relative=fit.noise[0],
        noise_absolute=fit.noise[1],
        chi_square=fit.chi_square,
        bayesian_information=types.bayesian_information,
        identifiability=report,
        integrator=start.integrator,
        method=fit.method,
        verdict=_verdict(types, type_stderr, report),
        warnings=_warnings(fit, report, concern, start),
    )


def _baseline_stderr(types: MetaboliteTypes) -> Float[np.ndarray, " types"]:
    """Of ``-offset / slope``, to first order."""
    count = len(types.slopes)
    by_slope, by_offset = types.offsets / types.slopes**2, -1 / types.slopes
    gradient = np.concatenate([np.diag(by_slope), np.diag(by_offset)], axis=1)
    variance = np.einsum("tp,pq,tq->t", gradient, types.covariance, gradient)
    return np.sqrt(variance).reshape(count)


def _verdict(types: MetaboliteTypes, stderr: np.ndarray, report: Identifiability) -> str:
    relative = np.abs(stderr[: len(types.slopes)] / types.slopes)
    if relative.max() > 0.5:
        return f"homeostasis is not identified: {report.verdict}"
    listed = "; ".join(
        f"type {t}: slope {slope:.4g} +- {error:.1g}, set point {-offset / slope:.4g}"
        for t, (slope, offset, error) in enumerate(
            zip(types.slopes, types.offsets, stderr, strict=False)
        )
    )
    count = len(types.slopes)
    return f"{count} metabolite type{'s' * (count > 1)} found ({listed})"


def _warnings(
    fit: _Fit, report: Identifiability, concern: str, start: InitialFit
) -> tuple[str, ...]:
    warnings = [concern] if concern else []
    warnings += report.confounders[:MOST_SENTENCES]
    rest = len(report.confounders) - MOST_SENTENCES
    if rest > 0:
        warnings.append(f"{rest} more groups of parameters cannot be told apart")
    warnings += fit.concerns
    for trajectory, code in enumerate(fit.codes):
        if code:
            warnings.append(f"trajectory {trajectory}: {TrajectoryCode(int(code)).message}")
    if fit.chi_square > LARGEST_CHI_SQUARE:
        warnings.append(
            f"residuals are {fit.chi_square:.2f} times their variance: standard errors were"
            " inflated; look for another law or a missing reaction"
        )
    if fit.method == "weak-form" and not start.fit.relative_residual < 1e-2:
        warnings.append(
            f"the regression leaves {100 * start.fit.relative_residual:.1f} % of the rates of"
            " change unexplained and was not polished"
        )
    return tuple(warnings)
