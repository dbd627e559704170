"""What a node can do at all, whatever the circuit around it.

A node obeys ``y' = u - k y`` with a production u between 0 and 1, so it cannot rise faster than
full production lets it, nor fall faster than decay does. In units of its ceiling, ``x = k y``, a
swing from m to M and back takes at least ``ln[(1 - m) M / ((1 - M) m)] / k`` seconds.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.optimize import lsq_linear

from escapement_jax.curiosity.behaviour.oscillation import LEAST_AMPLITUDE

SAMPLES_PER_PERIOD = 200


class Sinusoid(NamedTuple):
    """The signal ``amplitude cos(2 pi frequency t) + offset``; the amplitude is half the swing."""

    amplitude: float
    offset: float
    frequency: float


def largest_amplitude(
    offset: Float[Array, "*batch"], frequency: Float[Array, "*batch"], *, decay: float = 1.0
) -> Float[Array, "*batch"]:
    """Return the largest swing, peak to peak, of a node about an offset at a frequency.

    Solving the shortest swing for its height gives ``c - sqrt(c^2 - 4 x (1 - x))`` in units of the
    ceiling ``1 / k``, with ``c = coth(k / (2 f))`` and ``x = k offset``; 0 for offsets outside.

    Args:
        offset: Mean of the largest and the smallest value.
        frequency: Cycles per second.
        decay: Decay rate k, per second.

    Returns:
        The swing, in the unit of the offset.
    """
    x = jnp.clip(decay * offset, 0, 1)
    tanh = jnp.tanh(decay / (2 * jnp.maximum(frequency, 1e-6)))
    # c - sqrt(c^2 - q) = q / (c + sqrt(c^2 - q)), here times tanh twice: nothing cancels.
    product = 4 * x * (1 - x)
    swing = product * tanh / (1 + jnp.sqrt(jnp.maximum(1 - product * jnp.square(tanh), 0)))
    return swing / decay


def is_feasible(
    offset: Float[Array, "*batch"],
    amplitude: Float[Array, "*batch"],
    frequency: Float[Array, "*batch"],
    *,
    decay: float = 1.0,
) -> Bool[Array, "*batch"]:
    """Whether some production makes a node swing so (necessary for every circuit)."""
    inside = (offset > 0) & (decay * offset < 1) & (amplitude > 0) & (frequency > 0)
    return inside & (amplitude <= largest_amplitude(offset, frequency, decay=decay))


def feasible_cells(
    low: tuple[float, ...],
    high: tuple[float, ...],
    bins: int,
    *,
    decay: float = 1.0,
    lowest_frequency: float = 0.04,
    subdivisions: int = 6,
) -> Bool[np.ndarray, "bins bins bins"]:
    """Find the cells of (offset, amplitude, frequency) that hold a feasible point.

    Args:
        low: Lower ends of the extent.
        high: Upper ends of the extent.
        bins: Cells per axis.
        decay: Decay rate of the observed node, per second.
        lowest_frequency: Slowest oscillation that the window can tell, two periods in it.
        subdivisions: Points tried per cell and axis.

    Returns:
        True where a cell can be filled.
    """
    fine = (np.arange(bins * subdivisions) + 0.5) / (bins * subdivisions)
    axes = [bottom + (top - bottom) * fine for bottom, top in zip(low, high, strict=True)]
    offset, amplitude, frequency = np.meshgrid(*axes, indexing="ij")
    ok = is_feasible(
        jnp.asarray(offset), jnp.asarray(amplitude), jnp.asarray(frequency), decay=decay
    )
    seen = np.asarray(ok) & (amplitude > LEAST_AMPLITUDE) & (frequency >= lowest_frequency)
    return np.asarray(seen.reshape((bins, subdivisions) * 3).any((1, 3, 5)))


def sinusoid_is_reachable(target: Sinusoid, *, decay: float = 1.0) -> bool:
    """Whether a node can follow a sinusoid exactly.

    The production it takes, ``u = y' + k y``, is a sinusoid of amplitude ``A sqrt(k^2 + w^2)``
    about ``k b``, with ``w = 2 pi f``; it must stay between 0 and 1.
    """
    need = target.amplitude * np.hypot(decay, 2 * np.pi * target.frequency)
    room = min(decay * target.offset, 1 - decay * target.offset)
    return bool(need <= room)


def nearest_reachable_sinusoid(target: Sinusoid, *, decay: float = 1.0) -> Sinusoid:
    """Return the sinusoid of the same frequency, nearest in mean square, that can be followed.

    Reachable pairs (amplitude, offset) fill the triangle between a rest at 0, a rest at 1 / k and
    the largest amplitude; the mean squared distance is ``(A - A')^2 / 2 + (b - b')^2``.
    """
    if sinusoid_is_reachable(target, decay=decay):
        return target
    tip = np.array([0.5 / np.hypot(decay, 2 * np.pi * target.frequency), 0.5 / decay])
    weight = np.array([np.sqrt(0.5), 1.0])
    point = np.array([target.amplitude, target.offset])
    bottom, top = np.zeros(2), np.array([0.0, 1.0 / decay])
    edges = [(bottom, tip), (tip, top), (bottom, top)]
    found = [_project(point * weight, a * weight, b * weight) / weight for a, b in edges]
    best = min(found, key=lambda other: float(np.sum(np.square((other - point) * weight))))
    return Sinusoid(float(best[0]), float(best[1]), target.frequency)


def root_mean_square_floor(target: Sinusoid, *, decay: float = 1.0) -> float:
    """Return the least root mean square distance of any node from a sinusoid, in the long run.

    By convexity the best production has the period of the target: a bounded least squares over
    one period of ``y' = u - k y``, 0 <= u <= 1, with u constant between samples.
    """
    if sinusoid_is_reachable(target, decay=decay):
        return 0.0
    number = SAMPLES_PER_PERIOD
    step = 1 / (target.frequency * number)
    keep = np.exp(-decay * step)
    lag = (np.arange(number)[:, None] - np.arange(number)[None, :] - 1) % number
    response = (1 - keep) / decay * keep**lag / (1 - keep**number)
    wave = target.amplitude * np.cos(2 * np.pi * np.arange(number) / number) + target.offset
    residual = lsq_linear(response, wave, bounds=(0, 1), tol=1e-12).fun
    return float(np.sqrt(np.mean(np.square(residual))))


def _project(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the point of a segment nearest to a point."""
    along = end - start
    part = np.clip(np.dot(point - start, along) / np.dot(along, along), 0, 1)
    return start + part * along
