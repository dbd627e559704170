"""The trials of the published recipe as a table."""

import csv
import dataclasses
from pathlib import Path

from escapement_jax.homeostasis.gradient_baseline.explore import Exploration
from escapement_jax.homeostasis.gradient_baseline.recipe import Recipe

COLUMNS = ("trial", "parent", "mutation", "strategies", "reward", "first_loss", "last_loss")


def write_trials(path: Path, exploration: Exploration) -> None:
    """Write every trial with its parent, what was changed, its reward and its options.

    Losses are means over the first and the last twentieth of training. Parents are numbers of
    trials, -1 for none.

    Args:
        path: CSV file to write.
        exploration: What the published recipe has found.
    """
    options = [field.name for field in dataclasses.fields(Recipe)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*COLUMNS, *options])
        for number, (trial, losses) in enumerate(
            zip(exploration.trials, exploration.losses, strict=True)
        ):
            figures = (trial.reward, losses[0], losses[-1])
            writer.writerow(
                [
                    number,
                    trial.parent,
                    trial.mutation,
                    trial.recipe.strategies,
                    *(f"{figure:.6g}" for figure in figures),
                    *(getattr(trial.recipe, name) for name in options),
                ]
            )
