import csv

import numpy as np

from escapement_jax.homeostasis.gradient_baseline.explore import Exploration
from escapement_jax.homeostasis.gradient_baseline.explorer import Trial
from escapement_jax.homeostasis.gradient_baseline.recipe import Recipe
from escapement_jax.io.homeostasis.gradient_results import write_trials
from tests.reference.known_recovery import known_report


def test_every_trial_has_a_line_with_its_options(tmp_path):
    report = known_report()
    change = Trial(Recipe(rollout_length=16, residual=1.0), 0, "residual: 0.0 -> 1.0", 0.25)
    exploration = Exploration(
        reactions=report.recovery.model(),
        phase_one_losses=np.array([2.0, 1.0]),
        trials=[Trial(Recipe(rollout_length=16), -1, "the published defaults", -0.5), change],
        nodes=[report.node, report.node],
        losses=np.array([[4.0, 3.0], [2.0, 1.0]]),
    )
    write_trials(tmp_path / "trials.csv", exploration)
    with (tmp_path / "trials.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["parent"], first["strategies"], first["last_loss"]) == ("-1", "plain", "3")
    assert (second["trial"], second["strategies"], second["reward"]) == ("1", "1", "0.25")
    assert (second["rollout_length"], second["residual"]) == ("16", "1.0")
    assert exploration.best == 1
