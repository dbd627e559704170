"""Networks as the published generator draws them, and what all of them obey."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.homeostasis.simulation.random_networks import random_network


def published_cycles(num_metabolites: int, num_reactions: int, seed: int) -> np.ndarray:
    """The stoichiometry of all-cyclic networks, written as in the published generator."""
    generator = np.random.RandomState(seed)
    stoichiometry = np.zeros((num_metabolites, num_reactions))
    used: set = set()
    for cycle in range(num_reactions // 3):
        available = [m for m in range(num_metabolites) if m not in used]
        if len(available) < 3:
            available = list(range(num_metabolites))
        members = generator.choice(available, size=3, replace=False)
        used.update(members)
        for i in range(3):
            stoichiometry[members[i], cycle * 3 + i] = -1
            stoichiometry[members[(i + 1) % 3], cycle * 3 + i] = 1
    return stoichiometry


@pytest.mark.parametrize(("metabolites", "reactions", "seed"), [(100, 256, 42), (10, 31, 7)])
def test_cycles_are_those_of_the_published_generator(metabolites, reactions, seed):
    network = random_network(num_metabolites=metabolites, num_reactions=reactions, seed=seed)
    expected = published_cycles(metabolites, reactions, seed)
    np.testing.assert_array_equal(network.stoichiometry, expected)
    np.testing.assert_array_equal(network.substrate_orders, np.abs(expected))


def test_the_benchmark_has_one_reaction_that_never_runs():
    network = random_network(num_metabolites=100, num_reactions=256, seed=42)
    silent = ~np.asarray(network.substrate_orders).any(axis=0)
    assert np.flatnonzero(silent).tolist() == [255]


@given(
    seed=st.integers(0, 10**6),
    metabolites=st.integers(3, 20),
    reactions=st.integers(1, 30),
    fraction=st.floats(0, 1),
)
def test_every_reaction_conserves_the_total_amount(seed, metabolites, reactions, fraction):
    network = random_network(
        num_metabolites=metabolites, num_reactions=reactions, seed=seed, cycle_fraction=fraction
    )
    stoichiometry = np.asarray(network.stoichiometry)
    np.testing.assert_array_equal(stoichiometry.sum(axis=0), np.zeros(reactions))
    # What a reaction consumes, it needs.
    assert (np.asarray(network.substrate_orders) >= -stoichiometry).all()


def test_a_cycle_needs_its_metabolites():
    with pytest.raises(ValueError, match="a cycle takes 3 metabolites, but there are 2"):
        random_network(num_metabolites=2, num_reactions=3, seed=1)
