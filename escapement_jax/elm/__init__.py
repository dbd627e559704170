"""Which loci act, and which pairs interact: effects out of genotype-to-phenotype models."""

from escapement_jax.elm.decompose import decompose as decompose
from escapement_jax.elm.effects import Effects as Effects
from escapement_jax.elm.effects import EffectTable as EffectTable
from escapement_jax.elm.genotypes.coding import CodedGenotypes as CodedGenotypes
from escapement_jax.elm.genotypes.coding import encode as encode
