"""Slice sampling of many independent variables on the unit interval."""

from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

_Target = TypeVar("_Target", bound="UnitTarget")


@runtime_checkable
class UnitTarget(Protocol):
    """Log densities of independent variables in (0, 1), up to constants."""

    def log_density(self, unit: np.ndarray) -> np.ndarray:
        """Return the log density of every variable at its value, [variables]."""
        ...

    def restrict(self: _Target, keep: np.ndarray) -> _Target:
        """Return the target of some of the variables, bool [variables]."""
        ...


def slice_sample(
    target: UnitTarget, start: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Move every variable once, leaving its law as it is; nothing to tune.

    A height is drawn below the density at the start; values are drawn from an interval, at first
    (0, 1), that shrinks to the start until one lies above the height.

    Args:
        target: The log densities.
        start: Present values.
        generator: Source of randomness.

    Returns:
        The new values.

    Source:
        Neal (2003), Slice sampling, Annals of Statistics 31:705, figure 5.
    """
    found = start.copy()
    index = np.arange(len(start))
    height = target.log_density(start) - generator.exponential(size=len(start))
    low, high = np.zeros(len(start)), np.ones(len(start))
    while index.size:
        unit = generator.uniform(low, high)
        outside = ~(target.log_density(unit) >= height)
        found[index[~outside]] = unit[~outside]
        below = unit < start[index]
        low, high = np.where(below, unit, low)[outside], np.where(below, high, unit)[outside]
        target, index, height = target.restrict(outside), index[outside], height[outside]
    return found
