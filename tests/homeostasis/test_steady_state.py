"""Steady states in closed form, their gradients, and conserved sums."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from escapement_jax.homeostasis.model import MetabolicModel
from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.rate_laws import MassAction
from escapement_jax.homeostasis.steady_state import moieties_of, steady_state

RATES = jnp.asarray([0.5, 0.2, 0.3])
CYCLE = Network.create([[-1.0, 0.0, 1.0], [1.0, -1.0, 0.0], [0.0, 1.0, -1.0]])
GUESS = jnp.asarray([2.0, 3.0, 1.0])


def cycle_model(slope: float, offset: float) -> MetabolicModel:
    """``a -> b -> c -> a``."""
    return MetabolicModel(CYCLE, MassAction(), RATES, jnp.full(3, slope), jnp.full(3, offset))


def exact_state(rates: jax.Array) -> jax.Array:
    """The cycle is linear: ``(S diag(k) + slope) c + offset = 0``."""
    matrix = CYCLE.stoichiometry * rates[None] - 0.1 * jnp.eye(3)
    return jnp.linalg.solve(matrix, -0.4 * jnp.ones(3))


@eqx.filter_jit
def found_state(rates: jax.Array) -> jax.Array:
    model = eqx.tree_at(lambda m: m.rates, cycle_model(-0.1, 0.4), rates)
    return steady_state(model, GUESS).concentrations


def test_state_and_jacobian_with_homeostasis():
    found = steady_state(cycle_model(-0.1, 0.4), GUESS)
    assert found.converged
    np.testing.assert_allclose(found.concentrations, exact_state(RATES), rtol=1e-8)
    jacobian = CYCLE.stoichiometry * RATES[None] - 0.1 * jnp.eye(3)
    np.testing.assert_allclose(found.jacobian, jacobian, atol=1e-12)


def test_gradients_are_those_of_the_closed_form():
    found = jax.jacrev(found_state)(RATES)
    np.testing.assert_allclose(found, jax.jacrev(exact_state)(RATES), rtol=1e-6, atol=1e-9)


def test_conserved_sums_stay_without_homeostasis():
    model = cycle_model(0.0, 0.0)
    found = steady_state(model, GUESS, conserved=moieties_of(model))
    assert found.converged
    share = (1 / RATES) / jnp.sum(1 / RATES)
    np.testing.assert_allclose(found.concentrations, 6.0 * share, rtol=1e-8)
    assert moieties_of(cycle_model(-0.1, 0.4)) is None
