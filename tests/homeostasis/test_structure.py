"""What the equations allow to be told apart, against the rank of a random design matrix."""

import numpy as np
import pytest

from escapement_jax.homeostasis.identifiability.moieties import conserved_moieties
from escapement_jax.homeostasis.identifiability.structure import structure_of
from escapement_jax.homeostasis.network import Network
from tests.homeostasis.small_networks import ring_network


def determined_by_rank(network, patterns):
    """Slow and plain: drop each column of a design at random states; does the rank fall?"""
    random = np.random.default_rng(0)
    stoichiometry, orders = np.asarray(network.stoichiometry), np.asarray(network.substrate_orders)
    rows = []
    for pattern in patterns:
        for state in random.uniform(0.5, 2.0, (60, network.num_metabolites)):
            fluxes = pattern * np.prod(state[:, None] ** orders, axis=0)
            rows.append(np.hstack([stoichiometry * fluxes, np.diag(state), np.eye(len(state))]))
    design = np.vstack(rows)
    rank = np.linalg.matrix_rank(design)
    return np.array(
        [
            np.linalg.matrix_rank(np.delete(design, column, axis=1)) < rank
            for column in range(design.shape[1])
        ]
    )


def awkward_network():
    """Duplicates, an antiparallel pair, decay, import, an edgeless and an ordinary reaction."""
    a, b, c = np.eye(3)
    columns = [b - a, b - a, a - b, -a, b, 0 * a, c - a, a - b]
    orders = [a + b, a + b, a + b, a, 0 * a, 0 * a, a, b + c]
    return Network.create(np.stack(columns, 1), np.stack(orders, 1))


@pytest.mark.parametrize(
    "patterns",
    [
        np.ones((1, 8)),
        np.array([[1.0] * 8, [0.5, 1, 1, 1, 1, 1, 1, 1]]),
        np.array([[1.0] * 8, [1, 1, 1, 0.5, 1, 1, 1, 1], [1, 0, 1, 1, 1, 1, 1, 1]]),
    ],
    ids=["untouched", "one knock-down", "two knock-downs"],
)
def test_flags_agree_with_the_rank_of_a_design_matrix(patterns):
    network = awkward_network()
    structure = structure_of(network, patterns)
    found = np.concatenate(
        [structure.identifiable, structure.slope_identifiable, structure.offset_identifiable]
    )
    np.testing.assert_array_equal(found, determined_by_rank(network, patterns))


def test_confounders_are_named():
    structure = structure_of(awkward_network())
    text = " ".join(structure.confounders)
    assert "reaction r0, reaction r1 and reaction r2 act alike" in text
    assert "the slope of m0" in text
    assert "reaction r3" in text
    assert "the offset of m1 and reaction r4" in text
    assert structure.edgeless == (5,)
    assert (0, 1, 2) in structure.groups


def test_effective_rates_make_the_same_dynamics():
    network = awkward_network()
    structure = structure_of(network)
    rates = np.random.default_rng(1).uniform(1.0, 2.0, 8)
    rates[[3, 4]] = 0.0  # their effect is homeostasis'
    state = np.array([1.3, 0.7, 2.0])
    monomials = np.prod(state[:, None] ** np.asarray(network.substrate_orders), axis=0)
    stoichiometry = np.asarray(network.stoichiometry)
    kept = structure.kept
    effective = structure.combinations @ rates
    np.testing.assert_allclose(
        stoichiometry[:, kept] @ (effective * monomials[kept]),
        stoichiometry @ (rates * monomials),
        rtol=1e-12,
    )


def test_moieties_of_the_ring_and_of_apart_pieces():
    ring = np.asarray(ring_network().stoichiometry)
    np.testing.assert_allclose(conserved_moieties(ring), np.ones((1, 6)), atol=1e-9)
    twice = np.kron(np.eye(2), ring)
    moieties = conserved_moieties(np.vstack([twice, np.zeros(18)]))
    assert moieties.shape == (3, 13)
    np.testing.assert_allclose(moieties @ np.vstack([twice, np.zeros(18)]), 0.0, atol=1e-9)
