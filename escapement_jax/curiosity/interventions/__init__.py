"""What is done to rollouts on their way, and how robust discoveries are to it."""

from escapement_jax.curiosity.interventions.base import (
    AbstractIntervention as AbstractIntervention,
)
from escapement_jax.curiosity.interventions.base import Together as Together
from escapement_jax.curiosity.interventions.changes import Change as Change
from escapement_jax.curiosity.interventions.changes import add_values as add_values
from escapement_jax.curiosity.interventions.changes import clamp_values as clamp_values
from escapement_jax.curiosity.interventions.changes import set_values as set_values
from escapement_jax.curiosity.interventions.kicks import Kicks as Kicks
from escapement_jax.curiosity.interventions.perturbations import (
    AbstractPerturbation as AbstractPerturbation,
)
from escapement_jax.curiosity.interventions.perturbations import Noise as Noise
from escapement_jax.curiosity.interventions.perturbations import ParameterNoise as ParameterNoise
from escapement_jax.curiosity.interventions.perturbations import Push as Push
from escapement_jax.curiosity.interventions.perturbations import Wall as Wall
from escapement_jax.curiosity.interventions.robustness import Robustness as Robustness
from escapement_jax.curiosity.interventions.robustness import robustness as robustness
from escapement_jax.curiosity.interventions.walls import Walls as Walls
