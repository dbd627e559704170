"""Range checks shared by the configuration classes."""

import math


def at_least(config: object, least: float, *names: str) -> None:
    """Check that fields are finite and not below a bound; None passes.

    Raises:
        ValueError: a field is below `least`, infinite or not a number.
    """
    for name in names:
        value = getattr(config, name)
        if value is not None and not (math.isfinite(value) and value >= least):
            raise ValueError(f"{name} is {value}; it must be {least} or more")


def positive(config: object, *names: str) -> None:
    """Check that fields are finite and above zero; None passes.

    Raises:
        ValueError: a field is zero, negative, infinite or not a number.
    """
    for name in names:
        value = getattr(config, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value}; it must be above 0")


def fraction(config: object, below: float, *names: str) -> None:
    """Check that fields are probabilities in [0, below).

    Raises:
        ValueError: a field is outside the interval.
    """
    for name in names:
        value = getattr(config, name)
        if not 0 <= value < below:
            raise ValueError(f"{name} is {value}; it must lie in [0, {below})")
