"""Measurement noise: how far a measured concentration may lie from the true one.

``sd(c) = relative * c + absolute``. Values of exactly 0 are below detection: all that is known is
that the noise did not lift them above 0.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Array, Float
from scipy.optimize import minimize

SMALLEST_RELATIVE = 1e-6
GROSS = 5.0
"""Residuals beyond so many standard deviations are no noise; noise makes one in 1.7 million."""
MOST_ROUNDS = 10
LEAST_SCALED = -8.0
"""Standard deviations below 0 beyond which the normal tail is no longer evaluated."""


class NoiseModel(eqx.Module):
    """Standard deviation of the noise as a line in concentration.

    Attributes:
        relative: Share of the concentration.
        absolute: At concentration 0.
    """

    relative: float
    absolute: float

    def deviation(self, concentration: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Return the standard deviation at true concentrations."""
        return self.relative * jnp.abs(concentration) + self.absolute


def estimate_noise(
    measured: Float[np.ndarray, " values"],
    modelled: Float[np.ndarray, " values"],
    shrinkage: float = 1.0,
) -> NoiseModel:
    """Fit the line by maximum likelihood to measured less modelled values.

    Gross errors are left out, round by round, until the rest agree with the line.

    Args:
        measured: Concentrations, none missing or censored.
        modelled: Fits to them.
        shrinkage: Share of the noise left in residuals, ``1 - parameters / measurements``.
    """
    residual = (measured - modelled) / np.sqrt(shrinkage)
    size = np.abs(modelled)
    for _ in range(MOST_ROUNDS):
        noise = _likeliest(residual, size)
        plain = np.abs(residual) < GROSS * (noise.relative * size + noise.absolute)
        if plain.all():
            break
        residual, size = residual[plain], size[plain]
    return noise


def _likeliest(residual: np.ndarray, size: np.ndarray) -> NoiseModel:
    start = np.median(np.abs(residual) / np.maximum(size, 1e-12)) * 1.48 + SMALLEST_RELATIVE
    scale = float(np.median(size)) + 1e-12

    def loss(values: np.ndarray) -> float:
        deviation = np.exp(values[0]) * size + np.exp(values[1]) * scale
        return float(np.mean(np.log(deviation) + 0.5 * (residual / deviation) ** 2))

    best = minimize(loss, np.log([start, start / 10]), method="Nelder-Mead", tol=1e-4)
    relative, absolute = np.exp(best.x) * np.array([1.0, scale])
    return NoiseModel(float(max(relative, SMALLEST_RELATIVE)), float(absolute))


def pseudo_measurements(
    measured: Float[Array, "*shape"],
    mask: Float[Array, "*shape"],
    modelled: Float[Array, "*shape"],
    noise: NoiseModel,
    student_freedom: float | None,
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Return values and weights whose squares have the score of the true likelihood here.

    Plain values stay themselves with weight ``1 / sd^2``, the deviation taken at the modelled
    concentration, not at the noisy one. Censored values become ``c + score / information`` of
    ``log Phi(-c / sd)``. For outliers, Student's t multiplies weights by
    ``(nu + 1) / (nu + (r / sd)^2)``.

    Args:
        measured: Concentrations.
        mask: 1 where measured.
        modelled: Present fit.
        noise: Noise model.
        student_freedom: ``nu``; None for normal noise.
    """
    deviation = noise.deviation(modelled)
    weight = 1.0 / deviation**2
    if student_freedom is not None:
        scaled = (measured - modelled) / deviation
        weight = weight * (student_freedom + 1.0) / (student_freedom + scaled**2)
    place = jnp.maximum(-modelled / deviation, LEAST_SCALED)
    mills = jnp.exp(norm.logpdf(place) - norm.logcdf(place))
    information = jnp.maximum(mills * (place + mills), 1e-12)
    censored = (measured == 0.0) & (modelled < -LEAST_SCALED * deviation)
    value = jnp.where(censored, modelled - deviation * mills / information, measured)
    return value, mask * jnp.where(censored, information / deviation**2, weight)
