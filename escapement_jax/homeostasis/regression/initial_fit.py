"""The regression of a whole data set: which integrator, which law, and is there noise at all?"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import uniform_filter1d

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.homeostasis import RecoverConfig
from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.rate_laws import (
    AbstractRateLaw,
    MassAction,
    NeuralLaw,
    PowerLaw,
    Saturating,
    SplineLaw,
)
from escapement_jax.homeostasis.regression.equations import BalanceEquations, participants_of
from escapement_jax.homeostasis.regression.frames import end_to_end, filled, smoothed
from escapement_jax.homeostasis.regression.separable import SeparableFit, fit_separable
from escapement_jax.homeostasis.regression.weak_form import weak_form
from escapement_jax.homeostasis.stepping import Integrator
from escapement_jax.homeostasis.time_courses import TimeCourses

NOISE_FREE = 1e-4
"""Relative residual of the balance equations below which data count as free of noise."""
COARSE = 1e-2
"""Relative residual from which on noise, or another law, is more likely than a coarse spline."""
WIDE_WINDOW = 20
SMOOTH_WINDOW = 40
STRIDE = 5
ROWS_OF_SEARCH = 700
ROWS_OF_SCALE = 50
COARSEST_SPLINE = 8


class InitialFit(eqx.Module):
    """A regression on all data.

    Attributes:
        fit: Law and coefficients.
        equations: What was regressed.
        integrator: How frames follow each other.
        smooth: Concentrations without gaps, smoothed unless free of noise.
        noise_free: Whether the balance equations hold so well that nothing is left to polish.
    """

    fit: SeparableFit
    equations: BalanceEquations
    integrator: Integrator = eqx.field(static=True)
    smooth: Float[np.ndarray, "trajectories frames metabolites"]
    noise_free: bool


def initial_fit(
    time_courses: TimeCourses,
    network: Network,
    kept: Int[np.ndarray, " kept"],
    config: RecoverConfig,
    *,
    key: PRNGKey,
) -> InitialFit:
    """Regress time courses on the balance equations of a network.

    Args:
        time_courses: Measurements.
        network: The network.
        kept: Reactions whose rates can be told apart.
        config: Law, integrator and noise.
        key: Source of randomness, for the start of a neural law.
    """
    values = filled(time_courses)
    build = lambda *args: balance_equations(time_courses, network, kept, *args)  # noqa: E731
    power, integrator = _choose_integrator(build, values, config)
    if config.polish != "always" and time_courses.complete and not config.relative_noise:
        sharp = build(values, integrator, 1 if integrator == "euler" else SMOOTH_WINDOW, 1)
        law = _start_law(config, power, values, config.law_size, key)
        fit = _search(sharp, law, refine=True)
        if fit.relative_residual < NOISE_FREE:
            return InitialFit(fit, sharp, integrator, values, True)
    smooth = smoothed(values, np.asarray(time_courses.times))
    if not config.allow_negative:
        smooth = np.maximum(smooth, 0.0)
    wide = build(smooth, integrator, WIDE_WINDOW, STRIDE)
    size = min(config.law_size, COARSEST_SPLINE)
    fit = _search(wide, _start_law(config, power, smooth, size, key))
    return InitialFit(fit, wide, integrator, smooth, False)


def _choose_integrator(build, values: np.ndarray, config: RecoverConfig) -> tuple:
    """Fit a power law, or mass action, in wide windows; the smaller residual wins."""
    law = MassAction() if config.law == "mass-action" else PowerLaw(jnp.asarray(1.0))
    named = {"auto": ("runge-kutta", "euler")}.get(config.integrator, (config.integrator,))
    if len(named) == 1 and config.law == "mass-action":
        return law, named[0]
    fits = [(_search(build(values, name, WIDE_WINDOW, STRIDE), law), name) for name in named]
    best, name = min(fits, key=lambda pair: pair[0].relative_residual)
    return best.law, name


def _search(
    equations: BalanceEquations, law: AbstractRateLaw, *, refine: bool = False
) -> SeparableFit:
    """Search the law on some of the equations first, then on all."""
    rows = equations.derivatives.shape[0]
    many = bool(law.parameters.size) and rows > 2 * ROWS_OF_SEARCH
    some = _thinned(equations, rows // ROWS_OF_SEARCH) if many else equations
    fit = fit_separable(some, law)
    if refine and isinstance(fit.law, SplineLaw) and NOISE_FREE < fit.relative_residual < COARSE:
        # A spline that is too coarse for the law leaves less when refined; noise does not.
        finer = fit_separable(some, fit.law.refined())
        fit = finer if finer.relative_residual < fit.relative_residual / 2 else fit
    return fit_separable(equations, fit.law) if many else fit


def _thinned(equations: BalanceEquations, every: int) -> BalanceEquations:
    """Every so-manieth row."""
    where = lambda e: (  # noqa: E731
        e.windows.starts,
        e.windows.weights,
        e.windows.derivative_weights,
        e.derivatives,
        e.row_weights,
    )
    return eqx.tree_at(where, equations, tuple(rows[::every] for rows in where(equations)))


def _start_law(
    config: RecoverConfig, power: AbstractRateLaw, values: np.ndarray, size: int, key: PRNGKey
) -> AbstractRateLaw:
    """The law asked for, near the best power law."""
    if isinstance(power, MassAction) or config.law == "power":
        return power
    exponent = float(power.parameters[0])
    positive = values[values > 0]
    low = float(np.log(np.quantile(positive, 2e-5)))
    high = float(np.log(positive.max()))
    if config.law == "spline":
        return SplineLaw.power(exponent, low, high, size)
    if config.law == "neural":
        return NeuralLaw.power(exponent, low, high, size, key=key)
    return Saturating(jnp.asarray(np.log(10 * np.median(positive))))


def balance_equations(
    time_courses: TimeCourses,
    network: Network,
    kept: Int[np.ndarray, " kept"],
    values: Float[np.ndarray, "trajectories frames metabolites"],
    integrator: Integrator,
    intervals: int,
    stride: int,
) -> BalanceEquations:
    """Return the balance equations of data in windows.

    Args:
        time_courses: Measurements.
        network: The network.
        kept: Reactions to keep.
        values: Concentrations without gaps.
        integrator: How frames follow each other.
        intervals: Width of a window.
        stride: Frames from window to window.
    """
    times = np.asarray(time_courses.times)
    intervals = max(1 if integrator == "euler" else 4, min(intervals, len(times) // 4))
    windows = weak_form(
        times,
        np.asarray(time_courses.restarts),
        integrator=integrator,
        intervals=intervals,
        stride=stride,
    )
    frames = end_to_end(values)
    derivatives = windows.mean_derivative(frames)
    activities = np.repeat(np.asarray(time_courses.activities)[:, kept], len(times), axis=0)
    stoichiometry = network.stoichiometry[:, kept]
    return BalanceEquations(
        concentrations=frames,
        activities=jnp.asarray(activities),
        stoichiometry=stoichiometry,
        substrate_orders=network.substrate_orders[:, kept],
        windows=windows,
        derivatives=derivatives,
        row_weights=_row_weights(time_courses, windows, np.asarray(derivatives), integrator),
        participants=jnp.asarray(participants_of(np.asarray(stoichiometry))),
    )


def _row_weights(
    time_courses: TimeCourses, windows, derivatives: np.ndarray, integrator: Integrator
) -> jax.Array:
    """One over the usual speed of each metabolite nearby; 0 where it was hardly measured.

    Euler's steps that end at exactly 0 were cut off there and do not obey the equations.
    """
    scale = uniform_filter1d(np.abs(derivatives), ROWS_OF_SCALE, axis=0, mode="nearest")
    weights = 1.0 / (scale + 0.01 * np.sqrt(np.mean(derivatives**2)) + 1e-300)
    measured = np.asarray(time_courses.concentrations)
    seen = windows.mean(end_to_end(np.isfinite(measured).astype(float)))
    weights = jnp.where(seen > 0.5, jnp.asarray(weights), 0.0)
    if integrator == "euler" and windows.weights.shape[1] == 2:
        ends = end_to_end(measured)[windows.starts + 1]
        weights = jnp.where(ends == 0.0, 0.0, weights)
    return weights
