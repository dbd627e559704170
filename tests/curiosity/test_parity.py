"""The original's 10,000 circuits are classified as the original did."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.curiosity import Experiment, TranscriptionalCircuit
from escapement_jax.curiosity.behaviour import SourceOscillation
from escapement_jax.curiosity.diversity import data_extent, filled_bins, filled_curve
from escapement_jax.curiosity.rollouts import FixedStepRollout

ARCHIVE = Path(__file__).parent / "data" / "autodiscjax_seed0.npz"


def archived_parameters(archive):
    low = np.array([0.0] * 3 + [-30.0] * 9 + [-10.0] * 3, np.float32)
    high = np.array([1.0] * 3 + [30.0] * 9 + [10.0] * 3, np.float32)
    unit = archive["quantised"].astype(np.float32) / np.float32(65535)
    parameters = (low + (high - low) * unit).astype(np.float32)
    parameters[archive["exact_rows"]] = archive["exact"]
    return parameters


@pytest.fixture(scope="module")
def observed():
    with np.load(ARCHIVE) as archive:
        parameters = archived_parameters(archive)
        periodic = np.unpackbits(archive["periodic"])[:10_000].astype(bool)
    experiment = Experiment(
        TranscriptionalCircuit(),
        FixedStepRollout(10_000, 0.01, 5000, "euler"),
        SourceOscillation(num_bins=0),
    )
    look = jax.jit(lambda rows: experiment(rows))
    seen = [look(jnp.asarray(parameters[i : i + 500])) for i in range(0, 10_000, 500)]
    found = np.concatenate([np.asarray(one.found) for one in seen])
    return periodic, found, np.concatenate([np.asarray(one.descriptors) for one in seen])


def test_every_circuit_is_classified_as_published(observed):
    periodic, found, _ = observed
    np.testing.assert_array_equal(found, periodic)
    assert (found[:5000].sum(), found[5000:].sum()) == (1167, 42)


def test_bins_and_their_curve_are_as_published(observed):
    _, found, seen = observed
    points = np.where(found[:, None], seen, 0)
    everything = np.ones(5000, bool)
    grid = data_extent((points[:5000], everything), (points[5000:], everything))
    assert filled_bins(points[:5000], everything, grid) == 570
    assert filled_bins(points[5000:], everything, grid) == 42
    curve = filled_curve(points[:5000], everything, grid)
    assert curve[999::1000].tolist() == [11, 174, 338, 464, 570]
