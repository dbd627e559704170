"""Guesses at rate constants that are known in combination only."""

import jax
import numpy as np

from escapement_jax.homeostasis.identifiability.split_rates import split_rates
from escapement_jax.homeostasis.identifiability.structure import structure_of
from escapement_jax.homeostasis.network import Network


def test_combinations_stay_and_guesses_lie_in_the_range():
    """Twenty plain reactions set the range; a duplicate, an antiparallel pair, an idle one."""
    random = np.random.default_rng(0)
    first = np.arange(20)
    stoichiometry, orders = np.zeros((21, 25)), np.zeros((21, 25))
    stoichiometry[first, first], stoichiometry[first + 1, first] = -1.0, 1.0
    orders[first, first] = 2.0
    stoichiometry[:2, 20:24] = [[-1, -1, -1, 1], [1, 1, 1, -1]]
    orders[0, 20:22], orders[1, 22:24] = 3.0, 3.0
    structure = structure_of(Network.create(stoichiometry, orders))
    rates = 10 ** random.uniform(-2.0, -1.0, 25)
    rates[22], rates[23] = 0.05, 0.03
    effective = structure.combinations @ rates
    guess = split_rates(effective, structure, key=jax.random.key(0))
    np.testing.assert_allclose(structure.combinations @ guess, effective, rtol=1e-12)
    np.testing.assert_allclose(guess[:20], rates[:20], rtol=1e-12)
    assert not structure.identifiable[20:].any()
    assert ((guess[20:] > 0.005) & (guess[20:] < 0.2)).all()
