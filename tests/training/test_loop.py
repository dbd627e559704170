"""The chunked loop, the optimiser and the stopping rules."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from escapement_jax.training.keeper import Keeper
from escapement_jax.training.loop import run_in_chunks
from escapement_jax.training.optimiser import GroupedAdam, taking_turns
from escapement_jax.training.stopping import StoppingRules, at_rest

ALWAYS: dict = {}


def test_chunks_do_what_a_plain_loop_does_and_compile_once():
    traces = []

    def step(data, state, index):
        traces.append(index)
        return state * data + index.astype(float), {"before": state, "index": index}

    looks = []

    def look(taken, records):
        looks.append((taken, len(records["index"])))
        return False

    data, start = jnp.asarray(0.5), jnp.asarray(2.0)
    state, records = run_in_chunks(step, data, start, num_steps=11, chunk_size=4, after_chunk=look)
    expected, before = 2.0, []
    for index in range(11):
        before.append(expected)
        expected = expected * 0.5 + index
    np.testing.assert_allclose(state, expected, rtol=1e-12)
    np.testing.assert_allclose(records["before"], before, rtol=1e-12)
    np.testing.assert_array_equal(records["index"], np.arange(11))
    assert looks == [(4, 4), (8, 8), (11, 11)]
    # Shapes of the records, then the body: no trace after the first chunk.
    assert len(traces) <= 2


def test_the_host_can_stop_the_loop():
    _, records = run_in_chunks(
        lambda data, state, index: (state + 1, state),
        None,
        jnp.asarray(0),
        num_steps=100,
        chunk_size=5,
        after_chunk=lambda taken, records: taken >= 10,
    )
    np.testing.assert_array_equal(records, np.arange(10))
    with pytest.raises(ValueError, match="at least 1 of each"):
        run_in_chunks(lambda *_: None, None, None, num_steps=0, chunk_size=5)


class Memory(Keeper):
    """Keeps what it is offered; `state` is what it starts with."""

    def __init__(self, state=None):
        super().__init__()
        self.state, self.offers = state, []

    def kept(self, section):
        return self.state

    def offer(self, section, place, pack):
        self.offers.append((place, pack()))


@pytest.mark.parametrize("stops", [False, True])
def test_the_loop_goes_on_from_any_chunk_bit_for_bit(stops):
    def step(data, state, index):
        key, now = jax.random.split(state["key"])
        value = state["value"] + data * jax.random.normal(now)
        return {"key": key, "value": value}, {"value": value, "index": index}

    def run(memory):
        start = {"key": jax.random.key(0), "value": jnp.asarray(0.0)}
        looks = []

        def look(taken, records):
            looks.append(taken)
            return stops and taken >= 8

        told = {"num_steps": 11, "chunk_size": 4, "after_chunk": look, "keeper": memory}
        state, records = run_in_chunks(step, jnp.asarray(0.3), start, **told)
        return state, records, looks

    whole = Memory()
    state, records, looks = run(whole)
    assert whole.offers[0][0] == "training: 4 of 11 steps"
    for number, (_, kept) in enumerate(whole.offers):
        again = Memory(kept)
        state_again, records_again, looks_again = run(again)
        assert len(again.offers) == len(whole.offers) - number - 1
        assert looks_again == looks[number:]
        assert jax.random.bits(state_again["key"]) == jax.random.bits(state["key"])
        assert state_again["value"] == state["value"]
        for name, record in records.items():
            np.testing.assert_array_equal(records_again[name], record)


def test_steps_on_the_host_are_those_of_a_chunk():
    def step(data, state, index):
        return state * data + index.astype(float), {"before": state}

    told = {"num_steps": 11, "chunk_size": 4}
    for compiled in (True, False):
        found = run_in_chunks(step, jnp.asarray(0.5), jnp.asarray(2.0), compiled=compiled, **told)
        if compiled:
            expected = found
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
    np.testing.assert_allclose(found[1]["before"], expected[1]["before"], rtol=1e-12)


def test_each_group_has_its_rate_and_all_are_clipped_together():
    optimiser = GroupedAdam({"slow": 1e-3, "fast": 1e-1}, clip=5.0)
    parameters = {"slow": jnp.zeros(2), "fast": {"a": jnp.zeros(3)}}
    gradients = {"slow": jnp.array([30.0, -1.0]), "fast": {"a": jnp.array([40.0, 0.0, 2.0])}}
    moved, _ = optimiser.step(parameters, gradients, optimiser.init(parameters), ALWAYS)
    norm = np.sqrt(900 + 1 + 1600 + 4)
    with jax.numpy_dtype_promotion("standard"):
        for name, rate in (("slow", 1e-3), ("fast", 1e-1)):
            clipped = jax.tree.map(lambda slope: slope * 5.0 / norm, gradients[name])
            adam = optax.adam(rate)
            steps, _ = adam.update(clipped, adam.init(parameters[name]))
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), moved[name], steps
            )
    with pytest.raises(ValueError, match="no learning rate for other"):
        optimiser.init({"other": jnp.zeros(1)})


def test_short_gradients_are_left_alone():
    optimiser = GroupedAdam({"one": 0.1}, clip=5.0)
    parameters = {"one": jnp.zeros(2)}
    moments = optimiser.init(parameters)
    _, clipped = optimiser.step(parameters, {"one": jnp.array([3.0, 4.0])}, moments, ALWAYS)
    np.testing.assert_allclose(clipped["one"][0].mu, [0.3, 0.4], rtol=1e-12)


def test_groups_that_rest_keep_parameters_and_moments():
    optimiser = GroupedAdam({"one": 0.1, "two": 0.1})
    parameters = {"one": jnp.ones(2), "two": jnp.ones(2)}
    moments = optimiser.init(parameters)
    active = {"one": jnp.asarray(True), "two": jnp.asarray(False)}
    moved, after = optimiser.step(parameters, parameters, moments, active)
    assert (moved["one"] < 1).all()
    np.testing.assert_array_equal(moved["two"], 1.0)
    same = jax.tree.map(lambda a, b: bool(jnp.all(a == b)), moments["two"], after["two"])
    assert all(jax.tree.leaves(same))


def test_groups_take_turns():
    periods = {"one": 3, "two": 2}
    turns = [taking_turns(jnp.asarray(step), periods) for step in range(10)]
    assert [bool(turn["one"]) for turn in turns] == [True, True, True, False, False] * 2
    assert all(bool(turn["one"]) != bool(turn["two"]) for turn in turns)


def histories(steps, rise=0.0, drift=0.0, temperature=0.1):
    grown = -1_000.0 + rise * np.arange(steps)
    sizes = 1e4 * np.exp(drift * np.arange(steps))[:, None] * np.ones((1, 3))
    return grown, sizes, np.full(steps, temperature)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, (True, True, True)),
        ({"rise": 0.01}, (False, True, True)),  # 2 nats of 1,000 in 200 steps, 0.2 %
        ({"rise": 0.004}, (True, True, True)),
        ({"drift": 2e-4}, (True, False, True)),  # 2 % in 100 steps
        ({"temperature": 0.2}, (True, True, False)),
        ({"steps": 150}, (False, True, True)),
    ],
)
def test_each_rule_speaks_for_itself(changed, expected):
    rest = at_rest(*histories(**({"steps": 400} | changed)), StoppingRules())
    assert (rest.objective, rest.sizes, rest.temperature) == expected
    assert bool(rest) == all(expected)
