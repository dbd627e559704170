"""Effects with honest standard errors, out of any predictor of phenotypes."""

from escapement_jax.elm.debiasing.cross_fit import CrossFit as CrossFit
from escapement_jax.elm.debiasing.cross_fit import cross_fit as cross_fit
from escapement_jax.elm.debiasing.discovery import benjamini_hochberg as benjamini_hochberg
from escapement_jax.elm.debiasing.residual_moments import (
    debiased_estimates as debiased_estimates,
)
from escapement_jax.elm.debiasing.shrinkage import adaptive_shrinkage as adaptive_shrinkage
