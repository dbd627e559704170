"""Models in SBML against closed forms and an independent solver in plain Python."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from escapement_jax.io.sbml import read_sbml
from escapement_jax.io.sbml.read import parse_sbml

MODELS = Path(__file__).parents[1] / "data" / "sbml"


def solve(network, times):
    """Integrate a network with SciPy at tight tolerance; returns [times, states]."""
    constants = network.default_constants()
    derivative = jax.jit(network.derivative())
    start = np.asarray(network.initial_state(constants))
    solution = solve_ivp(
        lambda time, state: np.asarray(
            derivative(jnp.asarray(time), jnp.asarray(state), constants)
        ),
        (0.0, times[-1]),
        start,
        t_eval=times,
        rtol=1e-9,
        atol=1e-10,
        method="LSODA",
        max_step=1.0,
    )
    return solution.y.T


def test_repressilator_agrees_with_its_equations():
    """Elowitz and Leibler (2000), box 1, written out by hand."""
    network = read_sbml(MODELS / "repressilator.xml")
    assert network.states == ("m_lacI", "m_tetR", "m_cI", "p_lacI", "p_tetR", "p_cI")
    state = np.array([0.3, 1.2, 5.0, 0.7, 2.0, 11.0])
    mrna, protein = state[:3], state[3:]
    repressor = protein[[2, 0, 1]]
    expected = np.concatenate(
        [-mrna + 0.216 + 216.0 / (1.0 + repressor**2), 5.0 * (mrna - protein)]
    )
    derivative, constants = jax.jit(network.derivative()), network.default_constants()
    found = derivative(jnp.asarray(0.0), jnp.asarray(state), constants)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_derivative_is_differentiable_and_vmaps_as_a_loop():
    network = read_sbml(MODELS / "repressilator.xml")
    constants = network.default_constants()
    derivative, time = jax.jit(network.derivative()), jnp.asarray(0.0)
    states = jnp.asarray(np.random.default_rng(1).uniform(0.0, 5.0, (4, 6)))
    together = jax.jit(jax.vmap(derivative, (None, 0, None)))(time, states, constants)
    apart = jnp.stack([derivative(time, state, constants) for state in states])
    np.testing.assert_allclose(together, apart, rtol=1e-13)
    # At a concentration of zero, x^n has no derivative in n; the gradient is still a number.
    slopes = jax.jit(jax.jacobian(derivative, argnums=(1, 2)))(time, jnp.zeros(6), constants)
    assert all(np.isfinite(slope).all() for slope in slopes)


def test_amounts_local_parameters_and_volume():
    network = read_sbml(MODELS / "michaelis_menten.xml")
    constants = dict(zip(network.constants, np.asarray(network.default_constants()), strict=True))
    assert constants == {"tube": 2.5, "k_off": 0.5, "binding.k": 2.0, "catalysis.k": 0.3}
    course = solve(network, np.linspace(0.0, 50.0, 11))
    np.testing.assert_allclose(course[0], [10.0, 1.0, 0.0, 0.0])  # 25 units in a volume of 2.5

    def by_hand(time, state):
        substrate, enzyme, complexed, _ = state
        binding, freeing, making = 2.0 * substrate * enzyme, 0.5 * complexed, 0.3 * complexed
        return [freeing - binding, freeing + making - binding, binding - freeing - making, making]

    other = solve_ivp(by_hand, (0, 50), course[0], t_eval=[50.0], rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(course[-1], other.y[:, 0], rtol=1e-5, atol=1e-7)


def test_piecewise_of_time_agrees_with_the_closed_form():
    network = read_sbml(MODELS / "piecewise_input.xml")
    times = np.array([0.0, 2.0, 5.0, 8.0])
    course = solve(network, times)[:, 0]
    filling = 2.0 / 0.4 * (1.0 - np.exp(-0.4 * np.minimum(times, 5.0)))
    expected = filling * np.exp(-0.4 * np.maximum(times - 5.0, 0.0))
    np.testing.assert_allclose(course, expected, rtol=1e-5, atol=1e-8)
    assigned = network.assigned()
    arguments = jnp.zeros(1), network.default_constants()
    assert [float(assigned(jnp.asarray(time), *arguments)[0]) for time in (4.9, 5.1)] == [2.0, 0.0]


def test_a_growing_compartment_dilutes():
    """With V = 2 e^(g t): an amount n grows by 2 u f t, and c = (6 + 2 u f t) / V."""
    network = read_sbml(MODELS / "growing_compartment.xml")
    assert network.states == ("c", "n", "cell")
    times = np.linspace(0.0, 12.0, 4)
    course = solve(network, times)
    amount, volume = 6.0 + 2 * 0.05 * 4.0 * times, 2.0 * np.exp(0.1 * times)
    expected = np.stack([amount / volume, amount, volume], axis=1)
    np.testing.assert_allclose(course, expected, rtol=1e-6)


def test_initial_assignments_follow_constants_and_rules_may_come_in_any_order():
    network = read_sbml(MODELS / "initial_assignments.xml")
    constants = network.default_constants()
    named = dict(zip(network.constants, np.asarray(constants), strict=True))
    assert named["k_r"] == pytest.approx(0.7 / 3.0)
    start = network.initial_state(constants)
    np.testing.assert_allclose(start, [4.0, 1.0])
    assigned = network.assigned()(jnp.asarray(0.0), start, constants)
    values = dict(zip([name for name, _ in network.assignments], np.asarray(assigned), strict=True))
    assert values == pytest.approx({"ratio": 0.2, "total": 5.0})
    np.testing.assert_allclose(solve(network, np.array([0.0, 30.0]))[-1], [1.25, 3.75], rtol=1e-6)


def test_stoichiometry_splits_into_what_is_used_and_what_is_made():
    network = read_sbml(MODELS / "michaelis_menten.xml")
    np.testing.assert_array_equal(network.reactants.sum(axis=0), [2, 1, 1])
    np.testing.assert_array_equal(network.stoichiometry.sum(axis=0), [-1, 1, 1])
    constants = network.default_constants()
    state = jnp.asarray([10.0, 0.5, 0.5, 0.0])
    rates = network.rates()(jnp.asarray(0.0), state, constants)
    changes = network.derivative()(jnp.asarray(0.0), state, constants)
    np.testing.assert_allclose(network.stoichiometry @ np.asarray(rates) / 2.5, changes)


def test_everything_unsupported_is_named_at_once():
    with pytest.raises(ValueError, match=r"unsupported\.xml cannot be read") as caught:
        read_sbml(MODELS / "unsupported.xml")
    features = (
        "2 events",
        "1 algebraic rule",
        "fast reaction quick",
        "kinetic law of reaction silent",
    )
    assert all(feature in str(caught.value) for feature in features)


def edited(name, old, new):
    text = (MODELS / name).read_text(encoding="utf-8")
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("model", "old", "new", "message"),
    [
        ("piecewise_input.xml", "<ci> k </ci>", "<ci> q </ci>", "unknown symbol q .* of x"),
        ("piecewise_input.xml", 'id="k" value="0.4"', 'id="k"', "no value of k"),
        ("initial_assignments.xml", "<ci> total </ci>", "<ci> ratio </ci>", "circle of defin"),
        ("piecewise_input.xml", "</sbml>", "", "not valid SBML"),
    ],
)
def test_what_is_wrong_in_a_model_is_named(model, old, new, message):
    with pytest.raises(ValueError, match=message):
        parse_sbml(edited(model, old, new))


def test_delays_are_refused():
    text = edited("piecewise_input.xml", "<ci> pulse_end </ci>", "<apply>DELAY</apply>")
    delay = (
        '<csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/delay">'
        " delay </csymbol>"
    )
    text = text.replace("DELAY", f"{delay}<ci> k </ci><cn> 2 </cn>")
    with pytest.raises(ValueError, match="the operator delay in the formula of pulse"):
        parse_sbml(text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.xml: no such file"):
        read_sbml(tmp_path / "none.xml")
