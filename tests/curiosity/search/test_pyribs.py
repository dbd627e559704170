"""A search of pyribs runs on our experiments and leaves a history."""

import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.config.curiosity import ExploreConfig
from escapement_jax.curiosity.explore import default_experiment
from escapement_jax.curiosity.search.pyribs import cma_me_scheduler, explore_with_pyribs
from escapement_jax.curiosity.systems.circuit import TranscriptionalCircuit

pytest.importorskip("ribs")

EXPERIMENT = default_experiment(TranscriptionalCircuit(3), ExploreConfig(num_steps=300))


# A repressilator, and the same with one weaker edge.
RING = jnp.array([0.9, 0.1, 0.5, 0, 0, -20, -20, 0, 0, 0, -20, 0, 8, 8, 8], float)
STARTS = jnp.stack([RING, RING.at[5].set(-17.0)])


def test_a_scheduler_searches_and_its_archive_holds_what_was_found():
    scheduler = cma_me_scheduler(EXPERIMENT, STARTS, batch_size=50, step=0.03, seed=3)
    history = explore_with_pyribs(EXPERIMENT, scheduler, budget=250)
    assert len(history) == 300
    box = EXPERIMENT.system.box
    assert (history.parameters >= np.asarray(box.low)).all()
    assert (history.parameters <= np.asarray(box.high)).all()
    assert history.found.any()
    best = scheduler.archive.data("objective")
    assert best.max() == pytest.approx(history.quality.max(), rel=1e-6)
    assert (best >= 0).sum() <= history.found.sum()


def test_another_dimension_is_refused():
    scheduler = cma_me_scheduler(EXPERIMENT, STARTS)
    other = default_experiment(TranscriptionalCircuit(2), ExploreConfig())
    with pytest.raises(ValueError, match="15 numbers, but the system has 8 parameters"):
        explore_with_pyribs(other, scheduler, budget=10)
