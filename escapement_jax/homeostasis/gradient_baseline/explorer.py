"""Which recipe to try next: a tree of trials, grown where an upper confidence bound is highest."""

import dataclasses
import math

import numpy as np

from escapement_jax.homeostasis.gradient_baseline.recipe import Recipe

OPTIONS: dict[str, tuple[float | int | bool, ...]] = {
    "learning_rate_node": (1e-3, 1e-2, 1e-1),
    "learning_rate_embedding": (1e-4, 1e-3, 1e-2),
    "residual": (0.0, 1.0),
    "amplification": (1.0, 10.0),
    "contrastive": (0.0, 1e-3),
    "curriculum": (False, True),
    "warm_up": (0.0, 0.1),
    "cosine": (False, True),
    "multi_scale": (False, True),
    "accumulation": (1, 4),
    "stop_gradient": (False, True),
}
"""The grid of options that trials are taken from."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """One trial of phase 2.

    Attributes:
        recipe: Its options.
        parent: Index of the trial that it was changed from; -1 for none.
        mutation: What was changed.
        reward: How good it was, without labels.
    """

    recipe: Recipe
    parent: int
    mutation: str
    reward: float


def upper_confidence_bounds(trials: list[Trial], *, exploration: float) -> list[float]:
    """Return ``reward + c sqrt(ln N / n)`` of every trial, n counting itself and its descendants.

    Args:
        trials: All so far, parents before children.
        exploration: The weight c.

    Source: P. Auer, N. Cesa-Bianchi & P. Fischer, Machine Learning 47, 235 (2002).
    """
    visits = np.ones(len(trials))
    for index in reversed(range(len(trials))):
        parent = trials[index].parent
        if parent >= 0:
            visits[parent] += visits[index]
    bonus = exploration * np.sqrt(math.log(max(len(trials), 1)) / visits)
    return [trial.reward + float(extra) for trial, extra in zip(trials, bonus, strict=True)]


def propose(
    trials: list[Trial],
    *,
    rollout_length: int,
    count: int,
    exploration: float,
    generator: np.random.Generator,
) -> list[Trial]:
    """Propose trials for a slot: options of its most promising trial changed, one at a time.

    The first trial of a slot is the published default; its companions are changes of it. A trial is
    not repeated, so there may be fewer than asked for in the end.

    Args:
        trials: All trials so far.
        rollout_length: The length that the slot is for; it never changes.
        count: How many to propose, at most.
        exploration: Weight of exploration in the bound.
        generator: NumPy's.

    Returns:
        Trials whose reward is NaN.
    """
    default = Recipe(rollout_length=rollout_length)
    own = [i for i, trial in enumerate(trials) if trial.recipe.rollout_length == rollout_length]
    if not own:
        proposed = [Trial(default, -1, "the published defaults", math.nan)]
        parents = [(len(trials), default)]
    else:
        proposed = []
        bounds = upper_confidence_bounds(trials, exploration=exploration)
        own.sort(key=lambda index: -bounds[index])
        parents = [(index, trials[index].recipe) for index in own]
    tried = {trial.recipe for trial in [*trials, *proposed]}
    for parent, recipe in parents:
        fresh = [mutant for mutant in _mutants(recipe) if mutant[1] not in tried]
        for choice in generator.permutation(len(fresh))[: count - len(proposed)]:
            name, mutant = fresh[choice]
            change = f"{name}: {getattr(recipe, name)} -> {getattr(mutant, name)}"
            proposed.append(Trial(mutant, parent, change, math.nan))
            tried.add(mutant)
    return proposed


def _mutants(recipe: Recipe) -> list[tuple[str, Recipe]]:
    return [
        (name, dataclasses.replace(recipe, **{name: value}))
        for name, values in OPTIONS.items()
        for value in values
        if value != getattr(recipe, name)
    ]
