"""Networks and their mass balance: what is accepted, what is refused and in which words."""

import numpy as np
import pytest

from escapement_jax.homeostasis.network import Network

CHAIN = np.array([[-1.0, 0.0], [1.0, -1.0], [0.0, 1.0]])


def test_orders_default_to_the_molecules_consumed():
    network = Network.create(2 * CHAIN)
    np.testing.assert_array_equal(network.substrate_orders, [[2, 0], [0, 2], [0, 0]])
    assert network.metabolite_names == ("m0", "m1", "m2")
    assert network.reaction_index("r1") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stoichiometry": CHAIN[0]}, "metabolites x reactions"),
        ({"stoichiometry": np.where(CHAIN == 1, np.nan, CHAIN)}, "row 1, column 0"),
        ({"substrate_orders": CHAIN[:2]}, "substrate orders are 2 x 2"),
        ({"substrate_orders": CHAIN}, "reaction r0 has the negative order -1 in m0"),
        ({"metabolite_names": ["a", "b"]}, "2 metabolite names for 3"),
        ({"metabolite_names": ["a", "b", "a"]}, "'a' occurs twice"),
        ({"molar_masses": [1.0, 1.0]}, "molar masses have shape"),
        ({"molar_masses": [1.0, -1.0, 1.0]}, "m1 has the molar mass -1"),
        ({"molar_masses": [1.0, 2.0, 2.0]}, "do not balance reaction r0"),
    ],
)
def test_impossible_tables_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Network.create(**({"stoichiometry": CHAIN} | options))


def test_unknown_names_are_reported():
    with pytest.raises(ValueError, match="unknown metabolite 'glucose'; the network has m0, m1"):
        Network.create(CHAIN).metabolite_index("glucose")


def test_networks_that_no_masses_balance_are_refused():
    once_and_twice = np.array([[-1.0, -1.0], [1.0, 2.0]])
    with pytest.raises(ValueError, match="no positive masses"):
        Network.create(once_and_twice)
    Network.create(once_and_twice, mass_balance=False)


def test_masses_may_differ_and_exchanges_are_exempt():
    """Two A make one B; A is fed and B leaves."""
    network = Network.create(np.array([[-2.0, 1.0, 0.0], [1.0, 0.0, -1.0]]))
    assert network.num_reactions == 3
