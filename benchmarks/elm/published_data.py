"""The published replicate as a training and a test set, with noise that neither shares."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from escapement_jax.data import elm_source
from escapement_jax.elm.genotypes.coding import CodedGenotypes
from escapement_jax.elm.genotypes.study import Study
from escapement_jax.elm.simulation import add_environment
from escapement_jax.io.elm_arrays import read_npz_study

NUM_TRAIN = 8500


class Split(NamedTuple):
    study: Study
    train: CodedGenotypes
    train_phenotypes: jnp.ndarray
    test: CodedGenotypes
    test_phenotypes: jnp.ndarray


def published(heritability: float, seed: int = 42) -> Study:
    """The replicate itself at H2 = 1 (it has .999), else with noise of its own for everybody."""
    study = read_npz_study(elm_source())
    if heritability == 1:
        return study
    return add_environment(study, heritability, np.random.default_rng(seed))


def split(study: Study) -> Split:
    """The first 85 % of the individuals to learn from, the others to test on."""
    coded = study.coded()
    phenotypes = jnp.asarray(study.phenotypes, jnp.float32)
    rows = np.arange(len(study.phenotypes))
    train, test = rows[:NUM_TRAIN], rows[NUM_TRAIN:]
    return Split(study, coded.rows(train), phenotypes[train], coded.rows(test), phenotypes[test])
