"""Genotypes: recognised, checked, and coded for networks and for regressions."""

from escapement_jax.elm.genotypes.calls import Calls as Calls
from escapement_jax.elm.genotypes.calls import recognise as recognise
from escapement_jax.elm.genotypes.calls import usable_loci as usable_loci
from escapement_jax.elm.genotypes.coding import CodedGenotypes as CodedGenotypes
from escapement_jax.elm.genotypes.coding import encode as encode
from escapement_jax.elm.genotypes.linkage import block_inverse as block_inverse
from escapement_jax.elm.genotypes.linkage import linkage_blocks as linkage_blocks
from escapement_jax.elm.genotypes.linkage import tag_loci as tag_loci
from escapement_jax.elm.genotypes.linkage import tag_pairs as tag_pairs
from escapement_jax.elm.genotypes.study import Study as Study
from escapement_jax.elm.genotypes.study import Truth as Truth
