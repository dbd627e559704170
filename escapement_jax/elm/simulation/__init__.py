"""Simulated genotypes and phenotypes whose effects are known."""

from escapement_jax.elm.simulation.environment import add_environment as add_environment
from escapement_jax.elm.simulation.simulate import simulate as simulate
