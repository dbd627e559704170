"""What can this system do? Goal-directed exploration over batches of rollouts."""

from escapement_jax.config.curiosity import ExploreConfig as ExploreConfig
from escapement_jax.curiosity.experiment import Experiment as Experiment
from escapement_jax.curiosity.explore import explore as explore
from escapement_jax.curiosity.history import History as History
from escapement_jax.curiosity.systems.circuit import (
    TranscriptionalCircuit as TranscriptionalCircuit,
)
from escapement_jax.curiosity.systems.vector_field import VectorFieldSystem as VectorFieldSystem
