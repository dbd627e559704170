"""Pruning against a slow oracle, and attachments as ratios of whole-tree likelihoods.

All arrays have room for `SIZE` haplotypes, so that one compilation serves trees of any size.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy import pruning
from escapement_jax.genealogy.local_trees import ABSENT, attach
from escapement_jax.genealogy.mutation_model import mutation_model
from tests.reference.level_matrices import partial_tree, root_level
from tests.reference.pruning import level_matrix_log_likelihood

SIZE, LEVELS = 6, 5
TIMES = np.array([40.0, 220.0, 800.0, 2800.0, 11000.0])
ROOT_DERIVED = 0.02

site_log_likelihood = jax.jit(pruning.site_log_likelihood)
attachment_likelihood = jax.jit(pruning.attachment_likelihood)
_over_levels = jax.vmap(attach, in_axes=(None, None, None, None, 0))
attach_everywhere = jax.jit(jax.vmap(_over_levels, in_axes=(None, None, None, 0, None)))


def reference(tree, present, alleles, rate, error):
    """Log-likelihood by the oracle, absent haplotypes cut out."""
    members = np.flatnonzero(present)
    return level_matrix_log_likelihood(
        tree[np.ix_(members, members)],
        TIMES,
        alleles[members],
        mutation_rate=rate,
        genotype_error=error,
        derived_root=ROOT_DERIVED,
    )


@st.composite
def sites(draw, smallest=1, largest=SIZE - 1):
    """A tree of some haplotypes, alleles of all, a mutation rate and a genotype error."""
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    num_present = draw(st.integers(smallest, largest))
    tree, present = partial_tree(generator, SIZE, num_present, LEVELS)
    alleles = generator.integers(-1, 2, SIZE).astype(np.int8)
    error = draw(st.sampled_from([0.0, 0.01]))
    return tree, present, alleles, draw(st.sampled_from([1e-8, 1e-5, 1e-3])), error


@given(sites(largest=SIZE))
def test_site_likelihood_is_that_of_the_oracle(case):
    tree, present, alleles, rate, error = case
    model = mutation_model(ROOT_DERIVED, error)
    ours = site_log_likelihood(tree, present, alleles, rate * TIMES, model)
    np.testing.assert_allclose(ours, reference(*case), rtol=1e-11, atol=1e-13)


@given(sites(smallest=2))
def test_attachment_is_the_ratio_of_likelihoods(case):
    tree, present, alleles, rate, error = case
    model = mutation_model(ROOT_DERIVED, error)
    new = int(np.argmin(present))
    ratio = attachment_likelihood(tree, present, alleles, alleles[new], rate * TIMES, model)
    np.testing.assert_allclose(ratio, ratios_of_the_oracle(*case, new), rtol=1e-9)


@given(sites(largest=1))
def test_the_second_haplotype_counts_in_full(case):
    """For a tree of one haplotype the likelihood is that of the pair."""
    tree, present, alleles, rate, error = case
    model = mutation_model(ROOT_DERIVED, error)
    new = int(np.argmin(present))
    ratio = attachment_likelihood(tree, present, alleles, alleles[new], rate * TIMES, model)
    alone = np.exp(reference(*case))
    np.testing.assert_allclose(ratio, alone * ratios_of_the_oracle(*case, new), rtol=1e-9)


def ratios_of_the_oracle(tree, present, alleles, rate, error, new):
    """Likelihood with over likelihood without the new haplotype, for every (haplotype, level)."""
    places = np.arange(SIZE, dtype=np.int32), np.arange(LEVELS, dtype=np.int32)
    grown = np.asarray(attach_everywhere(tree, present, np.int32(new), *places))
    everyone = present | (np.arange(SIZE) == new)
    ratios = np.zeros((SIZE, LEVELS))
    for member in np.flatnonzero(present):
        for level in range(LEVELS):
            ratios[member, level] = reference(grown[member, level], everyone, alleles, rate, error)
    base = reference(tree, present, alleles, rate, error)
    return np.where(present[:, None], np.exp(ratios - base), 0.0)


@given(sites(smallest=2))
def test_the_alleles_of_a_new_leaf_exhaust_the_possibilities(case):
    """Up to the root; above it the prior, which is not stationary, applies at a new root."""
    tree, present, alleles, rate, error = case
    model = mutation_model(ROOT_DERIVED, error)
    ancestral, derived, missing = (
        np.asarray(
            attachment_likelihood(tree, present, alleles, np.int8(allele), rate * TIMES, model)
        )
        for allele in (0, 1, -1)
    )
    np.testing.assert_allclose(ancestral + derived, missing, rtol=1e-12)
    np.testing.assert_allclose(missing[present, : root_level(tree, present) + 1], 1, rtol=1e-12)


def comb(size):
    """Haplotype `j` joins the lineage of the earlier ones at level `j - 1`."""
    later = np.maximum(*np.meshgrid(np.arange(size), np.arange(size), indexing="ij"))
    return np.where(np.eye(size, dtype=bool), -1, later - 1).astype(np.int8)


@pytest.mark.parametrize("rate", [1.25e-8, 1e-10])
@pytest.mark.parametrize("alternating", [True, False])
def test_single_precision_stands_many_mutations(rate, alternating):
    """Eight alleles of each kind that no branch of a comb separates, and that one does."""
    size = 16
    tree, present = comb(size), np.ones(size, bool)
    order = np.arange(size)
    alleles = (order % 2 if alternating else order < size // 2).astype(np.int8)
    times = rate * np.geomspace(20.0, 1e5, size)
    model = mutation_model(ROOT_DERIVED)
    single = jax.tree.map(partial(jnp.asarray, dtype=jnp.float32), (times, model))
    exact = site_log_likelihood(tree, present, alleles, times, model)
    np.testing.assert_allclose(
        site_log_likelihood(tree, present, alleles, *single), exact, rtol=1e-5
    )
    rest = present & (order < size - 1)
    tree = np.where(rest[:, None] & rest[None, :], tree, ABSENT).astype(np.int8)
    exact = attachment_likelihood(tree, rest, alleles, alleles[-1], times, model)
    rounded = attachment_likelihood(tree, rest, alleles, alleles[-1], *single)
    assert np.isfinite(rounded).all()
    np.testing.assert_allclose(rounded, exact, rtol=1e-3)


@jax.jit
def weighted_likelihoods(times, tree, present):
    """A number that depends on the likelihood of a site and on that of every attachment."""
    alleles = jnp.asarray([0, 1, 1, 0, -1, 1], jnp.int8)
    model = mutation_model(ROOT_DERIVED, 0.01)
    weights = jnp.linspace(0.1, 1.0, SIZE * LEVELS).reshape(SIZE, LEVELS)
    site = pruning.site_log_likelihood(tree, present, alleles, times, model)
    places = pruning.attachment_likelihood(tree, present, alleles, jnp.int8(1), times, model)
    return site + (weights * places).sum()


@pytest.mark.parametrize("num_present", [2, 4, SIZE - 1])
def test_gradients_are_finite_differences(num_present):
    """With respect to the times, absent haplotypes of either allele included."""
    generator = np.random.default_rng(num_present)
    tree = partial_tree(generator, SIZE, num_present, LEVELS)
    times = jnp.asarray([0.05, 0.1, 0.3, 0.6, 1.1])
    gradient = jax.grad(weighted_likelihoods)(times, *tree)
    steps = 1e-5 * np.eye(LEVELS)
    differences = [
        weighted_likelihoods(times + step, *tree) - weighted_likelihoods(times - step, *tree)
        for step in steps
    ]
    np.testing.assert_allclose(gradient, np.array(differences) / 2e-5, rtol=1e-6, atol=1e-8)


def test_batches_agree_with_single_sites():
    generator = np.random.default_rng(0)
    tree, present = partial_tree(generator, SIZE, 5, LEVELS)
    alleles = generator.integers(-1, 2, (4, SIZE)).astype(np.int8)
    args = (1e-5 * TIMES, mutation_model(ROOT_DERIVED))
    in_axes = (None, None, 0, None, None)
    batch = jax.jit(jax.vmap(pruning.site_log_likelihood, in_axes))(tree, present, alleles, *args)
    singles = [site_log_likelihood(tree, present, row, *args) for row in alleles]
    np.testing.assert_allclose(batch, singles, rtol=1e-13)
