import numpy as np
import pytest

from escapement_jax.elm.genotypes.linkage import (
    block_inverse,
    linkage_blocks,
    tag_loci,
    tag_pairs,
)


def linked(seed=0, individuals=4000, rho=0.9):
    """Six loci in two blocks of three, with correlations rho^|i - j| inside a block."""
    generator = np.random.default_rng(seed)
    columns = []
    for _ in range(2):
        column = generator.normal(size=individuals)
        for _ in range(3):
            columns.append(column)
            column = rho * column + np.sqrt(1 - rho**2) * generator.normal(size=individuals)
    return np.stack(columns, axis=1)


def test_tags_are_the_first_of_each_group():
    np.testing.assert_array_equal(tag_loci(linked(), 0.5), [0, 3])
    np.testing.assert_array_equal(tag_loci(linked(), 0.99), np.arange(6))


def test_no_two_tags_are_linked_beyond_the_bound_with_missing_calls():
    table = linked(1)
    table[::17, 2] = np.nan
    tags = tag_loci(table, 0.75)
    kept = np.nan_to_num(table[:, tags] - np.nanmean(table[:, tags], axis=0))
    correlation = np.corrcoef(kept.T) - np.eye(tags.size)
    assert np.max(correlation**2) <= 0.75


def test_a_bound_outside_the_unit_interval_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        tag_loci(linked(), 1.0)


def test_blocks_end_where_linkage_ends():
    blocks = linkage_blocks(np.corrcoef(linked().T), r2=0.05)
    np.testing.assert_array_equal(blocks, [0, 0, 0, 1, 1, 1])


def test_block_inverse_inverts_a_block_diagonal_matrix():
    covariance = np.cov(linked().T)
    covariance[:3, 3:] = covariance[3:, :3] = 0
    inverse = block_inverse(covariance, np.repeat([0, 1], 3))
    np.testing.assert_allclose(inverse, np.linalg.inv(covariance), atol=1e-9)


def test_dependent_loci_of_a_block_are_refused():
    table = linked()
    table[:, 1] = table[:, 0]
    with pytest.raises(ValueError, match="linkage block 0 are linearly dependent"):
        block_inverse(np.cov(table.T), np.repeat([0, 1], 3))


def test_of_pairs_that_tag_each_other_the_strongest_stays():
    correlation = np.corrcoef(linked().T)
    pairs = np.array([[0, 3], [1, 4], [0, 1], [4, 0]])
    kept = tag_pairs(pairs, np.array([2.0, 3.0, 1.0, 2.5]), correlation, r2=0.5)
    np.testing.assert_array_equal(kept, [1, 2])
