import dataclasses

import numpy as np
import pytest

from escapement_jax.genealogy.dating.coalescent_clock import CoalescentClock
from escapement_jax.genealogy.dating.node_moves import NodeClasses, _node_target, move_nodes
from escapement_jax.genealogy.dating.redating import RedatingChain
from escapement_jax.genealogy.dating.redating_target import redating_log_density, with_times
from tests.reference.smc_simulator import redating_model, simulate_history, simulate_mutations

CLOCK = CoalescentClock(
    np.array([0.0, 2000.0, 9000.0]), np.array([1 / 9000, 1 / 1500, 1 / 20_000]), np.zeros(3)
)
CLOCK = dataclasses.replace(
    CLOCK, intensities=np.append(0, np.cumsum(np.diff(CLOCK.starts) * CLOCK.rates[:-1]))
)


def random_state(seed, num_samples):
    """Some histories side by side with silent records and mutations."""
    generator = np.random.default_rng(seed)
    histories = [simulate_history(generator, num_samples, CLOCK, 2e-4) for _ in range(3)]
    model = redating_model(CLOCK, 2e-4, 3e-4, num_samples=num_samples)
    chain = RedatingChain(histories, model, generator)
    chain.sweep()
    batch = chain._batch
    segments, items = zip(*(simulate_mutations(generator, h, 3e-4) for h in histories), strict=True)
    segments = np.concatenate([f + s for f, s in zip(batch.first, segments, strict=True)])
    items = np.concatenate(items)
    state = dataclasses.replace(
        chain.state,
        mutated_child=batch.node_of(segments, items),
        mutated_parent=batch.node_of(segments, batch.parents[segments, items]),
    )
    return batch, state, generator


@pytest.mark.parametrize("num_samples", [2, 3, 6])
def test_nodes_of_a_class_never_meet(num_samples):
    batch, state, _ = random_state(1, num_samples)
    label = NodeClasses.of(batch).label
    for tree in batch.nodes:
        assert len(set(label[tree])) == num_samples - 1
    ends = state.records.ends[:, ~state.records.silent]
    assert (label[ends[1]] != label[ends[2]]).all()
    assert (label[:-1] >= 0).all()


@pytest.mark.parametrize("num_samples", [2, 3, 6])
def test_conditional_laws_are_those_of_the_joint_density(num_samples):
    batch, state, generator = random_state(2, num_samples)
    classes = NodeClasses.of(batch)
    joint = redating_log_density(batch, state, CLOCK)
    for label in range(2 * (num_samples - 1)):
        nodes = np.flatnonzero(classes.label[:-1] == label)
        target = _node_target(batch, classes, label, nodes, state, CLOCK)
        start = target.unit(state.times[nodes])
        np.testing.assert_allclose(target.time(start), state.times[nodes], rtol=1e-9)
        unit = generator.random(len(nodes))
        moved = redating_log_density(batch, with_times(state, nodes, target.time(unit)), CLOCK)
        # Per node the density of the unit variable; its Jacobian matters where it varies.
        jacobian = np.where(np.isfinite(target.high), 0.0, 2 * np.log((1 - start) / (1 - unit)))
        gain = target.log_density(unit) - target.log_density(start) - jacobian
        found = np.bincount(batch.node_history[nodes], gain, 3)
        np.testing.assert_allclose(found, moved - joint, rtol=1e-9, atol=1e-8)
        keep = generator.random(len(nodes)) < 0.5
        np.testing.assert_allclose(
            target.restrict(keep).log_density(unit[keep]), target.log_density(unit)[keep]
        )


def test_a_move_changes_every_node():
    batch, state, generator = random_state(3, 5)
    moved = move_nodes(batch, NodeClasses.of(batch), state, CLOCK, generator)
    assert (moved.times[:-1] != state.times[:-1]).all()
    assert moved.times[-1] == 0
    assert np.isfinite(redating_log_density(batch, moved, CLOCK)).all()
