"""Ancestral recombination graphs and population size from phased genomes."""

from escapement_jax.genealogy.fit import infer as infer
from escapement_jax.genealogy.genotypes import Genotypes as Genotypes
from escapement_jax.genealogy.posterior import Posterior as Posterior
from escapement_jax.genealogy.rate_map import RateMap as RateMap
