"""Solving a batch of systems over time, and saying which members failed."""

from escapement_jax.curiosity.rollouts.base import AbstractRollout as AbstractRollout
from escapement_jax.curiosity.rollouts.codes import RolloutCode as RolloutCode
from escapement_jax.curiosity.rollouts.fixed_step import FixedStepRollout as FixedStepRollout
from escapement_jax.curiosity.rollouts.trajectories import Trajectories as Trajectories
