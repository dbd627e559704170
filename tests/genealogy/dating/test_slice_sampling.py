from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from escapement_jax.genealogy.dating.slice_sampling import slice_sample


@dataclass(frozen=True)
class BetaTarget:
    a: np.ndarray
    b: np.ndarray

    def log_density(self, unit):
        with np.errstate(divide="ignore"):
            return (self.a - 1) * np.log(unit) + (self.b - 1) * np.log1p(-unit)

    def restrict(self, keep):
        return BetaTarget(self.a[keep], self.b[keep])


@pytest.mark.statistical
def test_beta_variables_keep_their_law_and_forget_their_start():
    generator, count = np.random.default_rng(1), 6000
    shapes = [(1.0, 1.0), (0.7, 3.0), (40.0, 200.0)]
    a, b = np.repeat(shapes, count, axis=0).T
    unit = np.full(len(a), 0.9)
    for _ in range(15):
        unit = slice_sample(BetaTarget(a, b), unit, generator)
    for (shape_a, shape_b), values in zip(shapes, unit.reshape(3, count), strict=True):
        assert stats.kstest(values, stats.beta(shape_a, shape_b).cdf).pvalue > 1e-4


def test_nothing_to_move():
    empty = np.zeros(0)
    found = slice_sample(BetaTarget(empty, empty), empty, np.random.default_rng(0))
    assert found.size == 0
