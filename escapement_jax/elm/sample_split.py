"""Which individuals are learned from and which are kept aside."""

from typing import NamedTuple

import jax
import numpy as np

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.elm import DecomposeConfig

FEWEST_INDIVIDUALS = 20


class SampleSplit(NamedTuple):
    """Row numbers of the individuals."""

    train: np.ndarray
    test: np.ndarray


def split_samples(num_individuals: int, config: DecomposeConfig, *, key: PRNGKey) -> SampleSplit:
    """Set test individuals aside, at random or from the end.

    Args:
        num_individuals: how many there are.
        config: share and manner of the split.
        key: random key.

    Raises:
        ValueError: too few individuals remain to learn from.
    """
    num_test = round(config.test_fraction * num_individuals)
    num_train = num_individuals - num_test
    if num_train < max(FEWEST_INDIVIDUALS, 2 * config.folds):
        raise ValueError(
            f"{num_train} of {num_individuals} individuals remain to learn from; give at least "
            f"{max(FEWEST_INDIVIDUALS, 2 * config.folds)}, or fewer folds"
        )
    order = np.arange(num_individuals)
    if config.split == "random":
        order = np.asarray(jax.random.permutation(key, num_individuals))
    return SampleSplit(np.sort(order[:num_train]), np.sort(order[num_train:]))
