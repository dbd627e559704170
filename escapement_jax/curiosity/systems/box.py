"""The box of parameters that a search may visit."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from escapement_jax.array_types import PRNGKey


class Box(eqx.Module):
    """Lower and upper bounds of parameters; a parameter whose bounds are equal is fixed.

    Attributes:
        low: Lower bounds.
        high: Upper bounds.
    """

    low: Float[Array, " parameters"]
    high: Float[Array, " parameters"]

    def __check_init__(self) -> None:
        """Reject bounds that are reversed or not finite."""
        if isinstance(self.low, Tracer) or isinstance(self.high, Tracer):
            return
        low, high = np.asarray(self.low), np.asarray(self.high)
        wrong = ~(np.isfinite(low) & np.isfinite(high) & (low <= high))
        if wrong.any():
            at = int(np.argmax(wrong))
            raise ValueError(
                f"the bounds of parameter {at} are [{low[at]}, {high[at]}]; give finite bounds, "
                "the lower one first"
            )
        if not (low < high).any():
            raise ValueError(
                f"all {low.size} parameters are fixed, so there is nothing to search; give at "
                "least one of them a lower bound below its upper bound"
            )

    @classmethod
    def of(cls, low: ArrayLike, high: ArrayLike) -> "Box":
        """Make a box from any sequences of numbers.

        Args:
            low: Lower bounds.
            high: Upper bounds, as many.

        Returns:
            The box.

        Raises:
            ValueError: The bounds differ in number, are reversed or not finite.
        """
        lower, upper = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
        if lower.ndim != 1 or lower.shape != upper.shape:
            raise ValueError(
                f"lower bounds of shape {lower.shape} do not go with upper bounds of shape "
                f"{upper.shape}; give one of each for every parameter"
            )
        return cls(jnp.asarray(lower), jnp.asarray(upper))

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.low.shape[0]

    @property
    def extent(self) -> Float[Array, " parameters"]:
        """Width of the box along every parameter."""
        return self.high - self.low

    def clip(self, parameters: Float[Array, "*batch parameters"]) -> Float[Array, "*batch _"]:
        """Move parameters to the nearest point of the box."""
        return jnp.clip(parameters, _align(self.low, parameters), _align(self.high, parameters))

    def from_unit(self, unit: Float[Array, "*batch parameters"]) -> Float[Array, "*batch _"]:
        """Map the unit cube to the box: ``low + (high - low) u``."""
        return _align(self.low, unit) + _align(self.extent, unit) * unit

    def to_unit(self, parameters: Float[Array, "*batch parameters"]) -> Float[Array, "*batch _"]:
        """Map the box to the unit cube; fixed parameters become 0."""
        free = _align(self.extent, parameters) > 0
        width = jnp.where(free, _align(self.extent, parameters), 1)
        return jnp.where(free, (parameters - _align(self.low, parameters)) / width, 0)

    def sample(self, num_samples: int, *, key: PRNGKey) -> Float[Array, "samples parameters"]:
        """Draw parameters uniformly."""
        unit = jax.random.uniform(key, (num_samples, self.size), self.low.dtype)
        return self.from_unit(unit)


def _align(
    bound: Float[Array, " parameters"], values: Float[Array, "*batch parameters"]
) -> Float[Array, "*ones parameters"]:
    return bound.reshape((1,) * (values.ndim - 1) + bound.shape)
