"""The fit to noisy data: segments that grow longer, weights that follow the fit."""

import dataclasses
import functools
import itertools

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
from escapement_jax.homeostasis.shooting.misfits import (
    Misfit,
    find_misfits,
    leave_out,
    worst_segments,
)
from escapement_jax.homeostasis.shooting.noise_model import (
    NoiseModel,
    estimate_noise,
    pseudo_measurements,
)
from escapement_jax.homeostasis.shooting.reached import Reached, ShootingState, pack, unpack
from escapement_jax.homeostasis.shooting.segments import Segments, cut
from escapement_jax.homeostasis.stepping import Integrator
from escapement_jax.homeostasis.time_courses import TimeCourses
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.progress import progress_bar

STUDENT_FREEDOM = 5.0
MOST_REPEATS = 3
SEGMENTS_TO_EXPECT = 8
SHRINKAGE_OF_SMOOTHING = 2 / 3
"""Share of the noise left in the residuals of local quadratic fits over seven frames."""
LOST_CHI_SQUARE = 1.5
"""Beyond this, in units of the noise at the shorter horizon, a longer one could not be followed."""
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
        misfits: What was left out.
        stops: Trajectory, frame and metabolite wherever a step of Euler's method was stopped at 0.
    """

    law: AbstractRateLaw
    coefficients: Coefficients
    information: Float[Array, "all all"]
    fitted: Float[np.ndarray, "trajectories frames metabolites"]
    noise: NoiseModel
    chi_square: float
    codes: Int[np.ndarray, " trajectories"]
    misfits: tuple[Misfit, ...] = eqx.field(static=True)
    stops: Int[np.ndarray, "stops 3"]


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
    state = ShootingState(parameters, np.maximum(smooth, 0.0), noise, lost)
    horizons = [h for h in config.horizons if h < 2 * time_courses.num_frames]
    misfits: tuple[Misfit, ...] = ()
    with progress_bar(len(horizons) + 1, "shooting", enabled=progress, unit="horizon") as bar:
        for number, pair in enumerate(itertools.pairwise([0, *horizons]), 1):
            section = f"horizon {pair[1]}"
            if (arrays := keeper.kept(section)) is not None:
                reached = unpack(arrays, time_courses, pair[1], kept, prior)
            else:
                reached = _fit_at(time_courses, dynamics, kept, pair, state, prior, config)
                place = f"{number} of {len(horizons)} horizons fitted"
                keeper.offer(section, place, functools.partial(pack, reached))
            time_courses, state, shot, initial, found = reached
            misfits += found
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
        misfits=misfits,
        stops=_stops(state, shot.segments),
    )


def _fit_at(
    time_courses: TimeCourses,
    dynamics: Dynamics,
    kept: np.ndarray,
    horizons: tuple[int, int],
    state: ShootingState,
    prior: tuple[Parameters, Parameters],
    config: RecoverConfig,
) -> Reached:
    """Fit at one horizon, and again with segments that no noise explains left out or cut.

    What was fitted well at a shorter horizon is cut back to it, and nothing is lost but a link.
    """
    misfits: tuple[Misfit, ...] = ()
    shorter, horizon = horizons
    for _ in range(MOST_REPEATS):
        segments = cut(time_courses, horizon, kept)
        after, shot, initial = _at_horizon(time_courses, dynamics, segments, state, prior, config)
        squares = _squares(_aim(segments, after, prior, config), after).sum(1)
        found = find_misfits(segments, squares, time_courses.num_frames)
        if shorter and not found and _goodness(time_courses, after, shot, 0)[0] > LOST_CHI_SQUARE:
            begun = _squares(shot, _followed(dynamics, segments, state)).sum(1)
            found = worst_segments(segments, begun, time_courses.num_frames)
        if not found:
            break
        found = tuple(dataclasses.replace(misfit, pieces=shorter) for misfit in found)
        time_courses, misfits = leave_out(time_courses, found), misfits + found
    return Reached(time_courses, after, shot, initial, misfits)


def _followed(dynamics: Dynamics, segments: Segments, state: ShootingState) -> ShootingState:
    """The state before a fit, its solutions followed through these segments."""
    flat = state.fitted.reshape(-1, state.fitted.shape[-1]).copy()
    initial = jnp.asarray(flat)[segments.frames[:, 0]]
    states = np.asarray(solve_segments(dynamics, state.parameters, initial, segments))
    flat[np.asarray(segments.frames)] = np.nan_to_num(states, nan=1e6, posinf=1e6, neginf=-1e6)
    return eqx.tree_at(lambda s: s.fitted, state, flat.reshape(state.fitted.shape))


def _at_horizon(
    time_courses: TimeCourses,
    dynamics: Dynamics,
    segments: Segments,
    state: ShootingState,
    prior: tuple[Parameters, Parameters],
    config: RecoverConfig,
) -> tuple[ShootingState, Shot, Array]:
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
    return ShootingState(parameters, fitted, noise, lost), shot, initial


def _aim(
    segments: Segments,
    state: ShootingState,
    prior: tuple[Parameters, Parameters],
    config: RecoverConfig,
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
    time_courses: TimeCourses, state: ShootingState, shot: Shot, parameters: int
) -> tuple[float, np.ndarray]:
    """Chi-square per degree of freedom, and a result code for each trajectory."""
    segments = shot.segments
    squares = _squares(shot, state).sum((1, 2))
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


def _squares(shot: Shot, state: ShootingState) -> Float[np.ndarray, "segments horizon metabolites"]:
    """Squared residuals in units of their variance."""
    states = jnp.asarray(state.fitted.reshape(-1, state.fitted.shape[-1]))[shot.segments.frames]
    return np.asarray(shot.weights * (shot.values - states) ** 2)


def _stops(state: ShootingState, segments: Segments) -> Int[np.ndarray, "stops 3"]:
    """Where the solution of a segment went to exactly 0."""
    modelled = state.fitted.reshape(-1, state.fitted.shape[-1])[np.asarray(segments.frames)]
    segment, place, metabolite = np.nonzero((modelled[:, 1:] == 0.0) & (modelled[:, :-1] > 0.0))
    frame = np.asarray(segments.frames)[segment, place + 1]
    return np.stack([*divmod(frame, state.fitted.shape[1]), metabolite], axis=1)


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
    state = ShootingState(parameters, start.smooth, noise, lost)
    horizon = max([h for h in config.horizons if h <= time_courses.num_frames], default=16)
    segments = cut(time_courses, horizon, kept)
    total = segments.mask.sum()
    chosen = np.unique(np.linspace(0, len(segments.mask) - 1, SEGMENTS_TO_EXPECT).astype(int))
    some = jax.tree.map(lambda leaf: leaf[chosen], segments)
    shot = _aim(some, state, (prior, parameters), config)
    initial = jnp.asarray(start.smooth.reshape(-1, start.smooth.shape[-1]))[some.frames[:, 0]]
    information = profile(dynamics, parameters, initial, shot).information
    return information * (total / some.mask.sum()) + jnp.diag(prior), noise.relative
