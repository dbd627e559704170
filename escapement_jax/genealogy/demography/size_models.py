"""Ways to write a population size through time with few parameters, and how smooth it is.

Every one maps parameters to the log diploid size of each time level, and has a Gaussian prior on
them: one covariance for each of several degrees of smoothness, between which the data choose.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.array_types import Levels
from escapement_jax.genealogy.demography.monotone_spline import rational_quadratic
from escapement_jax.genealogy.genome.time_grid import TimeGrid

ROUGHNESS = (0.02, 0.1, 0.2, 0.35, 0.6, 1.0, 1.7)
"""Standard deviations of log size, per root e-fold of time or in all, that are considered."""

LENGTH_SCALE = 0.7
"""Correlation length of the Gaussian process, e-folds of time."""

_OVERALL = 1.0  # standard deviation of the log size at all times together
_NUGGET = 1e-6  # variance of each log size by itself: keeps covariances invertible
_NUM_KNOTS = 9


@dataclass(frozen=True)
class SizeModel(ABC):
    """Parameters of a population size, and their prior; float64, on the host.

    Attributes:
        mean: prior mean of the parameters.
        covariances: prior covariance for every roughness, first the smoothest.
    """

    mean: Float[np.ndarray, " parameters"]
    covariances: Float[np.ndarray, "roughness parameters parameters"]

    @abstractmethod
    def log_sizes(self, parameters: Float[Array, " parameters"]) -> Levels:
        """Log diploid size of every level."""


@dataclass(frozen=True)
class LevelSizes(SizeModel):
    """One log size per level: the law is in the prior."""

    def log_sizes(self, parameters: Float[Array, " parameters"]) -> Levels:
        """The parameters themselves."""
        return parameters


@dataclass(frozen=True)
class SplineSizes(SizeModel):
    """A monotone spline of log coalescent intensity over log time; sizes from its slope.

    Parameters: the log intensity at the first knot, the logs of the secant slopes between knots,
    and the logs of the slopes at the knots relative to the secants beside them. A constant size
    is a straight line of slope 1.

    Attributes:
        edges: lower edges of the levels, generations.
    """

    edges: Levels

    def log_sizes(self, parameters: Float[Array, " parameters"]) -> Levels:
        """`N_k = (e_{k+1} - e_k) / (2 c_k)`; the open level has the size of the one before."""
        log_edges = jnp.log(self.edges[1:])
        knots = jnp.linspace(log_edges[0], log_edges[-1], _NUM_KNOTS)
        log_secants = parameters[1:_NUM_KNOTS]
        rises = jnp.exp(log_secants) * jnp.diff(knots)
        heights = parameters[0] + jnp.concatenate([jnp.zeros_like(rises[:1]), jnp.cumsum(rises)])
        around = jnp.concatenate([log_secants[:1], log_secants, log_secants[-1:]])
        slopes = jnp.exp((around[:-1] + around[1:]) / 2 + parameters[_NUM_KNOTS:])
        log_intensity = rational_quadratic(log_edges, knots, heights, slopes)
        inside = jnp.diff(jnp.exp(log_intensity), prepend=0.0)
        log_sizes = jnp.log(jnp.diff(self.edges) / (2 * inside))
        return jnp.concatenate([log_sizes, log_sizes[-1:]])


def size_model(kind: str, grid: TimeGrid, population_size: float) -> SizeModel:
    """Build a way to write the population size.

    Log sizes are a priori normal around that of a constant population, with standard deviation 1
    for all times together, plus a deviation in time of unknown roughness `s`:

    - "constant": none;
    - "random-walk": Brownian motion in log time, variance `s^2` per e-fold;
    - "gaussian-process": variance `s^2`, squared-exponential correlation in log time;
    - "spline": log slopes of the log intensity, variance `s^2`, between equally spaced knots.

    Args:
        kind: one of the names above.
        grid: time levels, at least three.
        population_size: diploid size at the centre of the prior.

    Raises:
        ValueError: the kind is unknown.
    """
    log_times = np.log(np.asarray(grid.times, dtype=np.float64))
    mean = np.full(log_times.shape, np.log(population_size))
    roughness = np.array(ROUGHNESS)[:, None, None]
    if kind == "constant":
        covariances = np.full((1, mean.size, mean.size), _OVERALL**2)
    elif kind == "random-walk":
        since = log_times - log_times[0]
        walk = np.minimum(since[:, None], since[None, :])
        covariances = _OVERALL**2 + roughness**2 * walk
    elif kind == "gaussian-process":
        distance = (log_times[:, None] - log_times[None, :]) / LENGTH_SCALE
        covariances = _OVERALL**2 + roughness**2 * np.exp(-(distance**2) / 2)
    elif kind == "spline":
        return _spline(grid, population_size)
    else:
        raise ValueError(
            f"demography is {kind!r}; choose constant, random-walk, gaussian-process or spline"
        )
    covariances = covariances + _NUGGET * np.eye(mean.size)
    return LevelSizes(mean, covariances)


def _spline(grid: TimeGrid, population_size: float) -> SplineSizes:
    first = np.log(float(grid.edges[1]) / (2 * population_size))
    mean = np.append(first, np.zeros(2 * _NUM_KNOTS - 1))
    deviations = np.array(ROUGHNESS)[:, None] * np.ones((1, mean.size))
    deviations[:, 0] = _OVERALL
    deviations[:, _NUM_KNOTS:] /= 2
    covariances = np.stack([np.diag(deviation**2) for deviation in deviations])
    return SplineSizes(mean, covariances, grid.edges)
