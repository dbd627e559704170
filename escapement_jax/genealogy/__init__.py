"""Ancestral recombination graphs and population size from phased genomes."""

from escapement_jax.genealogy.fit import infer as infer
from escapement_jax.genealogy.genome.genotypes import Genotypes as Genotypes
from escapement_jax.genealogy.genome.rate_map import RateMap as RateMap
from escapement_jax.genealogy.posterior import Posterior as Posterior
