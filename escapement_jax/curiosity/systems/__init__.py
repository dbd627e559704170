"""Families of ordinary differential equations, and the boxes their parameters live in."""

from escapement_jax.curiosity.systems.base import AbstractSystem as AbstractSystem
from escapement_jax.curiosity.systems.box import Box as Box
from escapement_jax.curiosity.systems.circuit import (
    TranscriptionalCircuit as TranscriptionalCircuit,
)
from escapement_jax.curiosity.systems.vector_field import VectorFieldSystem as VectorFieldSystem
