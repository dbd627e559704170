"""The targets of the library on the published data, at a heritability of one quarter."""

import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.data import elm_source
from escapement_jax.elm.anchors.comparison import run_anchors
from escapement_jax.elm.anchors.moments import column_pairs
from escapement_jax.elm.method_table import anchor_row
from escapement_jax.io.elm_arrays import read_npz_study


def published_noise(heritability):
    """The noise of the publication: its stream follows individuals in the order of their names."""
    noise = np.empty((10_000, 5))
    for rows in (range(8500), range(8500, 10_000)):
        order = sorted(rows, key=lambda row: str(row + 1))
        scale = np.sqrt(1 - heritability)
        noise[order] = np.random.RandomState(42).normal(0, scale, (len(order), 5))
    return noise


@pytest.mark.statistical
def test_spike_and_slab_reaches_its_targets_on_one_noisy_data_set():
    study = read_npz_study(elm_source())
    truth = study.truth.scaled(np.full(5, 0.5))
    coded = study.coded(np.float32)
    phenotypes = jnp.asarray(0.5 * study.phenotypes + published_noise(0.25), jnp.float32)
    train, test = np.arange(8500), np.arange(8500, 10_000)
    pairs = column_pairs(np.arange(64))
    [anchor] = run_anchors(
        coded.rows(train),
        phenotypes[train],
        coded.rows(test),
        phenotypes[test],
        pairs,
        ("spike-slab",),
    )
    row = anchor_row(anchor, truth, truth.pair_effects(np.asarray(pairs)))
    assert np.all(np.array(row.r2[1:]) >= [0.85, 0.93, 0.93, 0.95])
    assert np.all(np.array(row.test_r2) >= [0.235, 0.24, 0.23, 0.21, 0.22])
    assert sum(row.found) - sum(row.true) <= 1
    assert row.found[0] == 0
