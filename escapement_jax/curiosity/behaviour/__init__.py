"""What a trajectory does: regimes, oscillations, spectra, end points, and what is possible."""

from escapement_jax.curiosity.behaviour.base import AbstractBehaviour as AbstractBehaviour
from escapement_jax.curiosity.behaviour.base import Observation as Observation
from escapement_jax.curiosity.behaviour.end_point import EndPoint as EndPoint
from escapement_jax.curiosity.behaviour.oscillation import Oscillation as Oscillation
from escapement_jax.curiosity.behaviour.source_oscillation import (
    SourceOscillation as SourceOscillation,
)
from escapement_jax.curiosity.behaviour.user import FunctionBehaviour as FunctionBehaviour
