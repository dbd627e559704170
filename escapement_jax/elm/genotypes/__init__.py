"""Genotypes: recognised, checked, and coded for networks and for regressions."""

from escapement_jax.elm.genotypes.calls import Calls as Calls
from escapement_jax.elm.genotypes.calls import recognise as recognise
from escapement_jax.elm.genotypes.calls import usable_loci as usable_loci
from escapement_jax.elm.genotypes.coding import CodedGenotypes as CodedGenotypes
from escapement_jax.elm.genotypes.coding import encode as encode
