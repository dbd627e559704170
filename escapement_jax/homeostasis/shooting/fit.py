"""The fit to noisy data: segments that grow longer, weights that follow the fit."""

import functools
from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from escapement_jax.config.homeostasis import RecoverConfig
from escapement_jax.homeostasis.identifiability.structure import Structure
from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.rate_laws import AbstractRateLaw
from escapement_jax.homeostasis.regression.equations import Coefficients, Factor
from escapement_jax.homeostasis.regression.initial_fit import InitialFit
from escapement_jax.homeostasis.results import TrajectoryCode
from escapement_jax.homeostasis.shooting.dynamics import Dynamics, Parameters
from escapement_jax.homeostasis.shooting.gauss_newton import (
    Shot,
    fit_segments,
    profile,
    solve_segments,
)
from escapement_jax.homeostasis.shooting.noise_model import (
    NoiseModel,
    estimate_noise,
    pseudo_measurements,
)
from escapement_jax.homeostasis.shooting.segments import Segments, cut
from escapement_jax.homeostasis.stepping import Integrator
from escapement_jax.homeostasis.time_courses import TimeCourses
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.progress import progress_bar

STUDENT_FREEDOM = 5.0
SEGMENTS_TO_EXPECT = 8
SHRINKAGE_OF_SMOOTHING = 2 / 3
"""Share of the noise left in the residuals of local quadratic fits over seven frames."""
WORST_CHI_SQUARE = 4.0
"""A trajectory whose mean squared residual, in units of its variance, exceeds this is a misfit."""


class ShootingFit(eqx.Module):
    """A fit by multiple shooting.

    Attributes:
        law: The fitted law.
        coefficients: Rates of the reactions kept, slopes and offsets.
        information: On coefficients and parameters of the law, priors included.
        fitted: Modelled concentrations.
        noise: Noise model.
        chi_square: Squared residuals in units of their variance, per degree of freedom.
        codes: What became of each trajectory.
    """

    law: AbstractRateLaw
    coefficients: Coefficients
    information: Float[Array, "all all"]
    fitted: Float[np.ndarray, "trajectories frames metabolites"]
    noise: NoiseModel
    chi_square: float
    codes: Int[np.ndarray, " trajectories"]


class _State(eqx.Module):
    """What one horizon passes on to the next."""

    parameters: Parameters
    fitted: Float[np.ndarray, "trajectories frames metabolites"]
    noise: NoiseModel
    lost: np.ndarray


def dynamics_of(
    network: Network,
    structure: Structure,
    law: AbstractRateLaw,
    integrator: Integrator,
    substeps: int,
) -> Dynamics:
    """Return the dynamics of the reactions that are kept."""
    kept = structure.kept
    return Dynamics(
        network.stoichiometry[:, kept],
        network.substrate_orders[:, kept],
        law,
        integrator,
        substeps,
    )


def fit_by_shooting(
    time_courses: TimeCourses,
    dynamics: Dynamics,
    kept: Int[np.ndarray, " kept"],
    start: InitialFit,
    config: RecoverConfig,
    *,
    progress: bool = False,
    keeper: Keeper | None = None,
) -> ShootingFit:
    """Fit parameters and all initial states to noisy measurements.

    Args:
        time_courses: Measurements.
        dynamics: The model, its law included.
        kept: Reactions of the dynamics.
        start: Where the fit starts.
        config: Horizons, noise and robustness.
        progress: Whether to show a progress bar.
        keeper: Takes the state after every horizon, and brings one to go on from.
    """
    keeper = keeper or Keeper()
    smooth, coefficients = start.smooth, start.fit.coefficients
    prior = _prior(dynamics, smooth, np.asarray(time_courses.times), coefficients)
    parameters = jnp.concatenate([coefficients.vector, dynamics.law.parameters])
    noise = _noise(time_courses, smooth, config, shrinkage=SHRINKAGE_OF_SMOOTHING)
    lost = np.zeros(time_courses.num_trajectories, bool)
    state = _State(parameters, np.maximum(smooth, 0.0), noise, lost)
    horizons = [h for h in config.horizons if h < 2 * time_courses.num_frames]
    with progress_bar(len(horizons) + 1, "shooting", enabled=progress, unit="horizon") as bar:
        for number, horizon in enumerate(horizons, 1):
            segments, section = cut(time_courses, horizon, kept), f"horizon {horizon}"
            if (arrays := keeper.kept(section)) is not None:
                state, shot, initial = _unpack(arrays, segments, prior)
            else:
                state, shot, initial = reached = _at_horizon(
                    time_courses, dynamics, segments, state, prior, config
                )
                place = f"{number} of {len(horizons)} horizons fitted"
                keeper.offer(section, place, functools.partial(_pack, *reached))
            bar.update()
        information = profile(dynamics, state.parameters, initial, shot).information
        bar.update()
    vector, law = jnp.split(state.parameters, [len(coefficients.vector)])
    chi_square, codes = _goodness(time_courses, state, shot, len(state.parameters))
    return ShootingFit(
        law=dynamics.law.with_parameters(law),
        coefficients=Coefficients.of_vector(vector, time_courses.num_metabolites),
        information=information + jnp.diag(prior[0]),
        fitted=state.fitted,
        noise=state.noise,
        chi_square=chi_square,
        codes=codes,
    )


