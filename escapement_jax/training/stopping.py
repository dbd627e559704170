"""When an optimisation has come to rest: three rules, all of which must hold."""

from dataclasses import dataclass

import numpy as np

OBJECTIVE_STEPS = 200
SIZE_STEPS = 100

_AVERAGED = 50  # steps over which a noisy objective is averaged


@dataclass(frozen=True)
class StoppingRules:
    """How little may still change.

    Attributes:
        objective_change: largest relative rise of the objective over the last 200 steps.
        size_change: largest relative change of any population size over the last 100 steps.
        temperature: of the relaxation; it must have been reached.
    """

    objective_change: float = 1e-3
    size_change: float = 1e-2
    temperature: float = 0.1


@dataclass(frozen=True)
class Rest:
    """Which rules hold."""

    objective: bool
    sizes: bool
    temperature: bool

    def __bool__(self) -> bool:
        return self.objective and self.sizes and self.temperature


def at_rest(
    objective: np.ndarray, sizes: np.ndarray, temperature: np.ndarray, rules: StoppingRules
) -> Rest:
    """Judge the histories of an optimisation that maximises.

    Args:
        objective: after every step [steps].
        sizes: population sizes after every step [steps, epochs].
        temperature: of every step [steps].
        rules: what to hold them against.

    Returns:
        Whether the objective has not risen by more than its share (means over 50 steps, since it
        may be noisy), the sizes have settled, and the lowest temperature is reached. A rule that
        looks back further than the history does not hold.
    """
    steps = len(objective)
    settled = level = False
    if steps >= OBJECTIVE_STEPS + _AVERAGED:
        now = np.mean(objective[-_AVERAGED:])
        then = np.mean(objective[-OBJECTIVE_STEPS - _AVERAGED : -OBJECTIVE_STEPS])
        level = bool(now - then <= rules.objective_change * abs(then))
    if steps > SIZE_STEPS:
        change = np.abs(sizes[-1] / sizes[-1 - SIZE_STEPS] - 1.0)
        settled = bool(np.all(change < rules.size_change))
    return Rest(level, settled, bool(temperature[-1] <= rules.temperature * (1 + 1e-6)))
