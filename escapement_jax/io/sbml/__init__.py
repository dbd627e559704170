"""Models in the Systems Biology Markup Language (SBML)."""

from escapement_jax.io.sbml.read import read_sbml as read_sbml