def _at_horizon(
    time_courses: TimeCourses,
    dynamics: Dynamics,
    segments: Segments,
    state: _State,
    prior: tuple[Parameters, Parameters],
    config: RecoverConfig,
) -> tuple[_State, Shot, Array]:
    """Fit at one horizon and pass on parameters, fitted states and noise."""
    shot = _aim(segments, state, prior, config)
    initial = jnp.asarray(state.fitted.reshape(-1, state.fitted.shape[-1]))[segments.frames[:, 0]]
    parameters, initial, _ = fit_segments(dynamics, state.parameters, initial, shot)
    states = np.asarray(solve_segments(dynamics, parameters, initial, segments))
    finite = np.isfinite(states).all((1, 2))
    lost = state.lost.copy()
    lost[np.asarray(segments.trajectories)[~finite]] = True
    flat = state.fitted.reshape(-1, state.fitted.shape[-1]).copy()
    flat[np.asarray(segments.frames)[finite]] = states[finite]
    fitted = flat.reshape(state.fitted.shape)
    known = shot.weights.shape[0] * time_courses.num_metabolites + len(parameters)
    shrinkage = max(1.0 - known / float(segments.mask.sum()), 0.1)
    noise = _noise(time_courses, fitted, config, shrinkage)
    return _State(parameters, fitted, noise, lost), shot, initial


def _pack(state: _State, shot: Shot, initial: Array) -> dict[str, np.ndarray]:
    return {
        "parameters": np.asarray(state.parameters),
        "fitted": state.fitted,
        "noise": np.array([state.noise.relative, state.noise.absolute]),
        "lost": state.lost,
        "values": np.asarray(shot.values),
        "weights": np.asarray(shot.weights),
        "state_precision": np.asarray(shot.state_precision),
        "initial": np.asarray(initial),
    }


def _unpack(
    arrays: Mapping[str, np.ndarray], segments: Segments, prior: tuple[Parameters, Parameters]
) -> tuple[_State, Shot, Array]:
    on_device = {name: jnp.asarray(array) for name, array in arrays.items()}
    noise = NoiseModel(*arrays["noise"].tolist())
    state = _State(on_device["parameters"], arrays["fitted"], noise, arrays["lost"])
    shot = Shot(
        segments, on_device["values"], on_device["weights"], on_device["state_precision"], *prior
    )
    return state, shot, on_device["initial"]


def _aim(
    segments: Segments, state: _State, prior: tuple[Parameters, Parameters], config: RecoverConfig
) -> Shot:
    """Set weights and pseudo-values from the present fit."""
    modelled = jnp.asarray(state.fitted.reshape(-1, state.fitted.shape[-1]))[segments.frames]
    alive = jnp.asarray(~state.lost)[segments.trajectories].astype(modelled.dtype)
    values, weights = pseudo_measurements(
        segments.measured,
        segments.mask * alive[:, None, None],
        modelled,
        state.noise,
        STUDENT_FREEDOM if config.robust else None,
    )
    size = jnp.sqrt(jnp.mean(modelled**2, axis=(0, 1)))
    return Shot(segments, values, weights, 1e-2 / (size + state.noise.absolute) ** 2, *prior)


def _noise(
    time_courses: TimeCourses, fitted: np.ndarray, config: RecoverConfig, shrinkage: float
) -> NoiseModel:
    if config.relative_noise is not None and config.absolute_noise is not None:
        return NoiseModel(config.relative_noise, max(config.absolute_noise, 1e-12))
    measured = np.asarray(time_courses.concentrations)
    plain = np.isfinite(measured) & (measured != 0.0)
    found = estimate_noise(measured[plain], fitted[plain], shrinkage)
    relative = found.relative if config.relative_noise is None else config.relative_noise
    absolute = found.absolute if config.absolute_noise is None else config.absolute_noise
    return NoiseModel(relative, absolute)


