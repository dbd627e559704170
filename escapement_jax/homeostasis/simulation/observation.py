"""What an instrument makes of concentrations: errors, values below zero, missing values."""

import numpy as np
from jaxtyping import Float

from escapement_jax.config.homeostasis_simulation import SimulateHomeostasisConfig

ABSOLUTE_SHARE = 0.1
"""The absolute error where none is told, as a share of the relative one."""


def measure(
    concentrations: Float[np.ndarray, "trajectories frames metabolites"],
    config: SimulateHomeostasisConfig,
    generator: np.random.Generator,
) -> Float[np.ndarray, "trajectories frames metabolites"]:
    """Add Gaussian errors of standard deviation ``relative c + absolute``; leave some out as NaN.

    Args:
        concentrations: The true ones.
        config: Size of the errors, share of missing values, and whether to clip at zero.
        generator: NumPy's.
    """
    absolute = config.absolute_noise
    if absolute is None:
        absolute = ABSOLUTE_SHARE * config.relative_noise
    deviation = config.relative_noise * concentrations + absolute
    errors = generator.standard_normal(concentrations.shape) if deviation.any() else 0.0
    measured = concentrations + deviation * errors
    if config.clip:
        measured = np.maximum(measured, 0.0)
    if config.missing > 0:
        measured[generator.random(measured.shape) < config.missing] = np.nan
    return measured
