"""Growing horizons: match the first periods before the last."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def schedule(num_steps: int, periods: tuple[float, ...]) -> Float[Array, " steps"]:
    """Return the horizon of every step, in periods of the target.

    Two oscillations of different frequency are far apart almost everywhere on a long horizon, and
    flat; on a short one the loss leads the way.

    Args:
        num_steps: Number of steps.
        periods: Horizons, each for an equal part of the steps; infinity takes the whole course.

    Returns:
        One horizon per step.
    """
    part = np.minimum(np.arange(num_steps) * len(periods) // num_steps, len(periods) - 1)
    return jnp.asarray(np.array(periods, dtype=float)[part])
