"""Reaching one wanted time course: losses, optimisers, and what cannot be reached."""

from escapement_jax.curiosity.goals.evolution import evolve as evolve
from escapement_jax.curiosity.goals.levenberg_marquardt import (
    levenberg_marquardt as levenberg_marquardt,
)
from escapement_jax.curiosity.goals.multi_start_adam import multi_start_adam as multi_start_adam
from escapement_jax.curiosity.goals.reach import Reached as Reached
from escapement_jax.curiosity.goals.reach import reach as reach
from escapement_jax.curiosity.goals.target import Target as Target
from escapement_jax.curiosity.goals.target import sinusoid_target as sinusoid_target
