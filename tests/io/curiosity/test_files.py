"""Histories, tables and circuits come back from their files as they were."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.curiosity.models.circuit_network import circuit_network
from escapement_jax.curiosity.systems.circuit import TranscriptionalCircuit
from escapement_jax.io.antimony import to_antimony
from escapement_jax.io.curiosity.circuits import write_network
from escapement_jax.io.curiosity.discoveries import (
    read_parameters,
    write_discoveries,
    write_parameters,
)
from escapement_jax.io.curiosity.histories import HISTORY_FILE, read_history, write_history
from escapement_jax.io.sbml import read_sbml
from escapement_jax.io.sbml.read import parse_sbml
from escapement_jax.io.sbml.write import to_sbml
from tests.io.sbml.test_read import MODELS
from tests.reference.made_up_history import ROLLOUTS, made_up_history

SYSTEM = TranscriptionalCircuit(3, mask=[[1, 1, 1], [1, 1, 0], [0, 1, 1]], decay_range=(0.5, 2.0))
CIRCUIT = SYSTEM.box.sample(1, key=jax.random.key(3))[0]


def test_a_history_comes_back_to_the_bit(tmp_path):
    history = made_up_history()
    write_history(tmp_path / "history", history)
    again = read_history(tmp_path / "history")
    assert again.identity == history.identity
    for before, after in zip(jax.tree.leaves(history), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(before, after)
        assert before.dtype == after.dtype
    assert [path.name for path in (tmp_path / "history").iterdir()] == [HISTORY_FILE]


def test_what_is_no_history_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no history here"):
        read_history(tmp_path)
    (tmp_path / HISTORY_FILE).write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ValueError, match=r"history\.npz: not a readable .npz archive"):
        read_history(tmp_path)
    np.savez(tmp_path / HISTORY_FILE, parameters=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        read_history(tmp_path)


def test_discoveries_are_listed_with_all_their_digits(tmp_path):
    history = made_up_history()
    names = [f"p{i}" for i in range(history.parameters.shape[1])]
    write_discoveries(tmp_path / "table.csv", history, names, ["offset", "amplitude", "hz"])
    lines = (tmp_path / "table.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("rollout,parent,offset,amplitude,hz,quality,p0,")
    assert len(lines) == 1 + history.found.sum() < ROLLOUTS
    rows = np.array([[np.float32(x) for x in line.split(",")] for line in lines[1:]])
    np.testing.assert_array_equal(rows[:, 6:], history.parameters[history.found])


def test_parameters_come_back_whatever_their_order(tmp_path):
    path, names = tmp_path / "circuit.csv", ("a", "b", "c")
    values = np.array([0.1, -1e-12, 3e17])
    write_parameters(path, values, names)
    np.testing.assert_array_equal(read_parameters(path, names), values)
    np.testing.assert_array_equal(read_parameters(path, names[::-1]), values[::-1])
    with pytest.raises(ValueError, match="parameter d is missing"):
        read_parameters(path, (*names, "d"))
    with pytest.raises(ValueError, match="parameter c is not known"):
        read_parameters(path, names[:2])


def slopes(network, states):
    derivative, constants = jax.jit(network.derivative()), network.default_constants()
    return jnp.stack([derivative(jnp.asarray(0.7), state, constants) for state in states])


def test_a_circuit_comes_back_from_sbml():
    network = circuit_network(SYSTEM, CIRCUIT, name="found")
    again = parse_sbml(to_sbml(network))
    assert again.states == SYSTEM.state_names
    assert "W12" not in again.constants  # The mask forbids it.
    y0, args = SYSTEM.unpack(CIRCUIT)
    # libSBML writes 15 digits.
    np.testing.assert_allclose(again.initial_state(again.default_constants()), y0, rtol=1e-14)
    states = jax.random.uniform(jax.random.key(1), (3, 3))
    expected = jnp.stack([SYSTEM.vector_field(jnp.zeros(()), state, args) for state in states])
    np.testing.assert_allclose(slopes(network, states), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(slopes(again, states), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "model",
    ["repressilator", "piecewise_input", "growing_compartment", "initial_assignments"],
)
def test_models_keep_their_equations_through_sbml(model):
    network = read_sbml(MODELS / f"{model}.xml")
    again = parse_sbml(to_sbml(network))
    order = np.array([again.states.index(name) for name in network.states])
    start = network.initial_state(network.default_constants())
    np.testing.assert_allclose(again.initial_state(again.default_constants())[order], start)
    states = jnp.stack([0.5 * start + 0.1, 1.5 * start + 0.1])
    found = slopes(again, states[:, np.argsort(order)])[:, order]
    np.testing.assert_allclose(found, slopes(network, states), rtol=1e-12)


def test_antimony_says_the_same_as_sbml():
    antimony = pytest.importorskip("antimony")
    network = circuit_network(SYSTEM, CIRCUIT)
    assert antimony.loadAntimonyString(to_antimony(network)) >= 0, antimony.getLastError()
    again = parse_sbml(antimony.getSBMLString("circuit"))
    states = jax.random.uniform(jax.random.key(1), (3, 3))
    order = np.array([again.states.index(name) for name in network.states])
    found = slopes(again, states[:, np.argsort(order)])[:, order]
    np.testing.assert_allclose(found, slopes(network, states), rtol=1e-12)


def test_antimony_states_the_equations_in_full():
    text = to_antimony(circuit_network(SYSTEM, CIRCUIT, name="found"))
    assert text.startswith("model found()\n  compartment cell;\n  species y0 in cell;")
    assert "decay_y2: y2 -> ; (cell*k2*y2);" in text
    assert f"W11 = {float(CIRCUIT[3 + 4])!r};" in text
    assert "W12" not in text


def test_a_circuit_is_written_under_its_name(tmp_path):
    written = write_network(tmp_path, circuit_network(SYSTEM, CIRCUIT, name="found"))
    assert [path.name for path in written] == ["found.ant", "found.xml"]
    assert read_sbml(tmp_path / "found.xml").name == "found"