def _prior(
    dynamics: Dynamics, smooth: np.ndarray, times: np.ndarray, start: Coefficients
) -> tuple[Parameters, Parameters]:
    """Precisions and means of wide normal priors.

    Rates may be ten times the usual one, homeostasis as strong as all reactions together, and each
    parameter of the law may move by about 1 from where the regression left it.
    """
    change = np.diff(smooth, axis=1) / np.diff(times)[None, :, None]
    pace = float(np.sqrt(np.mean(change**2)))
    size = float(np.sqrt(np.mean(smooth**2)))
    rate = 10.0 * float(jnp.median(jnp.abs(start.rates))) + 1e-12
    sizes = [
        jnp.full(len(start.rates), rate),
        jnp.full(len(start.slopes), pace / size),
        jnp.full(len(start.offsets), pace),
        jnp.ones(len(dynamics.law.parameters)),
    ]
    zeros = jnp.zeros(len(start.vector))
    means = jnp.concatenate([zeros, dynamics.law.parameters])
    return 1.0 / jnp.concatenate(sizes) ** 2, means


def _goodness(
    time_courses: TimeCourses, state: _State, shot: Shot, parameters: int
) -> tuple[float, np.ndarray]:
    """Chi-square per degree of freedom, and a result code for each trajectory."""
    segments = shot.segments
    states = jnp.asarray(state.fitted.reshape(-1, state.fitted.shape[-1]))[segments.frames]
    squares = np.asarray(jnp.sum(shot.weights * (shot.values - states) ** 2, axis=(1, 2)))
    counts = np.asarray(jnp.sum(shot.weights > 0, axis=(1, 2)))
    free = counts.sum() - parameters - segments.mask.shape[0] * time_courses.num_metabolites
    codes = np.full(time_courses.num_trajectories, int(TrajectoryCode.SUCCESS))
    for trajectory in range(len(codes)):
        own = np.asarray(segments.trajectories) == trajectory
        if state.lost[trajectory]:
            codes[trajectory] = TrajectoryCode.DIVERGED
        elif not counts[own].sum():
            codes[trajectory] = TrajectoryCode.EXCLUDED
        elif squares[own].sum() > WORST_CHI_SQUARE * counts[own].sum():
            codes[trajectory] = TrajectoryCode.MISFIT
    return float(squares.sum() / max(free, 1)), codes


def covariance_of(fit: ShootingFit) -> Float[Array, "all all"]:
    """Return the covariance of coefficients and law, inflated where the fit is bad."""
    size = fit.information.shape[0]
    covariance = Factor.of(fit.information).solve(jnp.eye(size, dtype=fit.information.dtype))
    return covariance * max(fit.chi_square, 1.0)


def expected_information(
    time_courses: TimeCourses,
    dynamics: Dynamics,
    kept: Int[np.ndarray, " kept"],
    start: InitialFit,
    config: RecoverConfig,
) -> tuple[Float[Array, "all all"], float]:
    """Return the information expected from a fit, from some segments, and the relative noise.

    The sensitivities are those of the initial regression along the smoothed data.

    Args:
        time_courses: Measurements.
        dynamics: The model at the law of the regression.
        kept: Reactions of the dynamics.
        start: The regression.
        config: Horizons and noise.
    """
    coefficients = start.fit.coefficients
    parameters = jnp.concatenate([coefficients.vector, dynamics.law.parameters])
    prior, _ = _prior(dynamics, start.smooth, np.asarray(time_courses.times), coefficients)
    noise = _noise(time_courses, start.smooth, config, shrinkage=SHRINKAGE_OF_SMOOTHING)
    lost = np.zeros(time_courses.num_trajectories, bool)
    state = _State(parameters, start.smooth, noise, lost)
    horizon = max([h for h in config.horizons if h <= time_courses.num_frames], default=16)
    segments = cut(time_courses, horizon, kept)
    total = segments.mask.sum()
    chosen = np.unique(np.linspace(0, len(segments.mask) - 1, SEGMENTS_TO_EXPECT).astype(int))
    some = jax.tree.map(lambda leaf: leaf[chosen], segments)
    shot = _aim(some, state, (prior, parameters), config)
    initial = jnp.asarray(start.smooth.reshape(-1, start.smooth.shape[-1]))[some.frames[:, 0]]
    information = profile(dynamics, parameters, initial, shot).information
    return information * (total / some.mask.sum()) + jnp.diag(prior), noise.relative
