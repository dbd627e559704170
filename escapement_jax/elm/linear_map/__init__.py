"""Reading a genotype-to-phenotype network as a collection of linear maps."""

from escapement_jax.elm.linear_map.finite_differences import locus_differences as locus_differences
from escapement_jax.elm.linear_map.finite_differences import pair_differences as pair_differences
from escapement_jax.elm.linear_map.jacobian import LinearMap as LinearMap
from escapement_jax.elm.linear_map.jacobian import equivalent_linear_map as equivalent_linear_map
from escapement_jax.elm.linear_map.jacobian import jacobians as jacobians
from escapement_jax.elm.linear_map.jacobian import reconstruction_error as reconstruction_error
from escapement_jax.elm.linear_map.joint_regression import (
    interactions_by_regression as interactions_by_regression,
)
from escapement_jax.elm.linear_map.pair_contrast import (
    four_genotype_contrast as four_genotype_contrast,
)
from escapement_jax.elm.linear_map.pair_contrast import four_genotype_means as four_genotype_means
from escapement_jax.elm.linear_map.projection import project as project
from escapement_jax.elm.linear_map.sensitivity import Sensitivities as Sensitivities
from escapement_jax.elm.linear_map.sensitivity import reference_effects as reference_effects
from escapement_jax.elm.linear_map.sensitivity import sensitivities as sensitivities
from escapement_jax.elm.linear_map.variance_spectrum import variance_spectrum as variance_spectrum
