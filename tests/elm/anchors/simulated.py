"""A small data set with known pairs, shared by the tests of the anchors."""

import functools

import jax.numpy as jnp
import numpy as np

from escapement_jax.elm.anchors.moments import column_pairs, regression_moments

NUM_INDIVIDUALS, NUM_LOCI = 400, 8
TRUE_PAIRS = {(0, 3): 0.5, (2, 7): -0.4}


@functools.cache
def simulated():
    """Contrasts [400, 8], traits [400, 2] (one with two pairs, one additive), pairs."""
    generator = np.random.default_rng(4)
    frequency = generator.uniform(0.3, 0.7, NUM_LOCI)
    genotypes = np.where(generator.random((NUM_INDIVIDUALS, NUM_LOCI)) < frequency, 1.0, -1.0)
    contrasts = genotypes - genotypes.mean(axis=0)
    additive = generator.normal(size=(NUM_LOCI, 2)) * 0.3
    traits = contrasts @ additive + 0.3 * generator.normal(size=(NUM_INDIVIDUALS, 2)) + 5
    for (i, j), effect in TRUE_PAIRS.items():
        traits[:, 0] += effect * contrasts[:, i] * contrasts[:, j]
    return jnp.asarray(contrasts), jnp.asarray(traits), column_pairs(np.arange(NUM_LOCI)), additive


@functools.cache
def simulated_moments():
    contrasts, traits, pairs, _ = simulated()
    return regression_moments(contrasts, traits, pairs)
