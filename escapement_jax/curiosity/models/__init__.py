"""Published models: reaction networks as systems, stiff rollouts, energy landscapes."""

from escapement_jax.curiosity.models.landscape import EnergyLandscape as EnergyLandscape
from escapement_jax.curiosity.models.landscape import energy_landscape as energy_landscape
from escapement_jax.curiosity.models.reaction_system import ReactionSystem as ReactionSystem
from escapement_jax.curiosity.models.stiff_rollout import StiffRollout as StiffRollout
