"""Random steps in parameter space, in units of the box."""

import jax
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey


def gaussian(
    unit: Float[Array, "batch parameters"], scale: float, *, key: PRNGKey
) -> Float[Array, "batch parameters"]:
    """Add independent Gaussian noise."""
    return unit + scale * jax.random.normal(key, unit.shape, unit.dtype)


def gaussian_and_line(
    unit: Float[Array, "batch parameters"],
    partner: Float[Array, "batch parameters"],
    scale: Float[Array, "batch 1"] | float,
    line_scale: float,
    *,
    key: PRNGKey,
) -> Float[Array, "batch parameters"]:
    """Add Gaussian noise and a random step along the line to another elite.

    Source: Vassiliades and Mouret (2018), Discovering the elite hypervolume, eq. 1.
    """
    noise_key, line_key = jax.random.split(key)
    noise = scale * jax.random.normal(noise_key, unit.shape, unit.dtype)
    along = line_scale * jax.random.normal(line_key, (unit.shape[0], 1), unit.dtype)
    return unit + noise + along * (partner - unit)
