"""Reaction networks as systems, stiff rollouts against SciPy, energy landscapes."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from escapement_jax.curiosity.interventions import set_values
from escapement_jax.curiosity.models import ReactionSystem, StiffRollout, energy_landscape
from escapement_jax.curiosity.rollouts.codes import RolloutCode
from escapement_jax.curiosity.systems import VectorFieldSystem
from escapement_jax.data import rkip_erk_model
from escapement_jax.io.sbml import read_sbml

NETWORK = read_sbml(rkip_erk_model())


def pathway(**constants):
    return ReactionSystem(NETWORK, states={"RKIP": (0.0, 2.5)}, constants=constants)


def test_only_what_may_vary_varies():
    system = pathway(k5=(0.01, 0.1))
    assert system.parameter_names == (*NETWORK.states, "k5")
    free = np.asarray(system.box.extent) > 0
    named = [name for name, is_free in zip(system.parameter_names, free, strict=True) if is_free]
    assert named == ["RKIP", "k5"]
    start, args = system.unpack(system.box.low)
    assert float(start[NETWORK.states.index("Raf1")]) == 2.0
    assert float(args.constants[NETWORK.constants.index("k5")]) == 0.01
    with pytest.raises(ValueError, match="no constant k99; it has cytoplasm, k1"):
        pathway(k99=(0.0, 1.0))
    with pytest.raises(ValueError, match=r"range of k5 is \[1.0, 0.0\]"):
        pathway(k5=(1.0, 0.0))


def test_the_pathway_keeps_its_five_totals():
    """Mass is only moved: the left null space of the stoichiometry has dimension five."""
    singular = np.linalg.svd(NETWORK.stoichiometry, compute_uv=False)
    assert (
        (singular < 1e-10).sum()
        == 5
        == len(NETWORK.states) - np.linalg.matrix_rank(NETWORK.stoichiometry)
    )
    system = pathway()
    start, args = system.unpack(system.box.high)
    change = system.vector_field(jnp.zeros(()), start + 0.3, args)
    totals = np.linalg.svd(NETWORK.stoichiometry.T)[2][-5:]
    np.testing.assert_allclose(totals @ np.asarray(change), 0.0, atol=1e-12)


def robertson(t, y, constants):
    """Three reactions whose rates differ by nine orders of magnitude (Robertson 1966)."""
    del t
    slow, fast, medium = constants[0] * y[0], constants[1] * y[1] ** 2, constants[2] * y[1] * y[2]
    return jnp.stack([medium - slow, slow - medium - fast, fast])


ROBERTSON = VectorFieldSystem(
    robertson,
    state_low=np.zeros(3),
    state_high=np.ones(3),
    low=np.zeros(3),
    high=np.array([1.0, 1e8, 1e5]),
)
STIFF = StiffRollout(num_steps=4, step_size=100.0, num_kept=4, observed=(0, 2))
MEMBERS = jnp.array([[1.0, 0, 0, 0.04, 3e7, 1e4], [0.5, 0, 0.5, 0.04, 3e7, 1e4]])


@eqx.filter_jit
def solved(rollout, system, members, intervention=None):
    return rollout(system, members, intervention)


def test_a_stiff_system_agrees_with_an_independent_solver():
    seen = solved(STIFF, ROBERTSON, MEMBERS)
    np.testing.assert_array_equal(seen.codes, RolloutCode.OK)
    for member in range(2):
        start, constants = MEMBERS[member, :3], np.asarray(MEMBERS[member, 3:])
        other = solve_ivp(
            lambda t, y, c=constants: [
                c[2] * y[1] * y[2] - c[0] * y[0],
                c[0] * y[0] - c[2] * y[1] * y[2] - c[1] * y[1] ** 2,
                c[1] * y[1] ** 2,
            ],
            (0.0, 400.0),
            start,
            t_eval=[0.0, 100.0, 200.0, 300.0, 400.0],
            method="Radau",
            rtol=1e-8,
            atol=1e-12,
        )
        np.testing.assert_allclose(seen.states[..., member], other.y[[0, 2], :4], rtol=1e-3)
        np.testing.assert_allclose(seen.final_state[:, member], other.y[:, 4], rtol=1e-3)


def test_a_member_that_fails_has_a_code_and_leaves_the_others_alone():
    fewer = dataclasses.replace(STIFF, max_solver_steps=12)
    both = MEMBERS.at[1, 3:].set(0.0)  # Nothing happens: few steps are enough.
    seen = solved(fewer, ROBERTSON, both)
    assert seen.codes.tolist() == [RolloutCode.TOO_MANY_STEPS, RolloutCode.OK]
    np.testing.assert_allclose(seen.final_state[:, 1], both[1, :3])


def test_an_intervention_is_obeyed_between_samples():
    action = set_values(
        ROBERTSON, {"c0": 0.0, "c1": 0.0, "c2": 0.0}, between=(0, 400), step_size=100
    )
    seen = solved(STIFF, ROBERTSON, MEMBERS, action)
    np.testing.assert_allclose(seen.states[0], np.tile(MEMBERS[:, 0], (4, 1)))


def test_a_reaction_can_be_stopped_by_its_name():
    system = pathway()
    stop = set_values(system, {"RKIP_phosphorylation": 0.0}, between=(0.0, 9.0), step_size=1.0)
    start, args = system.unpack(system.box.high)
    held = stop.before_step(jnp.asarray(3), start, args)[1]
    assert float(held.rate_factors.sum()) == 10.0
    later = stop.before_step(jnp.asarray(10), start, args)[1]
    assert float(later.rate_factors.sum()) == 11.0


def test_single_precision_is_refused():
    with jax.enable_x64(False), pytest.raises(ValueError, match="need double precision"):
        STIFF(ROBERTSON, jnp.ones((1, 6), jnp.float32))


def test_the_landscape_of_a_known_density():
    """Normal draws have the energy `x^2 / 2`: at the centre 0, a standard deviation away 1/2."""
    draws = jax.random.normal(jax.random.key(0), (2, 400, 500))
    landscape = energy_landscape(draws, low=(-2.5, -2.5), high=(2.5, 2.5), bins=5)
    along = landscape.energy[:, 2]
    # Cells of width one about -2, ..., 2: minus the logarithm of the ratio of their masses.
    np.testing.assert_allclose(along[[1, 2, 3]], [0.460, 0.0, 0.460], atol=0.03)
    with pytest.raises(ValueError, match="is empty"):
        energy_landscape(draws, low=(1.0, 0.0), high=(0.0, 1.0))
    with pytest.raises(ValueError, match="no trajectory enters"):
        energy_landscape(draws, low=(90.0, 90.0), high=(91.0, 91.0))
