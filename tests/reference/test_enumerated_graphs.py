"""The enumeration oracle obeys the laws it is there to check."""

from itertools import product

import numpy as np
import pytest
from scipy.linalg import expm

from tests.reference.enumerated_graphs import (
    EnumeratedData,
    EnumeratedModel,
    level_matrix,
    lineage_death_process,
    lump,
)

TIMES = np.array([0.25, 0.9, 1.8, 3.0]) * 1e4
EDGES = np.array([0.0, 0.5, 1.3, 2.5]) * 1e4
SIZES = np.array([1e4, 5e3, 2e4, 1e4])
SIZES_OF_CASES = [(2, 4), (3, 3), (3, 4), (4, 3), (4, 4)]
RECOMBINATION = 2e-6


def make_model(num_haplotypes: int, num_levels: int, **options: float) -> EnumeratedModel:
    """Build a model on the first levels of a common grid."""
    grid = [values[:num_levels] for values in (TIMES, EDGES, SIZES)]
    return EnumeratedModel(num_haplotypes, *grid, **options)


@pytest.fixture(scope="module", params=SIZES_OF_CASES, ids=lambda case: f"n{case[0]}-K{case[1]}")
def model(request: pytest.FixtureRequest) -> EnumeratedModel:
    """Give one model per size."""
    return make_model(*request.param)


@pytest.mark.parametrize(
    ("num_haplotypes", "num_levels", "expected"), [(2, 4, 4), (3, 3, 12), (4, 3, 60), (4, 4, 154)]
)
def test_number_of_trees(num_haplotypes: int, num_levels: int, expected: int) -> None:
    trees = make_model(num_haplotypes, num_levels).trees
    assert len(trees) == len(set(trees)) == expected


def test_death_process_is_the_matrix_exponential() -> None:
    generator = np.diag([-0.0, -0.0, -1.0, -3.0, -6.0]) + np.diag([0.0, 1.0, 3.0, 6.0], -1)
    np.testing.assert_allclose(lineage_death_process(4, 0.7), expm(0.7 * generator), atol=1e-14)


def test_death_process_keeps_tiny_probabilities() -> None:
    """Three coalescences within a short time x: 6 * 3 * 1 * x^3 / 3! to leading order."""
    assert lineage_death_process(4, 1e-6)[4, 1] == pytest.approx(3e-18, rel=1e-5)


def test_pairs_coalesce_exponentially() -> None:
    model = make_model(2, 4)
    hazard = np.concatenate([[0.0], np.cumsum(np.diff(EDGES) / (2 * SIZES[:-1])), [np.inf]])
    levels = [level_matrix(tree)[0, 1] for tree in model.trees]
    np.testing.assert_allclose(model.prior, -np.diff(np.exp(-hazard))[levels], rtol=1e-13)


def test_prior_sums_to_one(model: EnumeratedModel) -> None:
    assert model.prior.sum() == pytest.approx(1, abs=1e-12)


def test_prior_is_consistent_under_dropping_a_haplotype() -> None:
    model, smaller = make_model(4, 4), make_model(3, 4)
    lumped = np.zeros(len(smaller.trees))
    np.add.at(lumped, [smaller.tree_number[lump(tree)] for tree in model.trees], model.prior)
    np.testing.assert_allclose(lumped, smaller.prior, atol=1e-14)


def test_transition_rows_sum_to_one(model: EnumeratedModel) -> None:
    assert RECOMBINATION * model.lengths.max() < 0.95
    np.testing.assert_allclose(model.transition_matrix(RECOMBINATION).sum(1), 1, atol=1e-12)


def test_capped_transition_rows_sum_to_one(model: EnumeratedModel) -> None:
    capped = model.transition_matrix(1e-3)
    np.testing.assert_allclose(capped.sum(1), 1, atol=1e-12)
    assert capped.min() >= 0


def test_flow_is_in_detailed_balance(model: EnumeratedModel) -> None:
    assert model.detailed_balance_defect() < 1e-12


def test_prior_is_stationary(model: EnumeratedModel) -> None:
    assert model.stationarity_defect(RECOMBINATION) < 1e-12


def test_one_step_is_projective(model: EnumeratedModel) -> None:
    assert model.projection_defect() < 1e-12


def test_a_biased_law_is_noticed() -> None:
    """The defects are not zero by construction: a prior of other sizes has large ones."""
    model, other = make_model(3, 4), EnumeratedModel(3, TIMES, EDGES, SIZES[::-1])
    other.__dict__["prior"] = model.prior
    assert other.detailed_balance_defect() > 1e-2
    assert other.stationarity_defect(RECOMBINATION) > 1e-2


@pytest.mark.parametrize("genotype_error", [0.0, 0.01])
def test_site_probabilities_sum_to_one(genotype_error: float) -> None:
    model = make_model(3, 4, genotype_error=genotype_error)
    for tree in model.trees:
        total = sum(model.site_likelihood(tree, h, 1e-5) for h in product([0, 1], repeat=3))
        assert total == pytest.approx(1, abs=1e-13)


def test_missing_alleles_are_summed_out() -> None:
    model = make_model(3, 4, genotype_error=0.01)
    for tree in model.trees:
        seen = [model.site_likelihood(tree, (0, 1, allele), 1e-5) for allele in (0, 1)]
        assert model.site_likelihood(tree, (0, 1, -1), 1e-5) == pytest.approx(sum(seen), rel=1e-13)


def test_pair_site_likelihood_in_closed_form() -> None:
    """Two haplotypes differ with probability (1 - exp(-4 mu T)) / 2, whatever the root."""
    model = make_model(2, 4, root_derived_probability=0.3)
    for tree in model.trees:
        time = TIMES[level_matrix(tree)[0, 1]]
        seen = model.site_likelihood(tree, (0, 1), 1e-5) + model.site_likelihood(tree, (1, 0), 1e-5)
        assert seen == pytest.approx((1 - np.exp(-4e-5 * time)) / 2, rel=1e-12)


def test_evidence_is_the_sum_over_paths() -> None:
    model = make_model(3, 3, genotype_error=0.01)
    data = EnumeratedData(
        invariant_rate=np.array([2e-5, 0.0, 1e-5]),
        recombination=np.array([np.nan, 2e-6, 5e-6]),
        haplotypes=np.array([[0, 0, 1], [1, 1, -1], [1, 0, 1]]),
        site_bin=np.array([0, 1, 1]),
        site_mutation_rate=np.array([1e-5, 1e-5, 2e-5]),
    )
    emission = model.emissions(data)
    first, second = (model.transition_matrix(rate) for rate in data.recombination[1:])
    paths = np.einsum("a,ab,bc,a,b,c->abc", model.prior, first, second, *emission)
    assert model.log_evidence(data) == pytest.approx(np.log(paths.sum()), rel=1e-13)


def test_evidence_without_data_is_one() -> None:
    model = make_model(3, 4)
    no_sites = (np.zeros((0, 3)), np.zeros(0), np.zeros(0))
    nothing = EnumeratedData(np.zeros(4), np.full(4, 1e-6), *no_sites)
    assert model.log_evidence(nothing) == pytest.approx(0, abs=1e-13)
